"""Playout: when each frame is shown, and so which packets count for it.

    frame i is taken at i / fps and shown a delay later; what comes after that is late

The delay is fixed, or follows what the packets take (`playout_delay`). A late packet is as useless as a
lost one, but it is counted apart: a longer delay would have saved it.
"""

from bisect import bisect_left, insort

from simulator.packet import Packet
from simulator.playout_delay import Delay
from simulator.units import frame_time_ns


class PlayoutBuffer:
    """Packets that came in time, by frame.

    When a frame is shown is settled by the first of its packets; frames are shown in order.

    Args:
        fps: Frames a second of the sender's camera.
        delay: From capture to screen.
        waiting_ns: Added to the delay: how long a frame's packets may wait before they are sent.
    """

    def __init__(self, fps: float, delay: Delay, waiting_ns: int = 0) -> None:
        self._fps, self._delay, self._adapts, self._waiting_ns = fps, delay, delay.adapts, waiting_ns
        self._slots: dict[int, tuple[int, list[Packet]]] = {}  # frame -> when it is shown, its packets
        self._settled: list[int] = []  # frames in `_slots`, sorted; only for a delay that adapts
        self._past = (-1, 0)  # newest frame forgotten, and when it was shown

    def render_ns(self, frame: int) -> int:
        """When a frame is shown; for one of which nothing has come, as it stands now."""
        slot = self._slots.get(frame)
        if slot is not None:
            return slot[0]
        wanted_ns = frame_time_ns(frame, self._fps) + self._delay.delay_ns() + self._waiting_ns
        return self._in_order(frame, wanted_ns) if self._adapts else wanted_ns

    def _in_order(self, frame: int, wanted_ns: int) -> int:
        """Not before the settled frame before it, not after the settled one behind it."""
        if frame <= self._past[0]:
            return min(wanted_ns, self._past[1])
        place = bisect_left(self._settled, frame)
        before_ns = self._slots[self._settled[place - 1]][0] if place else self._past[1]
        if place < len(self._settled):
            wanted_ns = min(wanted_ns, self._slots[self._settled[place]][0])
        return max(wanted_ns, before_ns)

    def insert(self, frame: int, packet: Packet, now_ns: int, repaired: bool = False) -> bool:
        """Keep a packet of a frame (number not wrapped), unless it is late.

        Args:
            frame: The frame.
            packet: The packet.
            now_ns: Now.
            repaired: It was sent again or rebuilt: its time says nothing about the path.

        Returns:
            False if it came after its frame was shown. At that very nanosecond it is in time.
        """
        slot = self._slots.get(frame)
        if slot is None:
            if frame <= self._past[0]:
                return False
            slot = self._slots[frame] = (self.render_ns(frame), [])
            if self._adapts:
                insort(self._settled, frame)
        if self._adapts and not repaired:
            self._delay.arrived(now_ns - frame_time_ns(frame, self._fps) - self._waiting_ns, now_ns)
        if now_ns > slot[0]:
            return False
        slot[1].append(packet)
        return True

    def packets(self, frame: int) -> list[Packet]:
        """What came in time for a frame, in order of arrival."""
        return self._slots[frame][1] if frame in self._slots else []

    def forget(self, frame: int) -> None:
        """The frame has been shown, and all before it: let go of its packets; what still comes is late."""
        self._past = (frame, self.render_ns(frame))
        if self._slots.pop(frame, None) is not None and self._adapts:
            self._settled.remove(frame)
