"""Training, in the order of its use: `python -m codec train ...`.

data          photographs -> crops, a pure function of (seed, step)
codebook_ema  how codewords follow the features
losses        a critic, dots on the grid
masks         which blocks a training picture loses
pictures      sheets of pictures
run           what every training run shares: schedule, log, checkpoint
networks      the networks under one name; those that are done, from their files
tokenizer_samples  what the steps of the tokenizer draw, and the numbers of a run
tokenizer     encoder, codebooks and decoder
token_maps    photographs as tokens
codebooks     the smaller coarse codebooks
codebook_tuning  the same, following what is seen
neighbour_tables  what the tables by neighbours hold
export        from a run to weights that ship
motion        pairs of pictures a frame apart
predictor     the masked transformer
copying       how far it trusts the frame before
joint_samples  what the steps at the joint end see, and the numbers of a run
joint_filling  their tokens with holes, filled with a gradient
coarse_stage  the encoder at H/16 and the coarse codebook, where they learn too
joint         decoder and predictor together, and the coarse stage if wished, at the end
"""
