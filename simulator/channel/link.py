"""The link: queue and bandwidth, then loss, then delay, as one SimPy element.

    put --> queue.admit --> bandwidth.finish_ns --> loss.lost --> delay.draw --> [one event] --> out
               |                                       |
           queue_drop                                 lost

The line serves first come first served, so when a packet leaves it is known as it arrives (a
virtual departure time; with drop-tail this is exact, no approximation), and one event a packet is
enough: its arrival at the other end.
"""

from collections.abc import Callable

from simpy import Environment, Event, Timeout

from simulator import scenario_channel
from simulator.channel import bandwidth, delay, loss, queue
from simulator.channel.bandwidth import Bandwidth
from simulator.channel.delay import Delay
from simulator.channel.loss import Loss
from simulator.channel.queue import Queue
from simulator.journey import Journey, Tally


class Link:
    """One direction of a path.

    A lost packet draws its delay too, and holds back those behind it where order is kept: loss
    decides whether a packet arrives, never when, so two loss rates can be compared packet by packet.

    Args:
        env: The simulation, with integer nanoseconds.
        queue, bandwidth, loss, delay: The models, in this order on the way.
        out: Called with each journey that reaches the other end, at that time.

    Attributes:
        queue_drop, lost: What did not get through, by cause.
    """

    def __init__(
        self,
        env: Environment,
        queue: Queue,
        bandwidth: Bandwidth,
        loss: Loss,
        delay: Delay,
        out: Callable[[Journey], None],
    ) -> None:
        self._env = env
        self._admit, self._finish_ns = queue.admit, bandwidth.finish_ns
        self._lost, self._draw_delay, self._reorder = loss.lost, delay.draw, delay.reorder
        self._arrive = _unpack(out)
        self._line_free_ns = 0
        self._last_arrival_ns = 0
        self.queue_drop, self.lost = Tally(), Tally()

    def put(self, journey: Journey) -> None:
        """Take a packet from the sender, now."""
        env, size_bytes = self._env, journey.size_bytes
        now_ns: int = env.now  # type: ignore[assignment]  # simpy says float; ours are whole ns
        free_ns = self._line_free_ns
        start_ns = free_ns if free_ns > now_ns else now_ns
        if not self._admit(now_ns, start_ns, size_bytes):
            journey.fate = "queue_drop"
            self.queue_drop.add(size_bytes)
            return
        left_ns = self._line_free_ns = self._finish_ns(start_ns, size_bytes)
        lost = self._lost(left_ns)
        arrival_ns = left_ns + self._draw_delay(left_ns)
        if not self._reorder:
            arrival_ns = self._last_arrival_ns = max(arrival_ns, self._last_arrival_ns)
        if lost:
            journey.fate = "lost"
            self.lost.add(size_bytes)
            return
        Timeout(env, arrival_ns - now_ns, journey).callbacks.append(self._arrive)


def _unpack(out: Callable[[Journey], None]) -> Callable[[Event], None]:
    """`out` as a callback of SimPy; a closure is quicker than a method, and each packet calls it."""

    def arrive(event: Event) -> None:
        out(event.value)  # type: ignore[arg-type]  # simpy's values may be None; ours are journeys

    return arrive


def make(env: Environment, channel: scenario_channel.Channel, seed: int, out: Callable[[Journey], None]) -> Link:
    """The link a scenario asks for."""
    return Link(
        env,
        queue.make(channel.queue),
        bandwidth.make(channel.bandwidth),
        loss.make(channel.loss, seed),
        delay.make(channel.delay, seed),
        out,
    )
