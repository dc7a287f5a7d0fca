"""Traces of a bandwidth made faster or slower: the same ups and downs at another mean rate."""

from collections.abc import Sequence

from simulator.units import MS_NS, SECOND_NS, bits

OPPORTUNITY_BYTES = 1500  # a full packet; Mahimahi's code says 1504, of which 4 are its tunnel's own


def length_ns(rows: Sequence[tuple[int, int]]) -> int:
    """From 0 to the end of the last row, which lasts as long as the one before it; 0 for a single row."""
    return 2 * rows[-1][0] - rows[-2][0] if len(rows) > 1 else 0


def scale_rows(rows: Sequence[tuple[int, int]], mean_bps: int) -> list[tuple[int, int]]:
    """Rows (ns, bit/s) times a constant, so that their mean over `length_ns` is the one wanted.

    The first row holds also before its time, as in `Steps`.

    >>> scale_rows([(0, 100), (10, 300)], 1000)
    [(0, 500), (10, 1500)]
    """
    end_ns = length_ns(rows) or 1
    starts = [0, *(start_ns for start_ns, _ in rows[1:]), end_ns]
    carried = sum(rate * (starts[i + 1] - starts[i]) for i, (_, rate) in enumerate(rows))
    return [(start_ns, round(rate * mean_bps * end_ns / carried)) for start_ns, rate in rows]


def scale_stamps(stamps_ms: Sequence[int], mean_bps: int) -> list[int]:
    """Opportunities of Mahimahi, fewer or more of them, so that their mean is the one wanted.

    The k-th of them comes when the trace has carried the k-th equal part of all it carries. So the length
    stays, and the mean is right to within one opportunity a length.

    >>> scale_stamps([1, 2, 3, 4, 8, 12], 3_000_000)
    [3, 8, 12]
    """
    wanted = mean_bps * stamps_ms[-1] * MS_NS / (bits(OPPORTUNITY_BYTES) * SECOND_NS)
    count, total = max(round(wanted), 1), len(stamps_ms)
    return [stamps_ms[-(-number * total // count) - 1] for number in range(1, count + 1)]
