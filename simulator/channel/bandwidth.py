"""Bandwidth: how long the line is busy with a packet."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, assert_never

from simulator import scenario_channel
from simulator.channel import traces
from simulator.channel.scale import OPPORTUNITY_BYTES, length_ns, scale_rows, scale_stamps
from simulator.channel.steps import Steps
from simulator.errors import TraceError
from simulator.streams import generator
from simulator.units import BYTE_NS, MS_NS, transmission_ns


class Bandwidth(Protocol):
    """What the link asks of a bandwidth."""

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """When the last bit of a packet is sent whose first bit may go at `start_ns`.

        Args:
            start_ns: Never less than what the call before returned.
            size_bytes: On the wire.
        """
        ...


class Infinite:
    """A line that takes no time."""

    __slots__ = ()

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """The start."""
        return start_ns


class Constant:
    """A line of `rate_bps` > 0 bits a second."""

    __slots__ = ("_busy_ns", "_rate_bps")

    def __init__(self, rate_bps: int) -> None:
        self._rate_bps = rate_bps
        self._busy_ns: dict[int, int] = {}  # by size, of which a film has few

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """Start plus size over rate, rounded up."""
        busy_ns = self._busy_ns.get(size_bytes)
        if busy_ns is None:
            busy_ns = self._busy_ns[size_bytes] = transmission_ns(size_bytes, self._rate_bps)
        return start_ns + busy_ns


class Rows:
    """A line whose rate changes in time; while it is 0, packets wait.

    Args:
        rates: bit/s by time; not 0 for ever.
    """

    __slots__ = ("_rates",)

    def __init__(self, rates: Steps[int]) -> None:
        self._rates = rates

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """When the sum of rate x time since the start has reached the size, rounded up."""
        left = size_bytes * BYTE_NS  # bits x ns a second: whole numbers, so nothing is lost between rows
        while True:
            rate_bps, until_ns = self._rates.at(start_ns)
            if rate_bps and start_ns - (-left // rate_bps) <= until_ns:
                return start_ns - (-left // rate_bps)
            left -= rate_bps * (until_ns - start_ns)
            start_ns = until_ns


class Mahimahi:
    """A line that may send 1500 bytes at each of some times, as Mahimahi's mm-link (Netravali et al. 2015).

    A packet leaves with the opportunity that carries its last byte; what an opportunity has left goes
    to the packets that wait at its time, else it is wasted. Several stamps may name one millisecond.
    After the last stamp the trace starts again, the last stamp being its new 0. A trace of the one
    stamp 1 is a line of 12 Mbit/s.

    Args:
        stamps_ms: Whole ms, not going back, the last above 0.
    """

    __slots__ = ("_left_bytes", "_next", "_period_ns", "_stamps_ns", "_time_ns")

    def __init__(self, stamps_ms: Sequence[int]) -> None:
        self._stamps_ns = [stamp * MS_NS for stamp in stamps_ms]
        self._period_ns = self._stamps_ns[-1]
        self._next = 0  # which opportunity of the whole run comes next
        self._time_ns, self._left_bytes = 0, 0  # the opportunity being used

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """Time of the opportunity that carries the last byte."""
        if self._time_ns < start_ns:
            self._left_bytes = 0
            self._next = max(self._next, self._first_from(start_ns))
        while size_bytes > self._left_bytes:
            size_bytes -= self._left_bytes
            rounds, index = divmod(self._next, len(self._stamps_ns))
            self._time_ns = rounds * self._period_ns + self._stamps_ns[index]
            self._left_bytes = OPPORTUNITY_BYTES
            self._next += 1
        self._left_bytes -= size_bytes
        return self._time_ns

    def _first_from(self, time_ns: int) -> int:
        """The first opportunity that is not before a time."""
        rounds = max(-(-time_ns // self._period_ns) - 1, 0)  # a round ends with the stamp that is its period
        return rounds * len(self._stamps_ns) + bisect_left(self._stamps_ns, time_ns - rounds * self._period_ns)


class Later:
    """A line as it is from some time on.

    Args:
        line: Which nobody else uses.
        start_ns: Of the line, when it is 0 here.
    """

    __slots__ = ("_finish_ns", "_start_ns")

    def __init__(self, line: Bandwidth, start_ns: int) -> None:
        self._finish_ns, self._start_ns = line.finish_ns, start_ns

    def finish_ns(self, start_ns: int, size_bytes: int) -> int:
        """As the line says."""
        return self._finish_ns(start_ns + self._start_ns, size_bytes) - self._start_ns


def make(model: scenario_channel.BandwidthModel, seed: int) -> Bandwidth:
    """The bandwidth a scenario asks for.

    Args:
        model: What it says.
        seed: Of the run; decides where a trace with a random start begins, and nothing else.

    Raises:
        TraceError: If a file it names cannot be used.
    """
    match model:
        case scenario_channel.InfiniteBandwidth():
            return Infinite()
        case scenario_channel.ConstantBandwidth():
            return Constant(model.rate_bps)
        case scenario_channel.BandwidthRows():
            rows = model.rows or traces.read_rate_rows(Path(model.file or ""))
            if not model.repeat and not rows[-1][1]:
                rule = "the last rate is 0: packets would wait for ever. Say repeat: true, or end with a rate"
                raise TraceError(str(model.file), rule)
            rates = scale_rows(rows, model.mean_bps) if model.mean_bps else rows
            return _begun(Rows(Steps(rates, model.repeat)), model, length_ns(rows), seed)
        case scenario_channel.MahimahiBandwidth():
            stamps = model.stamps or traces.read_mahimahi(Path(model.file or ""))
            scaled = scale_stamps(stamps, model.mean_bps) if model.mean_bps else stamps
            return _begun(Mahimahi(scaled), model, scaled[-1] * MS_NS, seed)
    assert_never(model)


def _begun(line: Bandwidth, model: scenario_channel.TracedBandwidth, length_ns: int, seed: int) -> Bandwidth:
    """The line from where the scenario wants it; a random start is drawn from the whole ms of the trace."""
    start_ns = model.start_ns
    if model.random_start:
        start_ns += int(generator(seed, "trace start").integers(max(length_ns // MS_NS, 1))) * MS_NS
    return Later(line, start_ns) if start_ns else line
