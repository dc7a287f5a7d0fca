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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from codec.books import book_of_block
from codec.chain import Chain, SizeOf, bisect_fit, largest_fit
from codec.config import BLOCK, LEVELS, cells
from codec.entropy import CONTEXT, NEIGHBOURS
from codec.errors import RequestError
from codec.neighbour_sizes import NeighbourSizes
from codec.rate_chains import recoding_chain, slice_of_block, splitting_chain
from codec.rate_path import SPLIT_STEPS, order_of, step_of, upgraded
from codec.rate_request import Allocation, Candidates, Packing
from codec.tables import Tables
from codec.tokens import CUTS, Books, Tokens, from_dense
from codec.vqs import overhead_bytes

FINEST = BLOCK // cells(LEVELS - 1)  # pixels a side of a fine token


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
    slices = slice_of_block((given.coarse[0].shape[0], given.coarse[0].shape[1]), packing)
    return NeighbourSizes(tables.by_neighbours(), given.coarse, given.finer, slices, packing.slices)


def _recoded(given: Candidates, packing: Packing, tables: Tables, sizes: NeighbourSizes | None) -> Way:
    """All blocks coarse, from the smallest codebook to the full one."""
    start, shape = len(given.coarse) - 1, given.coarse[0].shape

    def allocation(step: int) -> Allocation:
        whole, cut = divmod(step, CUTS)
        return Allocation(np.zeros((2 * shape[0], 2 * shape[1]), np.uint8), Books(start - whole, cut))

    if sizes is not None:
        return _bisected(start * CUTS, allocation, packing, sizes)
    return _chained(recoding_chain(given, packing, tables), allocation, packing, start)


def _split(given: Candidates, packing: Packing, tables: Tables, sizes: NeighbourSizes | None) -> Way:
    """From all coarse to all fine."""
    shape, order = (2 * given.coarse[0].shape[0], 2 * given.coarse[0].shape[1]), order_of(given.densities())
    step_of_event, last = step_of(len(order)), min(len(order), SPLIT_STEPS)

    def allocation(step: int) -> Allocation:
        return Allocation(upgraded(order[: np.searchsorted(step_of_event, step, side="right")], shape), Books())

    if sizes is not None:
        return _bisected(last, allocation, packing, sizes)
    return _chained(splitting_chain(given, packing, tables, order), allocation, packing, 0)


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
