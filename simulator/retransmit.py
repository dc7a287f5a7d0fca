"""Retransmission at the sender: what was sent and may be asked for, and the repeat of it (RFC 4588).

No clock and no chance in here: time is an argument.
"""

from collections import deque
from collections.abc import Iterable

from simulator.packet import Packet, next_number, unwrap


class History:
    """Packets that can be sent again, until their frame is shown: after that a repeat helps nobody.

    Args:
        ssrc: Of the stream of repeats (RFC 4588, section 3: not that of the media).
        sequence: 16 bit, of its first packet.
    """

    def __init__(self, ssrc: int, sequence: int) -> None:
        self._ssrc, self._sequence = ssrc, sequence
        self._sent: dict[int, tuple[int, Packet, int]] = {}  # by 16-bit number: frame, packet, expiry
        self._order: deque[int] = deque()

    def add(self, packets: Iterable[tuple[int, Packet, int]], now_ns: int) -> None:
        """Remember packets sent now, each with its frame (whole number) and until when; forget those of the past."""
        sent, order = self._sent, self._order
        while order and sent[order[0]][2] < now_ns:
            del sent[order.popleft()]
        for each in packets:
            sequence = each[1].sequence
            if sequence in sent:  # 65536 packets within one deadline: the older one cannot be named
                order.remove(sequence)
            sent[sequence] = each
            order.append(sequence)

    def frame(self, sequence: int) -> int | None:
        """The frame of the packet with a 16-bit number; None if it is forgotten."""
        return self._sent[sequence][0] if sequence in self._sent else None

    def repeat(self, sequence: int, now_ns: int) -> tuple[int, Packet] | None:
        """A repeat of the packet with a 16-bit number, and its frame; None if it is of no more use."""
        frame, packet, expires_ns = self._sent.get(sequence, (0, None, 0))
        if packet is None or expires_ns < now_ns:
            return None
        own, self._sequence = self._sequence, next_number(self._sequence)
        return frame, packet._replace(
            sequence=own, ssrc=self._ssrc, kind="retransmission", original_sequence=packet.sequence
        )


def restore(repeat: Packet, ssrc: int) -> Packet:
    """The media packet that a repeat repeats, but for its SSRC, which is that of the media stream."""
    assert repeat.original_sequence is not None, repeat
    return repeat._replace(sequence=repeat.original_sequence, ssrc=ssrc, kind="media", original_sequence=None)


def original_number(repeat: Packet, near: int) -> int:
    """Whole sequence number of the packet that a repeat repeats, the nearest to `near`."""
    assert repeat.original_sequence is not None, repeat
    return unwrap(repeat.original_sequence, near)
