"""Chain: nested ways to send a picture, each a little dearer than the one before, and what each costs.

A chain is a row of events, each of which upgrades one block at one step: to the next larger
codebook, to a split, to one more fine quarter. The size in bytes of any step follows from sums over
the events before it, for costs are integers (codec/entropy.py) and payloads have exactly the size that
their costs say; nothing is coded on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.granularity_map import KINDS
from codec.payload import payload_bytes

Weigh = Callable[[NDArray[np.int64]], NDArray[np.int64]]  # steps [S] -> bytes [S]
SizeOf = Callable[[int, float], float]  # a step and a limit -> bytes, or infinity where these are above the limit

STRIDE = 64  # steps between those that the first look weighs
COLUMNS = KINDS + 1  # of a state: blocks of each kind, then the cost of their indices


@dataclass(frozen=True)
class Chain:
    """Events by step; a state is int64 [slices, 7]: blocks of each kind, cost of the indices.

    Attributes:
        last: Number of the last step; step 0 is the state before any event.
        state: State at step 0.
        step: int64 [E], ascending, 1 to `last`: the step that each event belongs to.
        slice: int64 [E], where the event's block travels.
        kind: int64 [E, 2], kind of the block before and after.
        cost: int64 [E], in units of 2^-16 bits, may be negative.
        mixed: Whether steps above 0 send a granularity map.
    """

    last: int
    state: NDArray[np.int64]
    step: NDArray[np.int64]
    slice: NDArray[np.int64]
    kind: NDArray[np.int64]
    cost: NDArray[np.int64]
    mixed: bool

    def states(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """States at some steps, ascending [S]: int64 [S, slices, 7]."""
        slices = len(self.state)
        cell = np.searchsorted(steps, self.step) * slices + self.slice  # the first of the steps that has the event
        cells = (len(steps) + 1) * slices
        keys = np.concatenate([cell * COLUMNS + self.kind[:, 0], cell * COLUMNS + self.kind[:, 1]])
        signs = np.repeat([-1.0, 1.0], len(cell))
        change = np.bincount(keys, signs, cells * COLUMNS).reshape(-1, slices, COLUMNS)
        change[..., KINDS] = np.bincount(cell, self.cost, cells).reshape(-1, slices)  # exact below 2^53
        states: NDArray[np.int64] = self.state + change[:-1].cumsum(axis=0).astype(np.int64)
        return states

    def payloads(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes of each slice's payload at some steps, ascending [S]: int64 [S, slices]."""
        states = self.states(steps)
        return payload_bytes(states[..., :KINDS], states[..., KINDS], (steps > 0)[:, None] & self.mixed)


def largest_fit(last: int, limit_bytes: float, weigh: Weigh) -> int | None:
    """The step with the most bytes within the limit, the latest of equals; None if step 0 is too large.

    First every 64th step is weighed, then those from the last fitting one of these to the next. A step
    is a little smaller than an earlier one now and then. Still, a larger limit never gives fewer
    bytes: either the same 64 steps are looked at, or they begin with one that a smaller limit excluded.

    Args:
        last: Number of the last step.
        limit_bytes: What the result may have at most.
        weigh: Steps, ascending [S], to bytes [S].
    """
    marks = np.arange(0, last + 1, STRIDE)
    fitting = np.flatnonzero(weigh(marks) <= limit_bytes)
    if not len(fitting):
        return None
    start = int(marks[fitting[-1]])
    steps = np.arange(start, min(start + STRIDE, last + 1))
    sizes = weigh(steps)
    sizes = np.where(sizes <= limit_bytes, sizes, -1)
    return int(steps[len(steps) - 1 - sizes[::-1].argmax()])


def bisect_fit(last: int, limit_bytes: float, size_of: SizeOf) -> int | None:
    """Like `largest_fit`, with some ten steps weighed, one by one: for sizes that are dear to know.

    Of the steps weighed that fit, the one with the most bytes. Still, a larger limit never gives fewer: two
    searches weigh the same steps until one of these fits the larger limit alone.
    """
    size = size_of(0, limit_bytes)
    if size > limit_bytes:
        return None
    best, low, high = 0, 1, last
    while low <= high and size < int(limit_bytes):  # more bytes than these there are not to be had
        middle = (low + high) // 2
        found = size_of(middle, limit_bytes)
        if found <= limit_bytes:
            low = middle + 1
            if found >= size:
                best, size = middle, found
        else:
            high = middle - 1
    return best
