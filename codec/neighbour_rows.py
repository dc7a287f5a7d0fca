"""Rows: the tables of the classes of one codebook, made as they are needed, in integers alone."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.entropy import TOTAL_BITS, UNIT_BITS, categorical

LOG_BITS = 8  # logarithms are counted in 1/256 bit
DEEPEST = 20  # bits below the likeliest index: less is taken for so much
MOST_SURE = 15  # sixteenths: no index is taken for surer, so none costs less than `entropy.LEAST_BITS`


class Rows:
    """Tables of the classes of one codebook, made as they are needed.

    Attributes:
        row: int64 [classes], where the table of a class is, or -1.
        cost: int32 [rows, K'], in units of 2^-16 bits.
        below: int32 [rows, K' + 1], sums of the weights of all indices below.
    """

    def __init__(self, classes: int, codes: int) -> None:
        self.row = np.full(classes, -1)
        self.cost = np.zeros((0, codes), np.int32)
        self.below = np.zeros((0, codes + 1), np.int32)
        self._models: list[Any] = []

    def add(self, classes: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        """Tables of more classes, weights [m, K']."""
        start, end = len(self._models), len(self._models) + len(classes)
        bits = np.log2(weights.sum(axis=1, keepdims=True)) - np.log2(weights)
        self.cost, self.below = _with_room(self.cost, end), _with_room(self.below, end)
        self.cost[start:end] = np.ceil(bits * (1 << UNIT_BITS))
        self.below[start:end, 1:] = weights.cumsum(axis=1)
        self._models += [None] * len(classes)
        self.row[classes] = np.arange(start, end)  # last: who sees a place finds its table

    def models(self, rows: NDArray[np.int64]) -> list[Any]:
        """The coder's models of some rows."""
        places, models = rows.tolist(), self._models
        found = [models[place] for place in places]
        if None in found:
            for place in places:
                if models[place] is None:
                    models[place] = categorical(np.diff(self.below[place]))
            return self.models(rows)
        return found


def _with_room(rows: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """At least so many rows, the first as given; half as many again, for more will come."""
    if count <= len(rows):
        return rows
    wider = np.zeros((count + count // 2, rows.shape[1]), np.int32)
    wider[: len(rows)] = rows
    return wider


def weights_of(logs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Logarithms of probabilities in 1/256 bit, [m, K], to integer weights, at least 1, of a sum up to 2^20."""
    below = logs.max(axis=1, keepdims=True) - logs
    shares = POWERS[np.minimum(below, DEEPEST << LOG_BITS)]
    codes = logs.shape[1]
    weights: NDArray[np.int64] = 1 + shares * ((1 << TOTAL_BITS) - codes) // shares.sum(axis=1, keepdims=True)
    excess = np.maximum(weights.max(axis=1) - (MOST_SURE << (TOTAL_BITS - 4)), 0)
    rows, top = np.arange(len(weights)), weights.argmax(axis=1)
    weights[rows, top] -= excess
    weights += -(-excess // codes)[:, None]
    return weights


def _powers() -> NDArray[np.int64]:
    """2^32 x 2^(-n/256), n from 0 to 20 x 256, rounded down; with integer roots, so the same everywhere."""
    roots, root = [], 2 << 60
    for _ in range(LOG_BITS):  # 2^60 x 2^(1/2), 2^(1/4), ...
        root = math.isqrt(root << 60)
        roots.append(root)
    fractions = []
    for n in range(1 << LOG_BITS):
        value = 1 << 60
        for bit, factor in enumerate(roots):
            if n >> (LOG_BITS - 1 - bit) & 1:
                value = value * factor >> 60
        fractions.append(value)  # 2^60 x 2^(n/256)
    powers = [(1 << 92) // fractions[n & 255] >> (n >> LOG_BITS) for n in range((DEEPEST << LOG_BITS) + 1)]
    return np.array(powers, np.int64)


POWERS = _powers()
