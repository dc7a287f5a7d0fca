"""From a trace of losses to the two-state channel that behaves like it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Fit:
    """A simple Gilbert channel (h = 0, k = 1), as fitted.

    Attributes:
        p, r: Chances of good -> bad and bad -> good, a packet.
        rate: Share of packets lost.
        mean_burst: Mean run of losses in packets, 1 / r.
    """

    p: float
    r: float
    rate: float
    mean_burst: float


def fit(losses: ArrayLike | Sequence[bool]) -> Fit:
    """Fit by moments: the share of losses L, and the correlation c of neighbours.

    A simple Gilbert channel has c = 1 - p - r and L = p / (p + r), hence p = L (1 - c) and
    r = (1 - L) (1 - c). So the fitted channel has the trace's loss and its mean run of losses
    (but for the runs at the trace's two ends).

    Args:
        losses: One value a packet, true where it was lost.

    Raises:
        ValueError: If nothing or everything was lost, or the trace has fewer than 3 packets: then
            there are no bursts to measure.
    """
    lost: NDArray[np.bool_] = np.asarray(losses, dtype=bool)
    if lost.ndim != 1 or lost.size < 3 or not lost.any() or lost.all():
        raise ValueError(
            f"a fit needs at least 3 packets of which some were lost and some not, "
            f"got {int(lost.sum())} lost of {lost.size}"
        )
    rate = float(lost.mean())
    both = float((lost[1:] & lost[:-1]).sum()) / float(lost[:-1].sum() or 1)  # lost, given the one before was
    r = float(np.clip(1 - both, 1 / lost.size, 1))  # a burst ends, if only with the trace
    return Fit(p=min(r * rate / (1 - rate), 1.0), r=r, rate=rate, mean_burst=1 / r)
