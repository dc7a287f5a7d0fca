"""Corruption: which packets arrive with wrong bits, and which bits.

With a checksum, a damaged packet is dropped, as UDP and the radio's own frames do. Without, one
whose headers are whole is delivered as it is (UDP-Lite with the headers covered, RFC 3828), and the
slice inside has to find out by its own checksum.
"""

import math
from typing import NamedTuple, Protocol, assert_never

import numpy as np
from numpy.random import Generator

from simulator import scenario_channel
from simulator.journey import AnyPacket
from simulator.streams import Draws, generator
from simulator.units import bits


class Corruption(Protocol):
    """What the link asks of a model of corruption."""

    @property
    def checksum(self) -> bool:
        """Whether damaged packets are dropped."""
        ...

    def wrong_bits(self, size_bytes: int) -> list[int]:
        """Bits of a packet that are wrong, counted from its first on the wire; asked once a packet."""
        ...


class BitErrors:
    """Each bit is wrong with chance `rate`, whatever the others: a binary symmetric channel.

    A packet of S bytes is hit with chance 1 - (1 - rate)^(8 S). From wrong bit to wrong bit it is a
    geometric number of bits; the way to the first is drawn by inversion from one uniform number a
    packet, so a higher rate hits all the packets that a lower one hits, and more.

    Args:
        rate: Bit error rate, 0 to 1.
        checksum: Whether damaged packets are dropped.
        packet_draws: One a packet.
        bit_draws: For the second and further wrong bits.
    """

    __slots__ = ("_bit_chance", "_rate", "_scale", "_uniform", "checksum")

    def __init__(self, rate: float, checksum: bool, packet_draws: Draws, bit_draws: Generator) -> None:
        self._rate, self.checksum = rate, checksum
        self._scale = -1 / math.log1p(-rate) if 0 < rate < 1 else 0.0 if rate else math.inf
        self._uniform, self._bit_chance = packet_draws.uniform, bit_draws

    def wrong_bits(self, size_bytes: int) -> list[int]:
        """See `Corruption.wrong_bits`."""
        gap = -math.log(1 - self._uniform()) if self._rate else math.inf
        wrong, at = [], gap * self._scale if gap else 0.0
        while at < bits(size_bytes):
            wrong.append(int(at))
            at = int(at) + int(self._bit_chance.geometric(self._rate))
        return wrong


class PacketErrors:
    """One random bit of a share of the packets is wrong: netem's `corrupt`.

    Args:
        rate: Share of packets, 0 to 1.
        checksum: Whether damaged packets are dropped.
        packet_draws: One a packet.
        bit_draws: One a damaged packet.
    """

    __slots__ = ("_bit_chance", "_rate", "_uniform", "checksum")

    def __init__(self, rate: float, checksum: bool, packet_draws: Draws, bit_draws: Generator) -> None:
        self._rate, self.checksum = rate, checksum
        self._uniform, self._bit_chance = packet_draws.uniform, bit_draws

    def wrong_bits(self, size_bytes: int) -> list[int]:
        """See `Corruption.wrong_bits`."""
        return [int(self._bit_chance.integers(bits(size_bytes)))] if self._uniform() < self._rate else []


class Damage(NamedTuple):
    """What wrong bits make of a packet: the payload as it arrives, and whether the headers are whole."""

    payload: bytes
    headers_whole: bool


def damage(packet: AnyPacket, wrong_bits: list[int]) -> Damage:
    """Turn over some bits of a packet, counted from the first on the wire.

    >>> from simulator.packet import Packet
    >>> damage(Packet(0, 0, 0, True, 0, 0, 1, 1, "media", b"AB"), [8 * 46 + 7])
    Damage(payload=b'@B', headers_whole=True)
    """
    payload = packet.payload
    first = bits(packet.size_bytes - len(payload))
    data = np.frombuffer(payload, dtype=np.uint8).copy()
    for bit in wrong_bits:
        if bit >= first:
            data[(bit - first) // 8] ^= 128 >> (bit - first) % 8
    return Damage(data.tobytes(), min(wrong_bits) >= bits(packet.covered_bytes))


def make(model: scenario_channel.CorruptionModel, seed: int, purpose: str = "corruption") -> Corruption | None:
    """The corruption a scenario asks for, with its own streams of chance; None for none."""
    chances = Draws(generator(seed, purpose)), generator(seed, f"{purpose} bits")
    match model:
        case scenario_channel.NoCorruption():
            return None
        case scenario_channel.BitErrors():
            return BitErrors(model.rate, model.checksum, *chances)
        case scenario_channel.PacketErrors():
            return PacketErrors(model.rate, model.checksum, *chances)
    assert_never(model)
