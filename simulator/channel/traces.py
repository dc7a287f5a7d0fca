"""Readers of recorded losses, delays and rates; an error names the file, the line and the rule.

    losses      0 and 1, one a packet; spaces and line ends do not matter
    loss rows   "seconds share" a line, or one share a bin (the layout of roc-streaming's measurements)
    rate rows   "seconds Mbit/s" a line (Pensieve's: FCC, HSDPA, Oboe, Puffer), or "seconds run Mbit/s"
    delay rows  "send_ms delay_ms" a line; or delays alone
    mahimahi    a whole millisecond a line, each an opportunity to send 1500 bytes

Text, in columns of blanks, tabs or commas; `#` starts a comment. Files are read whole.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from simulator.errors import TraceError
from simulator.units import MS_NS, SECOND_NS

V = TypeVar("V")

MBIT_BPS = 10**6


def read_losses(path: Path) -> list[bool]:
    """A fate a packet: True where it was lost."""
    losses: list[bool] = []
    for where, line in _lines(path):
        digits = line.replace(",", "").replace("\t", "").replace(" ", "")
        if digits.strip("01"):
            raise TraceError(where, "a trace of losses holds only 0 and 1", line)
        losses += [digit == "1" for digit in digits]
    return _some(path, losses)


def read_loss_rows(path: Path, bin_ns: int | None = None) -> list[tuple[int, float]]:
    """(ns, share lost) rows; with `bin_ns`, the first column of each line is the share of one bin."""
    rows: list[tuple[int, float]] = []
    for number, (where, columns) in enumerate(_table(path, (1, 2, 3) if bin_ns else (2,))):
        start_ns = number * bin_ns if bin_ns else _time_ns(where, columns[0], SECOND_NS)
        _add(rows, where, start_ns, _within(where, "a share lost", columns[0 if bin_ns else 1], 1.0))
    return _some(path, rows)


def read_rate_rows(path: Path) -> list[tuple[int, int]]:
    """(ns, bit/s) rows, from "seconds Mbit/s" lines; a column between the two is passed over."""
    rows: list[tuple[int, int]] = []
    for where, columns in _table(path, (2, 3)):
        rate_bps = round(_within(where, "a rate in Mbit/s", columns[-1], 1e6) * MBIT_BPS)
        _add(rows, where, _time_ns(where, columns[0], SECOND_NS), rate_bps)
    if rows and not any(rate_bps for _, rate_bps in rows):
        raise TraceError(str(path), "all rates are 0: no packet would ever leave")
    return _some(path, rows)


def read_delay_rows(path: Path) -> list[tuple[int, int]]:
    """(ns, delay in ns) rows, from "send_ms delay_ms" lines."""
    rows: list[tuple[int, int]] = []
    for where, columns in _table(path, (2,)):
        _add(rows, where, _time_ns(where, columns[0], MS_NS), _delay_ns(where, columns[1]))
    return _some(path, rows)


def read_delays(path: Path) -> list[int]:
    """Delays in ns, in no order: the last column of each line, in milliseconds."""
    return _some(path, [_delay_ns(where, columns[-1]) for where, columns in _table(path, (1, 2))])


def read_mahimahi(path: Path) -> list[int]:
    """Opportunities in ms: whole, never going back, the last above 0, for there the trace starts again."""
    stamps: list[int] = []
    for where, line in _lines(path):
        stamp = _number(where, line, int, "a whole number of milliseconds")
        if stamp < (stamps[-1] if stamps else 0):
            raise TraceError(where, "stamps must not be negative nor go back", stamp)
        stamps.append(stamp)
    if stamps and stamps[-1] == 0:
        raise TraceError(str(path), "the last stamp must be above 0: there the trace starts again", 0)
    return _some(path, stamps)


def _time_ns(where: str, time: float, unit_ns: int) -> int:
    return round(_within(where, "a time", time, 1e9) * unit_ns)


def _delay_ns(where: str, delay_ms: float) -> int:
    return round(_within(where, "a delay in ms", delay_ms, 1e9) * MS_NS)


def _within(where: str, what: str, value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise TraceError(where, f"{what} must be from 0 to {most:g}", value)
    return value


def _add(rows: list[tuple[int, V]], where: str, time_ns: int, value: V) -> None:
    """One more row, which must come after the one before it."""
    if rows and time_ns <= rows[-1][0]:
        raise TraceError(where, "times must grow", f"{time_ns / SECOND_NS:g} s")
    rows.append((time_ns, value))


def _some(path: Path, values: list[V]) -> list[V]:
    if not values:
        raise TraceError(str(path), "the trace is empty")
    return values


def _table(path: Path, widths: tuple[int, ...]) -> Iterator[tuple[str, list[float]]]:
    """Place and numbers of each line."""
    for where, line in _lines(path):
        columns = line.replace(",", " ").split()
        if len(columns) not in widths:
            raise TraceError(where, f"a line has {' or '.join(map(str, widths))} columns", line)
        yield where, [_number(where, column, float, "a number") for column in columns]


def _number(where: str, text: str, kind: Callable[[str], V], what: str) -> V:
    try:
        return kind(text)
    except ValueError:
        raise TraceError(where, f"must be {what}", text) from None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of each line that says something."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise TraceError(str(path), f"the trace cannot be read: {reason}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if said:
            yield f"{path}:{number}", said
