"""A mixture of experts whose weights follow from what each said of the tokens before.

    p(x) = sum of w_e p_e(x), w the maximum of the posterior under a Dirichlet prior, by EM

Both ends know all tokens before, so no weight is sent. An expert that knows nothing of these tokens (a
network that was never trained on a level) costs a few bits until its weight is gone.
"""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 4  # of EM, from the weights of the time before
PRIOR_TOKENS = 8.0  # what the prior counts for


class Mixture:
    """The weights of some experts, and what they follow from.

    Args:
        prior: Weights at first, float64 [E], of sum 1.
    """

    def __init__(self, prior: NDArray[np.float64]) -> None:
        self._prior, self.weights = prior, prior
        self._said = np.zeros((len(prior), 0))

    def mix(self, experts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distributions [E, M, K] of the experts to [M, K]."""
        mixed: NDArray[np.float64] = np.einsum("e,emk->mk", self.weights, experts)
        return mixed

    def learn(self, said: NDArray[np.float64]) -> None:
        """Take in the probabilities [E, M] that the experts had given to M tokens."""
        self._said = np.concatenate([self._said, said], axis=1)
        for _ in range(ROUNDS):
            share = self.weights[:, None] * self._said
            votes = PRIOR_TOKENS * self._prior + (share / share.sum(0)).sum(1)
            self.weights = votes / votes.sum()
