"""Rate: a request in bits per pixel -> shares of area for the three granularities.

One path leads from all-coarse to all-fine, so a higher request never sends less:

    all coarse (0.039 bpp) -> all medium (0.156) -> all fine (0.625)

half of what leaves coarse goes on to fine early, as mixed pictures need both. The shares are exact
for fixed-length indices of log2 K bits; the granularity map and slice headers come on top, entropy
coding takes off.
"""

import math

from codec.config import BLOCK, LEVELS, cells
from codec.errors import RequestError

ALL_COARSE = (0.0, 0.0, 1.0)
KNOTS = (
    ALL_COARSE,
    (0.0, 0.4, 0.6),
    (0.15, 0.6, 0.25),
    (0.5, 0.5, 0.0),
    (1.0, 0.0, 0.0),
)  # fine, medium, coarse
SNAP = 0.025  # so close to all-coarse, a granularity map would cost more than its few splits bring


def fixed_length_bpp(ratios: tuple[float, float, float], codes: int = 1024) -> float:
    """Bits per pixel of fixed-length indices: log2 K (f/16 + m/64 + c/256).

    >>> round(fixed_length_bpp(ALL_COARSE), 4)
    0.0391
    """
    per_block = sum(share * cells(LEVELS - 1 - i) ** 2 for i, share in enumerate(ratios))
    return math.log2(codes) * per_block / BLOCK**2


def ratios_for_bpp(bpp: float, codes: int = 1024) -> tuple[float, float, float]:
    """Ratios (fine, medium, coarse) whose fixed-length rate is the request.

    Raises:
        RequestError: If the request is below all-coarse or above all-fine.
    """
    rates = [fixed_length_bpp(knot, codes) for knot in KNOTS]
    if abs(bpp - rates[0]) <= SNAP * rates[0]:
        return ALL_COARSE
    if not rates[0] <= bpp <= rates[-1]:
        raise RequestError(
            "bpp",
            f"must be from {rates[0]:.4f} (all coarse) to {rates[-1]:.3f} (all fine)",
            bpp,
            "Other rates need codebooks of other sizes",
        )
    for low, high, a, b in zip(KNOTS, KNOTS[1:], rates, rates[1:], strict=False):
        if bpp <= b:
            t = (bpp - a) / (b - a)
            f, m, c = ((1 - t) * x + t * y for x, y in zip(low, high, strict=True))
            return f, m, c
    return KNOTS[-1]
