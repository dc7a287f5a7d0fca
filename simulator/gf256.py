"""GF(256), as far as erasure codes need it: bytes times a constant, sums, and small matrices.

A polynomial over GF(2) of degree below 8 is a byte. Sums are XOR. Products are taken modulo
x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the polynomial of most Reed-Solomon codes over bytes, whose root
x generates all 255 elements that are not 0 (Plank, "A Tutorial on Reed-Solomon Coding for
Fault-Tolerance in RAID-like Systems", 1997, section 6).

Bytes times a constant is `bytes.translate` with a table of 256 entries, and a sum of byte strings
is XOR of long integers: both run in C, about 1 ns a byte.
"""

from collections.abc import Sequence

POLYNOMIAL = 0x11D
ORDER = 255  # elements that are not 0


def _powers() -> tuple[list[int], list[int]]:
    """x^i for i below 2 * 255 (so sums of two logarithms need no modulo), and the logarithms."""
    power, log, value = [0] * (2 * ORDER), [0] * 256, 1
    for exponent in range(ORDER):
        power[exponent] = power[exponent + ORDER] = value
        log[value] = exponent
        value <<= 1
        value ^= POLYNOMIAL * (value > 255)
    return power, log


POWER, LOG = _powers()


def multiply(a: int, b: int) -> int:
    """Product of two elements.

    >>> multiply(2, 0x80), multiply(7, 0), multiply(7, invert(7))
    (29, 0, 1)
    """
    return POWER[LOG[a] + LOG[b]] if a and b else 0


def invert(a: int) -> int:
    """The element whose product with `a` is 1.

    Raises:
        ZeroDivisionError: If `a` is 0.
    """
    if a == 0:
        raise ZeroDivisionError("0 has no inverse")
    return POWER[ORDER - LOG[a]]


# TIMES[c] is a table for bytes.translate: byte b becomes c times b
TIMES = [bytes(multiply(constant, byte) for byte in range(256)) for constant in range(256)]


def cauchy(row: int, column: int) -> int:
    """Element of the matrix 1 / (x_row + y_column), with x = 255, 254, ... and y = 0, 1, ...

    Any square part of a Cauchy matrix can be inverted (Bloemer et al., "An XOR-Based
    Erasure-Resilient Coding Scheme", 1995), so any k of n packets are enough. All x and y must
    differ: rows + columns <= 256.
    """
    return invert((ORDER - row) ^ column)


def solve(matrix: Sequence[Sequence[int]], right: Sequence[int], length: int) -> list[int]:
    """Unknown byte strings u with matrix * u = right, by Gauss-Jordan elimination.

    Args:
        matrix: Elements [n][n], invertible.
        right: n byte strings of `length` bytes, each as an integer in little-endian order.
        length: Of the strings, in bytes.

    Returns:
        The n unknown strings as integers of the same kind.
    """
    rows = [list(row) for row in matrix]
    sums = list(right)
    for pivot in range(len(rows)):
        chosen = next(row for row in range(pivot, len(rows)) if rows[row][pivot])
        rows[pivot], rows[chosen] = rows[chosen], rows[pivot]
        sums[pivot], sums[chosen] = sums[chosen], sums[pivot]
        factor = invert(rows[pivot][pivot])
        rows[pivot] = [multiply(factor, value) for value in rows[pivot]]
        sums[pivot] = scale(factor, sums[pivot], length)
        for other in range(len(rows)):
            factor = rows[other][pivot]
            if other != pivot and factor:
                rows[other] = [a ^ multiply(factor, b) for a, b in zip(rows[other], rows[pivot], strict=True)]
                sums[other] ^= scale(factor, sums[pivot], length)
    return sums


def scale(factor: int, value: int, length: int) -> int:
    """A byte string, as an integer in little-endian order, times a constant."""
    return int.from_bytes(value.to_bytes(length, "little").translate(TIMES[factor]), "little")
