"""The way back: small messages of the receiver, over a path with the delay of the channel.

    receiver --request--> lost? --> delay.draw --> [one event] --> sender

Requests are few and small, so the reverse path has no queue and no bandwidth. It has chance of its
own: asking for packets leaves the losses and delays of the way forth as they were.
"""

from collections.abc import Callable

from simulator import nack
from simulator.channel import delay
from simulator.channel.delay import Delay
from simulator.clock import Clock
from simulator.journey import Tally
from simulator.scenario_channel import DelayModel
from simulator.streams import Draws, generator


class ReversePath:
    """From receiver to sender.

    Args:
        clock: The simulation's.
        delay: Of each message, keeping their order unless it says otherwise.
        loss_rate: Chance of each message to be lost.
        draws: One a message.
        out: Called with each message (bytes after the UDP header) that arrives, at that time.

    Attributes:
        sent, lost: Messages and their bytes on the wire.
    """

    def __init__(
        self, clock: Clock, delay: Delay, loss_rate: float, draws: Draws, out: Callable[[bytes], None]
    ) -> None:
        self._clock, self._delay, self._loss_rate = clock, delay, loss_rate
        self._uniform, self._out = draws.uniform, out
        self._last_arrival_ns = 0
        self.sent, self.lost = Tally(), Tally()

    def put(self, message: bytes) -> None:
        """Take a message, now."""
        now_ns = self._clock.now_ns
        size_bytes = nack.size_bytes(message)
        self.sent.add(size_bytes)
        arrival_ns = now_ns + self._delay.draw(now_ns)
        if not self._delay.reorder:
            arrival_ns = self._last_arrival_ns = max(arrival_ns, self._last_arrival_ns)
        if self._uniform() < self._loss_rate:
            self.lost.add(size_bytes)
            return
        self._clock.call_at(arrival_ns, self._out, message)


def make(clock: Clock, model: DelayModel, loss_rate: float, seed: int, out: Callable[[bytes], None]) -> ReversePath:
    """The reverse path of a scenario's channel."""
    # The delay's stream is named by its purpose alone, so the way back has a seed of its own.
    own_seed = int(generator(seed, "feedback").integers(2**62))
    return ReversePath(clock, delay.make(model, own_seed), loss_rate, Draws(generator(seed, "feedback loss")), out)
