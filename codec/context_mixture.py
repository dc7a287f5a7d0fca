"""Experts on the next tokens, and a mixture whose weights follow from what each said of the tokens before.

    static      the histogram of the codebook
    guess       the masked transformer
    counted     tokens of this slice so far, counted, and `static` for 64 more
    product     guess x sqrt(counted / static): a guess for a picture of which this is known too

    p(x) = sum of w_e p_e(x), w the maximum of the posterior under a Dirichlet prior, by EM

Both ends know all tokens before, so no weight is sent. An expert that knows nothing of these tokens (a
network that was never trained on a level) costs a few bits until its weight is gone.
"""

import numpy as np
from numpy.typing import NDArray

STATIC_TOKENS = 64
PRIOR = np.array([0.3, 0.4, 0.1, 0.2])
REMEMBERED = 4096  # tokens that weights follow from: bounds time and memory of large pictures
ROUNDS = 4  # of EM, from the weights of the time before
PRIOR_TOKENS = 8.0  # what the prior counts for


def experts(
    static: NDArray[np.float64], guess: NDArray[np.float64], counts: NDArray[np.int64] | int
) -> NDArray[np.float64]:
    """What each expert says of M tokens.

    Args:
        static: Distribution [K].
        guess: Distributions [M, K].
        counts: Tokens so far, int64 [K], or 0 for none.

    Returns:
        Distributions float64 [E, M, K].
    """
    counted = (counts + STATIC_TOKENS * static) / (np.sum(counts) + STATIC_TOKENS)
    product = guess * np.sqrt(counted / static)
    alike = [np.broadcast_to(p, guess.shape) for p in (static, counted)]
    return np.stack([alike[0], guess, alike[1], product / product.sum(axis=1, keepdims=True)])


class Mixture:
    """The weights of some experts, and what they follow from.

    Args:
        prior: Weights at first, float64 [E], of sum 1.
    """

    def __init__(self, prior: NDArray[np.float64] = PRIOR) -> None:
        self._prior, self.weights = prior, prior
        self._said = np.zeros((len(prior), 0))

    def mix(self, said: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distributions [E, M, K] of the experts to [M, K]. No BLAS, whose threads may change the last bits."""
        mixed: NDArray[np.float64] = (self.weights[:, None, None] * said).sum(axis=0)
        return mixed

    def learn(self, said: NDArray[np.float64]) -> None:
        """Take in the probabilities [E, M] that the experts had given to M tokens."""
        self._said = np.concatenate([self._said, said], axis=1)[:, -REMEMBERED:]
        for _ in range(ROUNDS):
            share = self.weights[:, None] * self._said
            votes = PRIOR_TOKENS * self._prior + (share / share.sum(0)).sum(1)
            self.weights = votes / votes.sum()
