"""Tables: integer probabilities of the indices of each codebook, fixed when weights are exported."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.entropy import (
    CONTEXT,
    LEAST_BITS,
    NEIGHBOURS,
    UNIT_BITS,
    categorical,
    cost_of,
    quantize,
    uniform,
)
from codec.errors import BitstreamError, CheckpointError
from codec.neighbour_tables import NeighbourTables

MAX_CODES_BITS = 15  # log2 K has four bits on the wire
NOTHING = np.zeros(0, np.int64)


class Tables:
    """Probabilities of the indices of each codebook.

    Args:
        weights: int64 [L, K], rows made by `quantize`; K a power of two from 2 to 2^15.
        coarse: The same for the coarse codebooks of K/2, K/4, ... codewords.
        neighbours: Tables by neighbours, if the weights have them.
    """

    def __init__(
        self,
        weights: NDArray[np.int64],
        coarse: Sequence[NDArray[np.int64]] = (),
        neighbours: NeighbourTables | None = None,
    ) -> None:
        self.weights, self.coarse, self.neighbours = weights, tuple(coarse), neighbours
        self.codes = int(weights.shape[1])
        self.books = 1 + len(self.coarse)
        self._models: dict[tuple[str, int, int], Any] = {}
        self._costs: dict[tuple[str, int, int], NDArray[np.int64]] = {}
        for level, book in [(level, 0) for level in range(LEVELS)] + [(0, book) for book in range(1, self.books)]:
            row = weights[level] if book == 0 else self.coarse[book - 1]
            for name, of_name in (("uniform", np.ones_like(row)), ("static", row)):
                model = uniform(len(row)) if name == "uniform" else categorical(row)
                self._models[name, level, book], self._costs[name, level, book] = model, cost_of(of_name)

    @classmethod
    def from_counts(
        cls,
        counts: NDArray[np.integer[Any]],
        coarse: NDArray[np.integer[Any]] = NOTHING,
        neighbours: NeighbourTables | None = None,
    ) -> "Tables":
        """Tables from histograms as stored with the weights.

        Args:
            counts: Integers [L, K].
            coarse: Integers of the coarse codebooks of K/2, K/4, ... codewords, one after another.
            neighbours: Tables by neighbours.

        Raises:
            CheckpointError: If K is no power of two, the coarse ones are no such row, or a count is below 1
                (that symbol could not be sent).
        """
        codes = counts.shape[-1]
        if counts.shape != (LEVELS, codes) or codes & (codes - 1) or not 2 <= codes <= 1 << MAX_CODES_BITS:
            raise CheckpointError("histogram", f"must be [{LEVELS}, K], K a power of two up to 2^15", counts.shape)
        rows, rest = [], coarse
        while len(rest):
            codes //= 2
            if not 2 <= codes <= len(rest):
                raise CheckpointError("coarse_histogram", "must be of K/2 + K/4 + ... codewords", len(coarse))
            rows.append(rest[:codes])
            rest = rest[codes:]
        for row in (*counts, *rows):
            if row.min() < 1 or row.max() >= 2**31:
                raise CheckpointError("histogram", "counts must be from 1 to 2^31 - 1", int(row.min()))
        return cls(np.stack([quantize(row) for row in counts]), [quantize(row) for row in rows], neighbours)

    def on_the_wire(self, entropy_model: str) -> str:
        """What a request comes to with these tables: `static` is the best that they have."""
        return NEIGHBOURS if entropy_model == "static" and self.neighbours is not None else entropy_model

    def by_neighbours(self) -> NeighbourTables:
        """The tables by neighbours.

        Raises:
            BitstreamError: If these weights have none.
        """
        if self.neighbours is None:
            rule = "coded with tables by neighbours, which these weights do not have"
            raise BitstreamError("payload", rule, "", "Use the weights it was made with")
        return self.neighbours

    def model(self, entropy_model: str, level: int, book: int = 0) -> Any:
        """The coder's model of indices of a level, of a book if coarse; `entropy_model` is one of `TABLED`."""
        return self._models[entropy_model, level, book]

    def cost(self, entropy_model: str, level: int, book: int = 0) -> NDArray[np.int64]:
        """Cost of each index in units of 2^-16 bits, int64 [K >> book]."""
        return self._costs[entropy_model, level, book]

    def cost_bits(self, entropy_model: str, level: int, index: NDArray[np.int32], book: int = 0) -> float:
        """Ideal size of indices of one codebook: an estimate, minus the sum of log2 of their probabilities."""
        return int(self.cost(entropy_model, level, book)[index].sum()) / (1 << UNIT_BITS)

    def least_bits(self, entropy_model: str, books: Collection[int] = (0,)) -> float:
        """The least a block can cost: 1 coarse, 4 medium or 16 fine tokens of the likeliest indices."""
        if entropy_model in (CONTEXT, NEIGHBOURS):
            return LEAST_BITS
        split = [4**level * int(self.cost(entropy_model, level).min()) for level in range(1, LEVELS)]
        coarse = [int(self.cost(entropy_model, 0, book).min()) for book in books]
        least: int = min(split + coarse)
        return least / (1 << UNIT_BITS)
