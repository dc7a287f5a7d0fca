"""What may befall a packet besides loss and delay: outages, wrong bits, overtaking, copies."""

from dataclasses import dataclass

from simulator import scenario_channel
from simulator.channel import corruption, delay, outage, reorder
from simulator.channel.corruption import Corruption, damage
from simulator.channel.delay import Delay
from simulator.channel.outage import Outage
from simulator.channel.reorder import Reorder
from simulator.journey import Journey
from simulator.packet import Packet
from simulator.streams import Draws, generator


@dataclass(frozen=True)
class Copies:
    """Some packets arrive twice.

    Attributes:
        rate: Share of packets, 0 to 1.
        draws: One a packet.
        delay: Of the copies, so that those of the originals stay as they were.
    """

    rate: float
    draws: Draws
    delay: Delay

    def arrival_ns(self, left_ns: int) -> int | None:
        """When the copy of a packet that left the line at `left_ns` would arrive; None if there is none."""
        delay_ns = self.delay.draw(left_ns)
        return left_ns + delay_ns if self.draws.uniform() < self.rate else None


@dataclass(frozen=True)
class Mishaps:
    """What may befall a packet besides loss and delay; None where it does not happen."""

    outage: Outage | None = None
    corruption: Corruption | None = None
    reorder: Reorder | None = None
    copies: Copies | None = None


NO_MISHAPS = Mishaps()


def make(channel: scenario_channel.Channel, seed: int, whose: str = "") -> Mishaps:
    """What may befall packets; `whose` is part of the streams' names, but outages are everybody's."""
    return Mishaps(
        outage.make(channel.outage, seed),
        corruption.make(channel.corruption, seed, f"corruption{whose}"),
        reorder.make(channel.reorder, seed, f"reorder{whose}"),
        _copies(channel, seed, whose),
    )


def _copies(channel: scenario_channel.Channel, seed: int, whose: str) -> Copies | None:
    if not channel.duplicate:
        return None
    draws = Draws(generator(seed, f"duplicate{whose}"))
    return Copies(channel.duplicate, draws, delay.make(channel.delay, seed, f"duplicate delay{whose}"))


def stands(journey: Journey, wrong_bits: list[int], corruption: Corruption | None) -> bool:
    """Whether a packet with wrong bits is delivered all the same; if so, it has them from now on."""
    packet = journey.packet
    payload, headers_whole = damage(packet, wrong_bits)
    if not headers_whole or corruption is None or corruption.checksum:
        return False
    journey.packet = packet._replace(payload=payload) if isinstance(packet, Packet) else packet._replace(parity=payload)
    return True
