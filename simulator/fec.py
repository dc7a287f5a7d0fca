"""Forward error correction over real bytes: media packets to parity, and missing ones back.

    block   p0 p1 p2 p3 ... p(k-1)   media packets, sent as they are (systematic)
    parity  q0 q1 ... q(r-1)         of the whole block; any k of the k + r packets give all back

The code itself is in fec_code.py. No clock and no chance in here.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TypeAlias

from simulator import fec_packet
from simulator.errors import MediaError
from simulator.fec_code import Sum, Symbols, rebuild
from simulator.fec_packet import Content, FecPacket
from simulator.packet import Packet, next_number, unwrap
from simulator.packetizer import Outgoing
from simulator.scenario_protection import LARGEST_BLOCK, Fec

_new_packet = partial(tuple.__new__, FecPacket)  # FecPacket(...) without a call in Python


class Protector:
    """The sender's side: collects media packets and gives the parity of each block that is full.

    A block holds the packets of `frames` frames; they are sent at once, parity follows the last. If
    slices of different importance get different shares of parity, each share has blocks of its own.

    Args:
        spec: Which code, and how much of it.
        mtu_bytes: Largest packet on the wire.
        ssrc: Of the parity stream.
        sequence: 16 bit, of its first packet.
    """

    def __init__(self, spec: Fec, mtu_bytes: int, ssrc: int, sequence: int) -> None:
        self._spec, self._mtu_bytes = spec, mtu_bytes
        self._ssrc, self._sequence = ssrc, sequence
        self._waiting: list[Outgoing] = []
        self._frames = 0

    def push(self, packets: Sequence[Outgoing], frames: int) -> list[tuple[int, FecPacket]]:
        """Take the media packets of some more frames, in sending order.

        Returns:
            Parity to be sent behind them, each with the newest frame of all (whole number); empty
            while the block is not full.

        Raises:
            MediaError: If parity does not fit the MTU.
        """
        self._waiting += packets
        self._frames += frames
        return self.flush() if self._frames >= self._spec.frames else []

    def flush(self) -> list[tuple[int, FecPacket]]:
        """Parity of what has been collected, though the block be not full; see `push`."""
        waiting, self._waiting, self._frames = self._waiting, [], 0
        parity: list[tuple[int, FecPacket]] = []
        if not waiting:
            return parity
        newest = max(waiting, key=attrgetter("frame"))
        grades = {each: self._spec.grade(each) for each in {packet.importance for packet in waiting}}
        for start, stop in _even(len(waiting), LARGEST_BLOCK):
            for grade, equals in _by_grade(waiting[start:stop], grades):
                for first, last, count in self._spec.blocks(len(equals), grade):
                    parity += self._protect(equals[first:last], count, newest)
        return parity

    def _protect(self, block: Sequence[Outgoing], count: int, newest: Outgoing) -> Iterator[tuple[int, FecPacket]]:
        base = block[0].packet.sequence
        members = tuple((each.packet.sequence - base) & 0xFFFF for each in block)
        symbols, code = Symbols([each.packet for each in block]), self._spec.code
        frame, (_, timestamp, _, _, frame_number, *_) = newest.frame, newest.packet
        for index in range(count):
            content, sequence = Sum(symbols, index), self._sequence
            packet = _new_packet(
                (sequence, timestamp, self._ssrc, frame_number, base, members, index, count, code, content, "fec", 0)
            )
            if not index:  # the others are as large
                self._check(packet, frame)
            self._sequence = next_number(sequence)
            yield frame, packet

    def _check(self, packet: FecPacket, frame: int) -> None:
        if packet.size_bytes > self._mtu_bytes:
            where = f"protection.fec (frame {frame})"
            rule = f"a slice, its headers and those of parity must fit channel.mtu_bytes = {self._mtu_bytes}"
            raise MediaError(where, rule, packet.size_bytes, "Raise packets_per_frame, or lower the codec's rate")


def _by_grade(packets: Sequence[Outgoing], grades: Mapping[int, int]) -> list[tuple[int, Sequence[Outgoing]]]:
    """Packets of one share of parity each, the most important first; `grades` by importance."""
    if len(set(grades.values())) == 1:  # as a rule
        return [(grades[packets[0].importance], packets)]
    there = sorted({grades[each.importance] for each in packets})
    return [(grade, [each for each in packets if grades[each.importance] == grade]) for grade in there]


def _even(total: int, most: int) -> Iterator[tuple[int, int]]:
    """`total` cut into as few runs of at most `most` as will do, of nearly equal length."""
    parts = -(-total // most)
    for part in range(parts):
        yield total * part // parts, total * (part + 1) // parts


_Name: TypeAlias = tuple[int, tuple[int, ...]]  # of a block: whole number of its first packet, offsets of all


class _Block:
    """A block the receiver knows of: its packets' whole numbers, those missing, and its parity."""

    __slots__ = ("members", "missing", "parity")

    def __init__(self, members: Sequence[int], missing: set[int]) -> None:
        self.members, self.missing = members, missing
        self.parity: dict[int, Content] = {}


