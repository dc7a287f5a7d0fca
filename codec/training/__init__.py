"""Training, in the order of its use: `python -m codec train ...`.

data          photographs -> crops, a pure function of (seed, step)
codebook_ema  how codewords follow the features
losses        a critic, dots on the grid
masks         which blocks a training picture loses
run           what every training run shares: schedule, log, checkpoint
tokenizer     encoder, codebooks and decoder
token_maps    photographs as tokens
codebooks     the smaller coarse codebooks
codebook_tuning  the same, following what is seen
neighbour_tables  what the tables by neighbours hold
export        from a run to weights that ship
motion        pairs of pictures a frame apart
predictor     the masked transformer
copying       how far it trusts the frame before
joint_samples  what its steps see, and the numbers of a run
joint         decoder and predictor together, at the end
"""
