"""The receiver: takes what the link delivers, and notes when it came and whether it was of use."""

from simpy import Environment

from simulator.journey import Journey, Tally
from simulator.packet import unwrap
from simulator.playout import PlayoutBuffer


class Receiver:
    """The far end of the link.

    It knows packets by what is in them: frame numbers are 16 bit on the wire and are made whole
    again here, near the newest seen.

    Args:
        env: The simulation, with integer nanoseconds.
        playout: Keeps the packets that came in time.

    Attributes:
        delivered, late: What came, in time or not.
        duplicate: What had come before.
        reordered: Packets that came after one with a newer sequence number.
    """

    def __init__(self, env: Environment, playout: PlayoutBuffer) -> None:
        self._env, self._playout = env, playout
        self._newest_sequence: int | None = None  # 16 bit
        self._newest_frame = 0  # whole
        self._seen: list[int | None] = [None] * 0x10000  # by sequence number: timestamp of the newest that came
        self.delivered, self.late, self.duplicate = Tally(), Tally(), Tally()
        self.reordered = 0

    def put(self, journey: Journey) -> None:
        """Take a packet from the link, now."""
        packet = journey.packet
        now_ns: int = self._env.now  # type: ignore[assignment]  # simpy says float; ours are whole ns
        journey.arrived_ns = now_ns
        if self._seen[packet.sequence] == packet.timestamp:
            journey.fate = "duplicate"
            self.duplicate.add(journey.size_bytes)
            return
        self._seen[packet.sequence] = packet.timestamp
        newest, frame = self._newest_sequence, self._newest_frame
        if newest is None or (packet.sequence - newest) & 0xFFFF < 0x8000:  # as `distance`, without a call
            self._newest_sequence = packet.sequence
        else:
            self.reordered += 1
        if packet.frame != frame & 0xFFFF:
            frame = unwrap(packet.frame, frame)
            if frame > self._newest_frame:
                self._newest_frame = frame
        in_time = self._playout.insert(frame, packet, now_ns)
        journey.fate = "delivered" if in_time else "late"
        tally = self.delivered if in_time else self.late
        tally.packets += 1
        tally.bytes += journey.size_bytes
