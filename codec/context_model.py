"""The entropy model `context`: what the masked transformer, asked over and over, says of the tokens of a slice.

    groups of tokens (codec/context_order.py), one after another:
      tokens coded so far + holes of the group -> predictor -> distribution of each hole --+
      histogram of this codebook (`static`) -----------------------------------------------+-> mixture -> integers
      tokens of this codebook so far, counted ---------------------------------------------+   (context_mixture.py)

After M2T (Mentzer et al., ICCV 2023, arXiv 2304.07313), where a masked transformer codes in a few fixed steps. All
but the tokens coded and those asked for is left out of the sequence, tokens of other slices too: a slice
decodes alone, early groups are cheap, and holes that nobody asks for only dilute attention.

Networks work in floating point, so both ends must be alike: single precision, one thread, the same shapes, always
on the CPU. Where they are not (another machine, another predictor), slices fail their checksum
(codec/slices.py); none decodes to wrong tokens.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec import checkpoint
from codec.codebook import SubCodebook
from codec.config import LEVELS
from codec.context_mixture import Mixture, experts
from codec.context_order import groups, tiles
from codec.entropy import quantize_rows
from codec.packing import look_up
from codec.parts import Known
from codec.predictor import Predictor
from codec.quadtree import CELLS, starts
from codec.tables import Tables
from codec.tokens import cell_at


class ContextModel:
    """A `codec.payload.Context`.

    Args:
        predictor: The masked transformer; copied if it is not on the CPU.
        codebook: float32 [L, K, D].
        coarse: Coarse codebooks of K/2, K/4, ... codewords.
        tables: Histograms of all of them.
    """

    def __init__(self, predictor: Predictor, codebook: Tensor, coarse: Sequence[SubCodebook], tables: Tables) -> None:
        on_cpu = codebook.device.type == "cpu"
        self._predictor = predictor if on_cpu else copy.deepcopy(predictor).cpu()
        self._codebook, self._tables = codebook.cpu(), tables
        self._coarse = [SubCodebook(*(part.cpu() for part in book)) for book in coarse]

    @cached_property
    def _keys(self) -> list[Tensor]:
        """Of each codebook, one by one as tokens are: a product of more rows may be summed up in another order."""
        with torch.no_grad(), one_thread():
            return [self._predictor.keys(codewords) for codewords in self._codebook]

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the predictor's weights, as stored."""
        return checkpoint.digest(checkpoint.packed(dict(self._predictor.state_dict())))

    def distributions(
        self, shape: Known, index: NDArray[np.int32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Token numbers [m] and their integer weights [m, K'] in turn; see `codec.payload.Context`."""
        start = shape.blocks[(own := starts(shape.level)) // CELLS] * CELLS + own % CELLS
        cells = cell_at(start, shape.level, shape.grid[1])
        mixtures, counted = [Mixture() for _ in range(LEVELS)], defaultdict[tuple[int, int], Any](int)
        for coded, asked in _in_turn(shape.level, *cells):
            hidden = self._hidden(shape, np.stack(cells, axis=1), index, coded, asked)
            for level, book in _codebooks(shape, asked):
                mine = (shape.level[asked] == level) & (shape.book[asked] == book)
                guess, static = self._guess(hidden[torch.from_numpy(mine)], level, book), self._static(level, book)
                said = experts(static, guess, counted[level, book])
                yield asked[mine], quantize_rows(mixtures[level].mix(said))
                found = index[asked[mine]]
                mixtures[level].learn(said[:, np.arange(len(found)), found])
                counted[level, book] += np.bincount(found, minlength=len(static))

    def _static(self, level: int, book: int) -> NDArray[np.float64]:
        weights = self._tables.coarse[book - 1] if book else self._tables.weights[level]
        share: NDArray[np.float64] = weights / weights.sum()
        return share

    @torch.no_grad()
    def _hidden(
        self,
        shape: Known,
        cells: NDArray[np.int64],
        index: NDArray[np.int32],
        coded: NDArray[np.int64],
        asked: NDArray[np.int64],
    ) -> Tensor:
        """What the predictor makes of the tokens asked for, given those coded: [asked, W]."""
        at = np.concatenate([coded, asked])
        known = np.arange(len(at)) < len(coded)
        level, book, found = (torch.from_numpy(a[at].astype(np.int64)) for a in (shape.level, shape.book, index))
        found[len(coded) :] = 0  # the encoder knows them; no network may
        place = torch.from_numpy(((cells[at] + 0.5) / (1 << shape.level[at])[:, None]).astype(np.float32))
        code = look_up(level, found, book, self._codebook, self._coarse)
        with one_thread():
            hidden: Tensor = self._predictor(code[None], torch.from_numpy(known)[None], level[None], place[None], None)
        return hidden[0, len(coded) :]

    @torch.no_grad()
    def _guess(self, hidden: Tensor, level: int, book: int) -> NDArray[np.float64]:
        """Distributions [M, K'] over the codewords of one codebook."""
        with one_thread():
            guess = self._predictor.logits(hidden, self._keys[level], level).double().softmax(-1)
            if book:  # a sub-codeword is as probable as its members together
                words, member = self._coarse[book - 1]
                guess = guess.new_zeros(len(guess), len(words)).index_add_(1, member, guess)
        return guess.numpy()


def _in_turn(
    level: NDArray[np.uint8], row: NDArray[np.int64], col: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Tokens of a tile coded so far, and those to be coded next: until all tiles are done."""
    for tile in tiles(row >> level, col >> level):
        coded = tile[:0]
        for group in groups(level[tile], row[tile], col[tile]):
            yield coded, tile[group]
            coded = np.concatenate([coded, tile[group]])


def _codebooks(shape: Known, asked: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Level and book of all codebooks that some tokens need, in ascending order."""
    pairs = np.unique(np.stack([shape.level[asked], shape.book[asked]]), axis=1)
    return [(int(level), int(book)) for level, book in pairs.T]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work in the caller's thread alone: the last bits of a sum depend on how many threads add it up."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
