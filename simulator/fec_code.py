"""The code behind parity: strings of bytes to parity strings, and missing ones back.

    q_j = sum over i of C[j][i] p_i, in GF(256), byte by byte

C is a Cauchy matrix whose columns are scaled so that row 0 is all ones: any k of the k + r strings
give all back (maximum distance separable, as every Reed-Solomon code), and q0 is plain XOR parity.
So the XOR code is the same code with r = 1, and one decoder serves both. Worked: of p0, p1, q0 with
p0 = 5, p1 = 3, q0 = 6, string p0 is lost; then p0 = q0 ^ p1 = 5.
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property

from simulator import fec_packet
from simulator.fec_packet import Content
from simulator.gf256 import ORDER, TIMES, cauchy, invert, multiply, solve
from simulator.packet import Packet
from simulator.scenario_protection import LARGEST_BLOCK

assert 2 * LARGEST_BLOCK <= ORDER + 1 and LARGEST_BLOCK <= fec_packet.MAX_SPAN, LARGEST_BLOCK


@cache  # at most 128 x 128 entries
def coefficient(row: int, column: int) -> int:
    """C[row][column]: a Cauchy element over that of row 0 in its column, so C[0] is all ones."""
    return multiply(cauchy(row, column), invert(cauchy(0, column)))


@cache  # at most 128 rows of references
def _tables(row: int) -> tuple[bytes, ...]:
    """By column, the table for bytes.translate that multiplies by C[row][column]."""
    return tuple(TIMES[coefficient(row, column)] for column in range(LARGEST_BLOCK))


def parity_of(symbols: Sequence[bytes], count: int) -> list[bytes]:
    """The parity of a block.

    Args:
        symbols: k byte strings, 1 <= k <= LARGEST_BLOCK; shorter ones count as padded with zeros.
        count: r, how many parity strings are wanted, at most LARGEST_BLOCK.

    Returns:
        r byte strings as long as the longest symbol.
    """
    length = max(map(len, symbols))
    return [_weighted_sum(symbols, row, range(len(symbols))).to_bytes(length, "little") for row in range(count)]


def _weighted_sum(symbols: Sequence[bytes], row: int, columns: Sequence[int]) -> int:
    """Sum of C[row][column] times symbol; as an integer in little-endian order, so padding is free."""
    tables, total = _tables(row), 0
    for column, data in zip(columns, symbols, strict=True):
        total ^= int.from_bytes(data.translate(tables[column]) if row else data, "little")
    return total


class Symbols:
    """What parity protects of the packets of a block, put together only when somebody asks.

    Attributes:
        length: Of the longest, in bytes.
    """

    def __init__(self, packets: Sequence[Packet]) -> None:
        self._packets = packets
        self.length = fec_packet.symbol_bytes(max([len(packet.payload) for packet in packets]))

    @cached_property
    def strings(self) -> list[bytes]:
        """By column."""
        return [fec_packet.symbol(packet) for packet in self._packets]


class Sum:
    """One parity string of a block, summed up when its bytes are needed: few parity packets find a hole to fill."""

    __slots__ = ("_row", "_symbols")

    def __init__(self, symbols: Symbols, row: int) -> None:
        self._symbols, self._row = symbols, row

    def __len__(self) -> int:
        return self._symbols.length

    def __bytes__(self) -> bytes:
        strings = self._symbols.strings
        return _weighted_sum(strings, self._row, range(len(strings))).to_bytes(len(self), "little")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes | Sum) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))


def rebuild(symbols: Mapping[int, bytes], parity: Mapping[int, Content], size: int) -> dict[int, bytes]:
    """The missing symbols of a block.

    Args:
        symbols: Those that are there, by column.
        parity: Those that are there, by row; at least as many as symbols are missing.
        size: k, symbols of the block.

    Returns:
        The missing ones by column, with zeros behind them up to the length of the parity.

    Raises:
        OverflowError: If a symbol is longer than the parity, so they are not of one block.
    """
    missing = [column for column in range(size) if column not in symbols]
    rows = sorted(parity)[: len(missing)]
    assert len(rows) == len(missing), (rows, missing)
    length = max(map(len, parity.values()), default=0)
    there, columns = list(symbols.values()), list(symbols)
    sums = [int.from_bytes(parity[row], "little") ^ _weighted_sum(there, row, columns) for row in rows]
    matrix = [[coefficient(row, column) for column in missing] for row in rows]
    found = solve(matrix, sums, length)
    return {column: value.to_bytes(length, "little") for column, value in zip(missing, found, strict=True)}
