"""Entropy coding: symbols <-> bytes. The one place that imports constriction.

    SymbolWriter   range coder: arrays of symbols, each with its model -> bytes
    SymbolReader   the same way back

No float may decide a bit at one end only: probabilities are integers that sum to 2^20, exact in the
float32 table that constriction turns into its own 24-bit integers.

Costs are integers too, in units of 2^-16 bits and rounded up, so that the size of a payload follows
from counting symbols: `size_bytes`.
"""

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from codec.errors import BitstreamError

TABLED = ("uniform", "static")  # models whose costs are known before anything is coded
CONTEXT = "context"  # a distribution for each token: codec/context_model.py
MODELS = (*TABLED, CONTEXT)  # what may be asked for
NEIGHBOURS = "neighbours"  # static too, a table for each class of neighbours: codec/neighbour_tables.py
WIRE = {"uniform": 0, "static": 1, CONTEXT: 2, NEIGHBOURS: 3}  # numbers in a stream
LEAST_BITS = 0.04  # no table by neighbours, and no distribution of `context`, has an index that costs less
TOTAL_BITS = 20
MOST_SURE = 15 / 16  # no token of `context` is taken for surer
WORD_BYTES = 4  # constriction's output comes in words of 32 bits
STATE_BYTES = 8  # and its interval is two words wide
SPAN = 1 << 24  # the coder's unit of probability is 1 / SPAN
UNIT_BITS = 16  # a cost of 2^16 is one bit

_queue, _model = constriction.stream.queue, constriction.stream.model
ROWS = _model.Categorical(perfect=False)  # see `categorical`; a row of weights for each symbol


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


def quantize_rows(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Distributions [M, K] to integer weights [M, K], all at least 1, of a sum of at most 2^20 each.

    What a token has above 15/16 is spread over all, so that none costs less than 0.04 bits (K >= 2): a
    slice cannot declare more tokens than so many bits can be.
    """
    rows, codes = np.arange(len(probabilities)), probabilities.shape[1]
    top = probabilities.argmax(axis=1)
    excess = np.maximum(probabilities[rows, top] - MOST_SURE, 0)
    spread = probabilities + (excess / codes)[:, None]
    spread[rows, top] -= excess
    weights: NDArray[np.int64] = 1 + (spread * ((1 << TOTAL_BITS) - codes)).astype(np.int64)
    return weights


def cost_of(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cost of each symbol of a model in units of 2^-16 bits, for integer weights [K]; 0 for weight 0."""
    bits = np.log2(weights.sum()) - np.log2(np.maximum(weights, 1))
    return np.where(weights > 0, np.ceil(bits * (1 << UNIT_BITS)), 0).astype(np.int64)


def size_bytes(cost: NDArray[np.int64], symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of so many symbols of that cost in all; both of one shape.

    The coder's truncations cost 1.4e-4 bits a symbol on average, at most 2^-8 where a word ends; an
    eighth of a bit and 2^-10 bits a symbol are set aside for them.
    """
    total = cost + (symbols << (UNIT_BITS - 10)) + (1 << (UNIT_BITS - 3))
    return np.where(symbols > 0, -(-total >> (UNIT_BITS + 3)), 0)


def categorical(weights: NDArray[np.int64]) -> Any:
    """Model of symbols with probabilities in proportion to integer weights [n], their sum at most 2^24."""
    # perfect=False builds about 10 times faster; with it, sums of integers below 2^24 stay exact in float32.
    return _model.Categorical(weights.astype(np.float32), perfect=False)


def uniform(size: int) -> Any:
    """Model of a number in [0, size), for 2 <= size <= 2^24."""
    return _model.Uniform(size)


def spans(
    symbols: NDArray[np.int32],
    codes: NDArray[np.int32],
    below: NDArray[np.int32],
    upto: NDArray[np.int32],
    total: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Symbols, each of a model of its own, for `write_spans`: the bytes that `write` gives with `categorical`.

    In the coder's models symbol s of K has the share from floor(below (2^24 - K) / total) + s on, of 2^24, in
    single precision. Here each has a model of three symbols, with the same share for one of them: what comes
    before it, itself, what comes after it (if it is the first, or the last, it takes that place).

    Args:
        symbols: int32 [m].
        codes: int32 [m], K of each model.
        below: int32 [m], sum of the integer weights before the symbol.
        upto: int32 [m], the same with its own.
        total: int32 [m], of all weights.

    Returns:
        Which of the three each symbol is, int32 [m], and the models, float32 [m, 3].
    """
    scale = (SPAN - codes).astype(np.float32) / total.astype(np.float32)
    start = (below.astype(np.float32) * scale).astype(np.int32) + symbols
    end = (upto.astype(np.float32) * scale).astype(np.int32) + symbols + 1
    first, last = symbols == 0, symbols == codes - 1
    models = np.empty((len(symbols), 3), np.float32)
    models[:, 0] = before = np.where(first, end, start) - 1 - last
    models[:, 1] = own = np.where(first | last, 0, end - start - 1)
    models[:, 2] = SPAN - 3 - before - own
    return last.astype(np.int32) - first + 1, models


class SymbolWriter:
    """Collects symbols; `getvalue` gives the fewest bytes that decode to them."""

    def __init__(self) -> None:
        self._coder = _queue.RangeEncoder()

    def write(self, symbols: NDArray[np.int32] | int, model: Any) -> None:
        """Append symbols, int32 [n] or one int, all of one model."""
        self._coder.encode(symbols, model)

    def write_rows(self, symbols: NDArray[np.int32], weights: NDArray[np.int64]) -> None:
        """Append symbols [M], each with integer weights of its own, [M, K]."""
        self._coder.encode(symbols, ROWS, weights.astype(np.float32))

    def write_spans(self, symbols: NDArray[np.int32], models: NDArray[np.float32]) -> None:
        """Append what `spans` gives."""
        self._coder.encode(symbols, ROWS, models)

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
        return self._decode(model, count)

    def read_runs(self, counts: Sequence[int], models: Sequence[Any]) -> NDArray[np.int32]:
        """The next symbols, so many of each model, at least one in all.

        Raises:
            BitstreamError: If no sequence of symbols has these bytes.
        """
        decode = self._decode
        return np.concatenate([decode(model, count) for count, model in zip(counts, models, strict=True)])

    def read_each(self, models: Sequence[Any]) -> list[int]:
        """The next symbols, one of each model.

        Raises:
            BitstreamError: If no sequence of symbols has these bytes.
        """
        decode = self._coder.decode
        try:
            return [decode(model) for model in models]
        except AssertionError as error:
            raise _no_symbols() from error

    def read_rows(self, weights: NDArray[np.int64]) -> NDArray[np.int32]:
        """The next symbols, int32 [M], each with integer weights of its own, [M, K].

        Raises:
            BitstreamError: If no symbols have these bytes.
        """
        return self._decode(ROWS, weights.astype(np.float32))

    def _decode(self, *request: Any) -> NDArray[np.int32]:
        try:
            symbols: NDArray[np.int32] = self._coder.decode(*request)
        except AssertionError as error:
            raise _no_symbols() from error
        return symbols


def _no_symbols() -> BitstreamError:
    """What constriction says with an AssertionError."""
    return BitstreamError("payload", "bytes that no symbols have")
