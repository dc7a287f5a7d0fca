import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.gf256 import POLYNOMIAL, TIMES, cauchy, invert, multiply, scale, solve

element = st.integers(0, 255)


def product_by_hand(a, b):
    """Shift and add, the definition of the field."""
    total = 0
    while b:
        total ^= a * (b & 1)
        a, b = a << 1, b >> 1
        a ^= POLYNOMIAL * (a > 255)
    return total


def test_products_are_those_of_the_definition():
    assert all(multiply(a, b) == product_by_hand(a, b) == TIMES[a][b] for a in range(256) for b in range(0, 256, 7))


@given(element, element, element)
@settings(deadline=None)
def test_products_distribute_over_sums(a, b, c):
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)


def test_every_element_but_0_has_an_inverse():
    assert all(multiply(a, invert(a)) == 1 for a in range(1, 256))
    with pytest.raises(ZeroDivisionError, match="0 has no inverse"):
        invert(0)


def test_a_number_is_scaled_byte_by_byte():
    assert scale(2, int.from_bytes(b"\x01\x80\x00", "little"), 3).to_bytes(3, "little") == b"\x02\x1d\x00"


@given(st.integers(1, 6), st.data())
@settings(deadline=None)
def test_a_system_of_cauchy_elements_is_solved(size, data):
    matrix = [[cauchy(row, column) for column in range(size)] for row in range(size)]
    truth = [data.draw(st.integers(0, 2**32 - 1)) for _ in range(size)]
    right = []
    for row in matrix:
        total = 0
        for factor, value in zip(row, truth, strict=True):
            total ^= scale(factor, value, 4)
        right.append(total)
    assert solve(matrix, right, 4) == truth
