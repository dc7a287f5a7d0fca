"""Named streams of chance: one generator per purpose, so streams never disturb each other.

A run has one seed. Each model that draws gets its own generator, made from (seed, purpose); adding
a jitter draw, or a whole new model, leaves the losses of seed 7 as they were.
"""

import hashlib
import struct
from collections.abc import Callable, Generator
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # values drawn at once: more gains no speed


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The generator of one purpose.

    Args:
        seed: The run's seed, >= 0.
        purpose: Any name; equal names give equal streams, different names independent ones.
    """
    words = struct.unpack(">8I", hashlib.sha256(purpose.encode()).digest())
    # spawn_key keeps seed and purpose apart however many words the seed has; PCG64 is named, since
    # numpy may change what default_rng means
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))


class Draws:
    """Scalars from a generator, drawn in blocks; the sequence does not depend on the block size.

    A model uses either `uniform`, or `one` and `block`.

    Attributes:
        uniform: Draws one number from [0, 1).
        one: The same, without looking ahead.
        block: Draws a whole block of them.
    """

    __slots__ = ("block", "one", "uniform")

    uniform: Callable[[], float]
    one: Callable[[], float]
    block: Callable[[], NDArray[np.float64]]

    def __init__(self, generator: np.random.Generator, block: int = BLOCK) -> None:
        self.one = generator.random
        self.block = lambda: generator.random(block)
        self.uniform = one_by_one(self.block)


def one_by_one(draw_block: Callable[[], NDArray[Any]]) -> Callable[[], Any]:
    """A function that gives the next value of a block as a plain number, then of the next block.

    About 30 ns a value, where a call of the generator takes 500: the chain of lists runs in C.

    >>> tell = one_by_one(lambda: np.arange(2))
    >>> [tell() for _ in range(3)]
    [0, 1, 0]
    """
    blocks = (draw_block().tolist() for _ in repeat(None))
    return chain.from_iterable(blocks).__next__


def answers(draw_block: Callable[[], NDArray[Any]]) -> Callable[[int], Any]:
    """Like `one_by_one`, as a function of a time that it does not look at.

    Sending to a generator is quicker than calling a method that calls `one_by_one`'s function.
    """

    def drawn() -> Generator[Any, int, None]:
        yield None  # nobody asked yet
        while True:
            for value in draw_block().tolist():  # noqa: UP028  # a list cannot be sent to
                yield value

    generator = drawn()
    next(generator)
    return generator.send
