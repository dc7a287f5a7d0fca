"""Losses in bursts and in the gaps between them: RFC 3611, section 4.7.2, with Gmin = 16.

A burst starts and ends with a loss and has no run of Gmin received packets inside; a loss with at least
Gmin received packets on either side is alone, and belongs to the gap around it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GMIN = 16  # RFC 3611's recommendation


@dataclass(frozen=True)
class BurstGap:
    """Statistics of a sequence; nan where there is no burst, or no gap.

    Attributes:
        bursts: How many.
        burst_density: Share of packets lost within bursts.
        gap_density: Share of packets lost within gaps.
        burst_packets: Mean length of a burst, received packets inside included.
        gap_packets: Mean length of a gap.
    """

    bursts: int
    burst_density: float
    gap_density: float
    burst_packets: float
    gap_packets: float


def burst_gap(lost: NDArray[np.bool_], gmin: int = GMIN) -> BurstGap:
    """Statistics of packets in sending order: bool [N], True where one was lost or discarded.

    >>> lost = np.zeros(60, dtype=bool)
    >>> lost[[2, 20, 22, 25, 50]] = True  # alone, a burst of 20 to 25, alone
    >>> burst_gap(lost)
    BurstGap(bursts=1, burst_density=0.5, gap_density=0.037037037037037035, burst_packets=6.0, gap_packets=27.0)
    """
    places = np.flatnonzero(lost)
    groups = np.split(places, np.flatnonzero(np.diff(places) > gmin) + 1)
    bursts = [(int(group[0]), int(group[-1]) + 1, len(group)) for group in groups if len(group) > 1]
    inside, lost_inside = sum(end - start for start, end, _ in bursts), sum(count for *_, count in bursts)
    outside = len(lost) - inside
    edges = [0, *(edge for start, end, _ in bursts for edge in (start, end)), len(lost)]
    gaps = sum(end > start for start, end in zip(edges[::2], edges[1::2], strict=True))
    return BurstGap(
        bursts=len(bursts),
        burst_density=_over(lost_inside, inside),
        gap_density=_over(len(places) - lost_inside, outside),
        burst_packets=_over(inside, len(bursts)),
        gap_packets=_over(outside, gaps),
    )


def _over(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