class Decoder:
    """The receiver's side: learns of blocks from parity, and rebuilds what is missing as soon as it can.

    Args:
        kept: Media packets that arrived, by whole sequence number; the owner goes on filling it.
        ssrc: Of the media stream, for the packets rebuilt.

    Attributes:
        wanted: Missing packets that would help, by whole number, and the block of each.
    """

    def __init__(self, kept: Mapping[int, Packet], ssrc: int) -> None:
        self._kept, self._ssrc = kept, ssrc
        self._blocks: dict[_Name, _Block] = {}
        self._order: deque[_Name] = deque()  # of their first parity
        self.wanted: dict[int, _Block] = {}

    def media(self, sequence: int) -> list[tuple[int, Packet]]:
        """A media packet has been kept: what can be rebuilt with its help, by whole number."""
        block = self.wanted.pop(sequence, None)
        if block is None:
            return []
        block.missing.discard(sequence)
        return self._rebuild(block)

    def knows(self, packet: FecPacket, near: int) -> bool:
        """Whether this very parity packet came before; arguments as in `parity`."""
        block = self._blocks.get((unwrap(packet.base, near), packet.members))
        return block is not None and packet.index in block.parity

    def parity(self, packet: FecPacket, near: int) -> list[tuple[int, Packet]]:
        """Take a parity packet.

        Args:
            packet: It.
            near: A whole sequence number near those it protects.

        Returns:
            What can be rebuilt now, by whole number.
        """
        base = unwrap(packet.base, near)
        block = self._blocks.get((base, packet.members))
        if block is None:
            members = [base + member for member in packet.members]
            missing = {number for number in members if number not in self._kept}
            block = self._blocks[base, packet.members] = _Block(members, missing)
            self._order.append((base, packet.members))
            if missing:
                self.wanted.update(dict.fromkeys(missing, block))
        block.parity[packet.index] = packet.parity
        return self._rebuild(block)

    def forget(self, before: int) -> None:
        """Drop the oldest blocks, as far as all their packets are older than a whole number."""
        order = self._order
        while order and order[0][0] + order[0][1][-1] < before:
            block = self._blocks.pop(order.popleft())
            for number in block.missing:
                self.wanted.pop(number, None)

    def _rebuild(self, block: _Block) -> list[tuple[int, Packet]]:
        """As soon as there are as many parity packets as holes."""
        if not block.missing or len(block.missing) > len(block.parity):
            return []
        columns = range(len(block.members))
        there = {i: self._kept[block.members[i]] for i in columns if block.members[i] in self._kept}
        if len(block.members) - len(there) > len(block.parity):
            return []  # some have been forgotten meanwhile: too old
        symbols = {column: fec_packet.symbol(packet) for column, packet in there.items()}
        block.missing.clear()
        try:
            found = rebuild(symbols, block.parity, len(block.members))
            numbers = {block.members[column]: data for column, data in found.items()}
            return [(n, fec_packet.from_symbol(data, n & 0xFFFF, self._ssrc)) for n, data in numbers.items()]
        except (ValueError, OverflowError):  # a damaged packet got in: what comes out is none
            return []
