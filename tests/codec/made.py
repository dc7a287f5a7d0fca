"""Made-up tokens and tables: what the bitstream tests feed, without weights."""

import numpy as np
from hypothesis import strategies as st

from codec.books import book_of_block
from codec.codebook import smaller_sizes
from codec.neighbour_tables import NeighbourTables, NeighbourWeights
from codec.tables import Tables
from codec.tokens import FULL, Books, Tokens, from_dense

CODES = 64
HASH = bytes(range(32))
OTHER_HASH = bytes(range(1, 33))


def skewed_tables(codes: int = CODES, seed: int = 0) -> Tables:
    """Tables of histograms as uneven as real ones."""
    rng = np.random.default_rng(seed)
    counts = (rng.pareto(1.2, (3, codes)) * 50 + 1).astype(np.int64)
    coarse = [counts[0].reshape(codes >> book, -1).sum(1) for book in range(1, codes.bit_length() - 3)]
    return Tables.from_counts(counts, np.concatenate(coarse))


TABLES = skewed_tables()


def random_quarters(grid: tuple[int, int], split: float, fine: float, rng: np.random.Generator) -> np.ndarray:
    """Levels of quarters: blocks split and quarters fine with these probabilities."""
    is_split = np.kron(rng.random(grid) < split, np.ones((2, 2), bool))
    return (is_split * (1 + (rng.random(is_split.shape) < fine))).astype(np.uint8)


def random_tokens(
    grid: tuple[int, int],
    split: float = 0.5,
    fine: float = 0.3,
    seed: int = 0,
    tables: Tables = TABLES,
    books: Books = FULL,
) -> Tokens:
    """Tokens of a mixed picture, indices drawn as the tables say."""
    rng = np.random.default_rng(seed)
    index = [
        rng.choice(tables.codes, (grid[0] << level, grid[1] << level), p=row / row.sum())
        for level, row in enumerate(tables.weights)
    ]
    index[0] >>= book_of_block(grid, books).reshape(grid)  # the coarse tables above sum neighbouring counts
    return from_dense(index, random_quarters(grid, split, fine, rng), books)


shares = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
grids = st.tuples(st.integers(1, 7), st.integers(1, 7))
any_books = st.builds(lambda book, cut: Books(book, cut if book else 0), st.integers(0, 3), st.integers(0, 254))
any_tokens = st.builds(random_tokens, grids, shares, shares, st.integers(0, 2**20), books=any_books)


def neighbour_weights(codes: int = CODES, seed: int = 0) -> NeighbourWeights:
    """Integers that make every class a table of its own."""
    rng, smaller = np.random.default_rng(seed), sum(smaller_sizes(codes))
    return NeighbourWeights(
        rng.integers(-50, 51, (6 * codes + 3 * smaller, 4)).astype(np.int8),
        rng.integers(-3000, 3000, (3, 3, 8, 5)).astype(np.int32),
        rng.integers(-1000, 1000, (9, smaller + 3 * codes)).astype(np.int16),
    )


def with_neighbours(tables: Tables) -> Tables:
    """The same tables, and some by neighbours."""
    by_neighbours = NeighbourTables(neighbour_weights(tables.codes), tables.codes, smaller_sizes(tables.codes))
    return Tables(tables.weights, tables.coarse, by_neighbours)


NEAR = with_neighbours(TABLES)
