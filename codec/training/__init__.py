"""Training, in the order of its use: `python -m codec train ...`.

data          photographs -> crops, a pure function of (seed, step)
codebook_ema  how codewords follow the features
losses        distortion, adversarial
run           what every training run shares: schedule, log, checkpoint
tokenizer     encoder, codebooks and decoder
predictor     the masked transformer
"""
