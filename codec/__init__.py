"""A learned image codec made for lossy channels. Modules in the order of the data:

cli           python -m codec encode | decode | evaluate | info | bench | train: options
arguments     words of the command line -> values
examples      what --help shows to type
verbs         what they do
films         files of clips -> frames
images        files of any kind <-> uint8 [H, W, 3], padding to whole blocks
model         Codec: the main path, in one file
rate          a rate in bits per pixel -> which blocks are split or fine, which codebooks they take
rate_request  what a rate is asked for: how tokens are sent, what may be sent of a picture
rate_path     in which order blocks are split, and quarters made fine
rate_chains   the ways of a picture whose tokens cost the same anywhere, as chains
chain         nested ways to send a picture, and what each costs
index_maps    all indices that a picture may send
refine        features sought for one picture, by gradient descent through the decoder
granularity   information density -> which block is coarse, medium, fine
encoder       picture -> unit vectors at three grids
quantizer     unit vectors <-> indices
codebook      smaller codebooks from one, by k-means
tokens        Tokens: index, level, known
parts         blocks of a picture that travel together
quadtree      levels of a block's quarters <-> levels of its tokens
books         which block takes which coarse codebook
interleave    which block travels in which slice
entropy       symbols <-> bytes
neighbours    what is known around a token when its turn comes
neighbour_classes  that, cut into classes
neighbour_rows  the probabilities of a class, made when it is first met
neighbour_tables  probabilities chosen by it
tables        probabilities of the indices of each codebook, by neighbours or not
neighbour_sizes  what all that may be sent costs with these
granularity_map  which blocks are split, as symbols
payload       granularity and indices of some blocks <-> bytes
context_model  the masked transformer as a distribution for each token of a slice
context_order  which tokens it codes together, and after which
context_mixture  how far it is trusted, beside histograms
slices        one slice: flags, payload, checksum
bitstream     Tokens <-> slices that decode alone
vqs           slices <-> the .vqs file
latents       tokens and codewords, dense, on the three grids: what the networks look at
packing       token sequences of several pictures, padded to one length
copying       how much the token a frame before says about a lost one
predictor     masked transformer: what a hole probably holds
fill          guesses without a network: nothing, neighbours, the frame before
conceal       tokens with holes -> guesses and confidence
surprise      bits that a lost token would still cost
conceal_own   the same by a function of the user's
confidence    confidence -> a grey picture
decoder       codewords, granularity, confidence -> picture
quality       picture against picture
distortion    differences of pixels and edges, which training and refinement minimise
perceptual    `squeeze`, a perceptual distance on weights the user points at
evaluate      a folder of pictures or clips -> tables and a figure
evaluate_rate  rate, distortion, perception: ours and conventional codecs
evaluate_films  robustness on clips: what lost packets cost
evaluate_loss  robustness: what lost blocks cost, with every concealment
evaluate_entropy  entropy models: bytes and times
evaluate_baselines  JPEG, JPEG 2000, WebP, AVIF
evaluate_pictures  the pictures of a folder, and a judge of pictures
evaluate_bootstrap  intervals by image
evaluate_figures  the curves
bench         time and memory of a machine
checkpoint    weights on disk
files         writing, whole or not at all
layers        blocks shared by the networks
device        where they run, and how pictures get there
precision     which of them multiply in bf16, and where
config        their sizes
errors        what can go wrong
training      how the weights were made

Shape letters: B batch, T frames, C channels, H W pixels, h w blocks of 16x16 (h_l w_l the grid of
level l: h*2^l), L levels (0 coarse, 1 medium, 2 fine), N tokens, M holes, K codewords, D dimensions
of a codeword, W also the width of the predictor.
"""
