"""Rate: a request in bits per pixel -> which blocks are coarse, split or fine, and which codebooks they take.

One path of nested steps leads from the cheapest picture to the dearest:

    all coarse, K = 8 ... K = 1024     a block after another takes twice as many codewords (codec/books.py)
    all medium ... all fine            the densest blocks split, their densest quarters become fine

A request is met by the largest step that fits, whole file or slices, so a larger request never gives
a smaller file. Where nothing is to be seen least is spent: blocks of one colour split after all others, and
a picture of one colour takes the smallest codebook that shows it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.bitstream import overhead_bytes
from codec.books import blocks_before, book_of_block, rank_of_block
from codec.chain import Chain, SizeOf, bisect_fit, largest_fit
from codec.config import BLOCK, LEVELS, cells
from codec.entropy import CONTEXT, NEIGHBOURS, Tables
from codec.errors import RequestError
from codec.granularity_map import KINDS
from codec.interleave import partition
from codec.neighbour_sizes import NeighbourSizes
from codec.tokens import CUTS, Books, Tokens, from_dense

ALL_COARSE = (0.0, 0.0, 1.0)
KNOTS = np.array(
    [
        ALL_COARSE,
        (0.0, 0.85, 0.15),
        (0.1, 0.9, 0.0),
        (1.0, 0.0, 0.0),
    ]
)  # fine, medium, coarse: nearly all is medium before much is fine, which looks best at each rate (docs/decisions/0015)
FINEST = BLOCK // cells(LEVELS - 1)  # pixels a side of a fine token
NONE = np.zeros(0, np.int64)
SPLIT_STEPS = 4096  # at most, from all coarse to all fine: 0.00015 bpp each


class Packing(NamedTuple):
    """How tokens will be sent, and what of it a request weighs.

    Attributes:
        slices: Parts that decode alone.
        interleave: One of `interleave.METHODS`.
        entropy_model: One of `entropy.MODELS`.
        file: Weigh a whole .vqs file, and refuse what cannot be had; without it, the slices alone, and
            the nearest that can be had.
    """

    slices: int = 1
    interleave: str = "low_discrepancy"
    entropy_model: str = "static"
    file: bool = True


FILE = Packing()


class Densities(NamedTuple):
    """What decides where a picture is split.

    Attributes:
        block, quarter: [h, w] and [2h, 2w], in bits.
        flat: bool [h, w], blocks of one colour.
    """

    block: NDArray[np.float64]
    quarter: NDArray[np.float64]
    flat: NDArray[np.bool_]


class Candidates(NamedTuple):
    """All that may be sent of a picture; what is dear to make is asked for when it is needed.

    Attributes:
        coarse: Index maps [h, w] of the coarse books, book 0 (the full one) first.
        finer: Gives the index map of level 1, [2h, 2w], or 2, [4h, 4w]: it costs a search through a large map.
        densities: Gives these.
        flat: Whether the whole picture is of one colour.
        enough: For flat pictures: the book of fewest codewords that shows them as well as book 0.
    """

    coarse: Sequence[NDArray[np.int64]]
    finer: Callable[[int], NDArray[np.int64]]
    densities: Callable[[], Densities]
    flat: bool = False
    enough: int = 0


class Allocation(NamedTuple):
    """What is sent: levels of quarters, uint8 [2h, 2w], and the books of the coarse blocks."""

    quarters: NDArray[np.uint8]
    books: Books


def allocate_for_bpp(bpp: float, pixels: int, given: Candidates, packing: Packing, tables: Tables) -> Allocation:
    """The largest allocation whose coded size is at most `bpp` bits for each of `pixels` pixels.

    Raises:
        RequestError: If the request is no positive number, or a file of that size cannot be had; the
            nearest size that can is named then.
    """
    if not 0 < bpp < math.inf:
        raise RequestError("bpp", "must be a number above 0", bpp)
    if packing.entropy_model == CONTEXT:  # its sizes are known only once it is done, and those of static are the most
        packing = packing._replace(entropy_model="static")
    limit, start = bpp * pixels / 8, len(given.coarse) - 1
    sizes = _sizes(given, packing, tables)
    recoding = _recoded(given, packing, tables, sizes)
    last = (start - given.enough) * CUTS if given.flat else start * CUTS
    fits = recoding.size_of(last, limit) <= limit
    if given.flat or not fits:
        step = last if fits else recoding.fit(last, limit)
        if step is None and packing.file:
            raise _out_of_reach(bpp, math.ceil(8e4 * recoding.size_of(0, math.inf) / pixels) / 1e4, "the least")
        return recoding.allocation(step or 0)
    splitting = _split(given, packing, tables, sizes)
    if packing.file and bpp > math.log2(tables.codes) / FINEST**2:
        most = 8 * splitting.size_of(splitting.last, math.inf) / pixels
        if bpp > most:
            raise _out_of_reach(bpp, math.floor(1e4 * most) / 1e4, "the most")
    return splitting.allocation(splitting.fit(splitting.last, limit) or 0)


class Way(NamedTuple):
    """Nested ways to send a picture: the last step, what a step is and what it weighs, which of 0 to n best fits."""

    last: int
    allocation: Callable[[int], Allocation]
    size_of: SizeOf
    fit: Callable[[int, float], int | None]


def _sizes(given: Candidates, packing: Packing, tables: Tables) -> NeighbourSizes | None:
    """Sizes where the cost of a token depends on others."""
    if tables.on_the_wire(packing.entropy_model) != NEIGHBOURS:
        return None
    slices = _slice_of_block((given.coarse[0].shape[0], given.coarse[0].shape[1]), packing)
    return NeighbourSizes(tables.by_neighbours(), given.coarse, given.finer, slices, packing.slices)


def _recoded(given: Candidates, packing: Packing, tables: Tables, sizes: NeighbourSizes | None) -> Way:
    """All blocks coarse, from the smallest codebook to the full one."""
    start, shape = len(given.coarse) - 1, given.coarse[0].shape

    def allocation(step: int) -> Allocation:
        whole, cut = divmod(step, CUTS)
        return Allocation(np.zeros((2 * shape[0], 2 * shape[1]), np.uint8), Books(start - whole, cut))

    if sizes is not None:
        return _bisected(start * CUTS, allocation, packing, sizes)
    return _chained(_recoding(given, packing, tables), allocation, packing, start)


def _split(given: Candidates, packing: Packing, tables: Tables, sizes: NeighbourSizes | None) -> Way:
    """From all coarse to all fine."""
    shape, order = (2 * given.coarse[0].shape[0], 2 * given.coarse[0].shape[1]), _order(given.densities())
    step_of, last = _step_of(len(order)), min(len(order), SPLIT_STEPS)

    def allocation(step: int) -> Allocation:
        return Allocation(_upgraded(order[: np.searchsorted(step_of, step, side="right")], shape), Books())

    if sizes is not None:
        return _bisected(last, allocation, packing, sizes)
    return _chained(_splitting(given, packing, tables, order), allocation, packing, 0)


def tokens_of(
    coarse: Callable[[int], NDArray[np.int64]], finer: Sequence[NDArray[np.int64]], choice: Allocation
) -> Tokens:
    """The tokens of an allocation, from the index maps of the coarse books, by number, and of the finer levels."""
    grid = (choice.quarters.shape[0] // 2, choice.quarters.shape[1] // 2)
    book = book_of_block(grid, choice.books).reshape(grid)
    numbers = np.unique(book).tolist()
    chosen = np.select([book == number for number in numbers], [coarse(number) for number in numbers])
    return from_dense([chosen, *finer], choice.quarters, choice.books)


def _bisected(last: int, allocation: Callable[[int], Allocation], packing: Packing, sizes: NeighbourSizes) -> Way:
    """Where the cost of a token depends on others: a step is weighed whole, or until it is above the limit."""

    def size_of(step: int, limit: float) -> float:
        choice = allocation(step)
        payloads, cut = sizes.payloads(*choice, limit), np.array(choice.books.book > 0)
        if payloads is None:
            return math.inf
        return int(payloads.sum() + overhead_bytes(payloads, cut, packing.interleave, packing.file))

    return Way(last, allocation, size_of, lambda last, limit: bisect_fit(last, limit, size_of))


def _chained(chain: Chain, allocation: Callable[[int], Allocation], packing: Packing, start: int) -> Way:
    """Where it does not: many steps of a chain that begins with book `start` are weighed at once."""

    def weigh(steps: NDArray[np.int64]) -> NDArray[np.int64]:
        payloads = chain.payloads(steps)
        cut = (start - steps // CUTS > 0) & (start > 0)  # whether there is a cut to send
        overhead = overhead_bytes(payloads, cut, packing.interleave, packing.file)
        size: NDArray[np.int64] = payloads.sum(-1) + overhead
        return size

    def size_of(step: int, _: float) -> float:
        return int(weigh(np.full(1, step))[0])

    return Way(chain.last, allocation, size_of, lambda last, limit: largest_fit(last, limit, weigh))


def _out_of_reach(bpp: float, nearest: float, word: str) -> RequestError:
    rule = f"{word} that this picture can be had for is {nearest:.4f} bits per pixel"
    return RequestError("bpp", rule, bpp, f"Use bpp {nearest:.4f}")


def _slice_of_block(grid: tuple[int, int], packing: Packing) -> NDArray[np.int64]:
    number = np.empty(grid[0] * grid[1], np.int64)
    for index, blocks in enumerate(partition(grid, packing.slices, packing.interleave)):
        number[blocks] = index
    return number


def _state(slices: int, slice_of_block: NDArray[np.int64], cost: NDArray[np.int64]) -> NDArray[np.int64]:
    """All blocks coarse, at a cost int64 [blocks]."""
    state = np.zeros((slices, KINDS + 1), np.int64)
    state[:, 0] = np.bincount(slice_of_block, minlength=slices)
    state[:, KINDS] = np.bincount(slice_of_block, cost, slices)
    return state


def _recoding(given: Candidates, packing: Packing, tables: Tables) -> Chain:
    """From all blocks of the smallest codebook to all of the full one, in 255 steps from each to the next."""
    grid = (given.coarse[0].shape[0], given.coarse[0].shape[1])
    blocks, slices = grid[0] * grid[1], _slice_of_block(grid, packing)
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


def _splitting(given: Candidates, packing: Packing, tables: Tables, order: NDArray[np.int64]) -> Chain:
    """From all coarse to all fine, by the events of `_order`."""
    grid = (given.coarse[0].shape[0], given.coarse[0].shape[1])
    blocks, slices = grid[0] * grid[1], _slice_of_block(grid, packing)
    coarse = tables.cost(packing.entropy_model, 0)[given.coarse[0]].ravel()
    medium, fine = (
        _by_quarter(tables.cost(packing.entropy_model, level)[given.finer(level)], level) for level in (1, 2)
    )
    is_split = order < blocks
    block = np.where(is_split, order, (order - blocks) // 4)
    cost = np.concatenate([medium.sum(1) - coarse, (fine - medium).ravel()])[order]
    kind = 1 + _place_among(block)
    return Chain(
        last=min(len(order), SPLIT_STEPS),
        state=_state(packing.slices, slices, coarse),
        step=_step_of(len(order)),
        slice=slices[block],
        kind=np.stack([kind - 1, kind], axis=1),
        cost=cost,
        mixed=True,
    )


def ratios_at(way: float) -> tuple[float, float, float]:
    """(fine, medium, coarse) a share of the way from all coarse to all fine, in steps of equal area.

    >>> ratios_at(0.0), ratios_at(1.0)
    ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    """
    fine, medium, coarse = (float(np.interp(way * (len(KNOTS) - 1), np.arange(len(KNOTS)), share)) for share in KNOTS.T)
    return fine, medium, coarse


def _step_of(events: int) -> NDArray[np.int64]:
    """The step that each event of `_order` belongs to, 1 to at most 4096."""
    return 1 + np.arange(events) * min(events, SPLIT_STEPS) // max(1, events)


def _order(given: Densities) -> NDArray[np.int64]:
    """All events from all coarse to all fine in their order, those of flat blocks last; ties go by number.

    An event below the number of blocks splits that block; above, it makes the quarter fine that has
    the rest as its number (4 block + place).
    """
    flat = given.flat.ravel()
    blocks = len(flat)
    of_quarter = np.arange(4 * blocks) // 4
    end = len(KNOTS) - 1
    split_at = _when(given.block.ravel(), 1 - KNOTS[:-1, 2], np.arange(end))
    fine_at = _when(_by_quarter(given.quarter, 1).ravel(), KNOTS[1:, 0], np.arange(1, end + 1))
    time = np.concatenate([split_at, np.maximum(fine_at, split_at[of_quarter])])
    time += (end + 1) * np.concatenate([flat, flat[of_quarter]])
    return np.argsort(time, kind="stable")


def _when(density: NDArray[np.floating], share: NDArray[np.float64], time: NDArray[np.int64]) -> NDArray[np.float64]:
    """When the path of shares reaches each place, the densest first, float64 [n]."""
    when = np.empty(len(density))
    when[np.argsort(-density, kind="stable")] = np.interp((np.arange(len(density)) + 0.5) / len(density), share, time)
    return when


def _by_quarter(values: NDArray[Any], level: int) -> NDArray[Any]:
    """A map [h_l, w_l] of medium or fine tokens to the sums over quarters, [blocks, 4]."""
    side = 1 << (level - 1)
    rows, cols = values.shape[0] // side // 2, values.shape[1] // side // 2
    summed: NDArray[Any] = values.reshape(2 * rows, side, 2 * cols, side).sum((1, 3))
    return summed.reshape(rows, 2, cols, 2).transpose(0, 2, 1, 3).reshape(-1, 4)


def _place_among(block: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries before each are of the same block.

    >>> _place_among(np.array([5, 2, 5, 5, 2])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(block, kind="stable")
    ascending, place = block[order], np.empty(len(block), np.int64)
    place[order] = np.arange(len(block)) - np.searchsorted(ascending, ascending)
    return place


def _upgraded(events: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Levels of quarters, uint8 [2h, 2w], after these events."""
    blocks = shape[0] * shape[1] // 4
    quarters = np.zeros((blocks, 4), np.uint8)
    quarters[events[events < blocks]] = 1
    quarters.ravel()[events[events >= blocks] - blocks] = 2
    return quarters.reshape(shape[0] // 2, shape[1] // 2, 2, 2).transpose(0, 2, 1, 3).reshape(shape[0], shape[1])
