"""Entropy coding: symbols <-> bytes. The one place that imports constriction.

    Tables         integer probabilities of the indices of each level, fixed when weights are exported
    SymbolWriter   range coder: arrays of symbols, each with its model -> bytes
    SymbolReader   the same way back

No float may decide a bit at one end only: probabilities are integers that sum to 2^20, exact in the
float32 table that constriction turns into its own 24-bit integers.
"""

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from codec.config import LEVELS
from codec.errors import BitstreamError, CheckpointError

MODELS = ("uniform", "static")  # an entropy model's number on the wire is its place here
TOTAL_BITS = 20
MAX_CODES_BITS = 15  # log2 K has four bits on the wire
WORD_BYTES = 4  # constriction's output comes in words of 32 bits
STATE_BYTES = 8  # and its interval is two words wide

_queue, _model = constriction.stream.queue, constriction.stream.model


def quantize(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Counts [K], all at least 1, to integer weights [K] that sum to 2^20, all at least 1.

    Each weight is 1 plus its share of the rest, rounded down; what is left goes to the largest
    remainders, ties to the lower index. In integers only, so it is the same everywhere.
    """
    wide = counts.astype(np.int64)
    rest = (1 << TOTAL_BITS) - len(wide)
    share, remainder = np.divmod(wide * rest, wide.sum())
    left = rest - int(share.sum())
    share[np.argsort(-remainder, kind="stable")[:left]] += 1
    weights: NDArray[np.int64] = share + 1
    return weights


def _categorical(weights: NDArray[np.int64]) -> Any:
    # perfect=False builds about 10 times faster; with it, sums of integers below 2^24 stay exact in float32.
    return _model.Categorical(weights.astype(np.float32), perfect=False)


def uniform(size: int) -> Any:
    """Model of a number in [0, size), for 2 <= size <= 2^24."""
    return _model.Uniform(size)


def bernoulli(ones: int, total: int) -> Any:
    """Model of symbols 0 and 1 of which `ones` in `total` are 1; 0 < ones < total <= 2^24."""
    return _categorical(np.array([total - ones, ones], np.int64))


class Tables:
    """Probabilities of the K indices of each level.

    Args:
        weights: int64 [L, K], rows made by `quantize`; K a power of two from 2 to 2^15.
    """

    def __init__(self, weights: NDArray[np.int64]) -> None:
        self.weights = weights
        self.codes = int(weights.shape[1])
        static = [_categorical(row) for row in weights]
        self._models: dict[str, Sequence[Any]] = {"uniform": [uniform(self.codes)] * LEVELS, "static": static}

    @classmethod
    def from_counts(cls, counts: NDArray[np.integer[Any]]) -> "Tables":
        """Tables from histograms, integers [L, K], as stored with the weights.

        Raises:
            CheckpointError: If K is no power of two, or a count is below 1 (that symbol could not be sent).
        """
        codes = counts.shape[-1]
        if counts.shape != (LEVELS, codes) or codes & (codes - 1) or not 2 <= codes <= 1 << MAX_CODES_BITS:
            raise CheckpointError("histogram", f"must be [{LEVELS}, K], K a power of two up to 2^15", counts.shape)
        if counts.min() < 1 or counts.max() >= 2**31:
            raise CheckpointError("histogram", "counts must be from 1 to 2^31 - 1", int(counts.min()))
        return cls(np.stack([quantize(row) for row in counts]))

    def model(self, entropy_model: str, level: int) -> Any:
        """The coder's model of indices of a level; `entropy_model` is one of `MODELS`."""
        return self._models[entropy_model][level]

    def cost_bits(self, entropy_model: str, level: int, index: NDArray[np.int32]) -> float:
        """Ideal size of indices of one level: an estimate, minus the sum of log2 of their probabilities."""
        if entropy_model == "uniform":
            return len(index) * float(np.log2(self.codes))
        return float(len(index) * TOTAL_BITS - np.log2(self.weights[level])[index].sum())

    def least_bits(self, entropy_model: str) -> float:
        """The least a block can cost: 1 coarse, 4 medium or 16 fine tokens of the likeliest indices."""
        if entropy_model == "uniform":
            return float(np.log2(self.codes))
        tokens = 4 ** np.arange(LEVELS)
        return float((tokens * (TOTAL_BITS - np.log2(self.weights.max(axis=1)))).min())


class SymbolWriter:
    """Collects symbols; `getvalue` gives the fewest bytes that decode to them."""

    def __init__(self) -> None:
        self._coder = _queue.RangeEncoder()

    def write(self, symbols: NDArray[np.int32] | int, model: Any) -> None:
        """Append symbols, int32 [n] or one int, all of one model."""
        self._coder.encode(symbols, model)

    def getvalue(self) -> bytes:
        """The bytes of all symbols so far.

        Any number in the coder's final interval [low, low + width) decodes to the same symbols. The
        coder's own choice V fills a whole word; here the number in it with the most zero bytes at its
        end is taken and these are dropped, for the reader puts them back. low follows from V and from
        the 64 bits of low that the coder shows, as V - low < 2^64, whatever carry is pending.

            low = 0x12_34_56_78, width = 0x00_02_00_00  ->  0x12_35_00_00  ->  bytes 12 35

        No more than the interval's own 8 bytes are dropped, so the size stays within 4 bytes below
        and 1 above the symbols' information, and a reader can tell a size that cannot be true.
        """
        words: NDArray[np.uint32] = self._coder.get_compressed()
        position, (low_64, width) = self._coder.pos()
        size: int = WORD_BYTES * position + STATE_BYTES
        value = int.from_bytes(words.astype(">u4").tobytes().ljust(size, b"\0"))
        low: int = value - ((value - low_64) & (2**64 - 1))
        for bits in range(8 * STATE_BYTES, -1, -8):
            rounded_up = -(-low >> bits) << bits
            if rounded_up < low + width:
                return rounded_up.to_bytes(size)[: size - bits // 8]
        raise AssertionError(f"empty interval: low {low}, width {width}")


class SymbolReader:
    """Reads what `SymbolWriter` wrote. Past the end it returns symbols without an error: check a CRC first."""

    def __init__(self, data: bytes) -> None:
        words = -(-len(data) // WORD_BYTES) + STATE_BYTES // WORD_BYTES
        padded = np.frombuffer(data.ljust(words * WORD_BYTES, b"\0"), ">u4")
        self._coder = _queue.RangeDecoder(padded.astype(np.uint32))

    def read(self, count: int, model: Any) -> NDArray[np.int32]:
        """The next `count` symbols of one model, int32 [count].

        Raises:
            BitstreamError: If no sequence of symbols has these bytes.
        """
        try:
            symbols: NDArray[np.int32] = self._coder.decode(model, count)
        except AssertionError as error:  # constriction's way to say so
            raise BitstreamError("payload", "bytes that no symbols have") from error
        return symbols
