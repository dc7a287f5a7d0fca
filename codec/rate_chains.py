"""The two chains of a picture whose tokens cost the same whatever stands beside them."""

import numpy as np
from numpy.typing import NDArray

from codec.books import blocks_before, rank_of_block
from codec.chain import Chain
from codec.granularity_map import KINDS
from codec.interleave import partition
from codec.rate_path import SPLIT_STEPS, by_quarter, step_of
from codec.rate_request import Candidates, Packing
from codec.tables import Tables
from codec.tokens import CUTS

NONE = np.zeros(0, np.int64)


def recoding_chain(given: Candidates, packing: Packing, tables: Tables) -> Chain:
    """From all blocks of the smallest codebook to all of the full one, in 255 steps from each to the next."""
    grid = (given.coarse[0].shape[0], given.coarse[0].shape[1])
    blocks, slices = grid[0] * grid[1], slice_of_block(grid, packing)
    cost = [tables.cost(packing.entropy_model, 0, book)[index].ravel() for book, index in enumerate(given.coarse)]
    order = np.argsort(rank_of_block(grid))
    upto = np.array([blocks_before(cut, blocks) for cut in range(CUTS + 1)])
    cuts = np.searchsorted(upto, np.arange(1, blocks + 1))  # the first cut that takes each block of the order
    start = len(cost) - 1
    deltas = [(cost[book - 1] - cost[book])[order] for book in range(start, 0, -1)]
    return Chain(
        last=start * CUTS,
        state=_state(packing.slices, slices, cost[start]),
        step=np.concatenate([NONE, *(number * CUTS + cuts for number in range(start))]),
        slice=np.tile(slices[order], start),
        kind=np.zeros((start * blocks, 2), np.int64),
        cost=np.concatenate([NONE, *deltas]),
        mixed=False,
    )


def splitting_chain(given: Candidates, packing: Packing, tables: Tables, order: NDArray[np.int64]) -> Chain:
    """From all coarse to all fine, by the events of `order_of`."""
    grid = (given.coarse[0].shape[0], given.coarse[0].shape[1])
    blocks, slices = grid[0] * grid[1], slice_of_block(grid, packing)
    coarse = tables.cost(packing.entropy_model, 0)[given.coarse[0]].ravel()
    medium, fine = (
        by_quarter(tables.cost(packing.entropy_model, level)[given.finer(level)], level) for level in (1, 2)
    )
    is_split = order < blocks
    block = np.where(is_split, order, (order - blocks) // 4)
    cost = np.concatenate([medium.sum(1) - coarse, (fine - medium).ravel()])[order]
    kind = 1 + _place_among(block)
    return Chain(
        last=min(len(order), SPLIT_STEPS),
        state=_state(packing.slices, slices, coarse),
        step=step_of(len(order)),
        slice=slices[block],
        kind=np.stack([kind - 1, kind], axis=1),
        cost=cost,
        mixed=True,
    )


def slice_of_block(grid: tuple[int, int], packing: Packing) -> NDArray[np.int64]:
    """The slice that each block travels in, int64 [h*w]."""
    number = np.empty(grid[0] * grid[1], np.int64)
    for index, blocks in enumerate(partition(grid, packing.slices, packing.interleave)):
        number[blocks] = index
    return number


def _state(slices: int, number: NDArray[np.int64], cost: NDArray[np.int64]) -> NDArray[np.int64]:
    """All blocks coarse: the slice of each, int64 [blocks], and what it costs."""
    state = np.zeros((slices, KINDS + 1), np.int64)
    state[:, 0] = np.bincount(number, minlength=slices)
    state[:, KINDS] = np.bincount(number, cost, slices)
    return state


def _place_among(block: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries before each are of the same block.

    >>> _place_among(np.array([5, 2, 5, 5, 2])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(block, kind="stable")
    ascending, place = block[order], np.empty(len(block), np.int64)
    place[order] = np.arange(len(block)) - np.searchsorted(ascending, ascending)
    return place
