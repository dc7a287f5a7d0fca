"""Playout: which packets count for which frame.

    frame i is taken at i / fps and shown `deadline` later; what comes after that is late

The delay from camera to screen is fixed, so the film runs smoothly. A late packet is as useless as
a lost one, but it is counted apart: a longer deadline would have saved it.
"""

from simulator.packet import Packet
from simulator.units import frame_time_ns


class PlayoutBuffer:
    """Packets that came in time, by frame.

    Args:
        fps: Frames a second of the sender's camera.
        deadline_ns: From capture to screen.
    """

    def __init__(self, fps: float, deadline_ns: int) -> None:
        self._fps, self._deadline_ns = fps, deadline_ns
        self._slots: dict[int, tuple[int, list[Packet]]] = {}  # frame -> when it is shown, its packets

    def render_ns(self, frame: int) -> int:
        """When a frame is shown."""
        return frame_time_ns(frame, self._fps) + self._deadline_ns

    def insert(self, frame: int, packet: Packet, now_ns: int) -> bool:
        """Keep a packet of a frame (number not wrapped), unless it is late.

        Returns:
            False if it came after its frame was shown. At that very nanosecond it is in time.
        """
        slot = self._slots.get(frame)
        if slot is None:
            render_ns = self.render_ns(frame)
            if now_ns > render_ns:  # no slot: one of a forgotten frame would stay for ever
                return False
            slot = self._slots[frame] = (render_ns, [])
        elif now_ns > slot[0]:
            return False
        slot[1].append(packet)
        return True

    def packets(self, frame: int) -> list[Packet]:
        """What came in time for a frame, in order of arrival."""
        return self._slots[frame][1] if frame in self._slots else []

    def forget(self, frame: int) -> None:
        """The frame has been shown: let go of its packets; whatever comes for it is late."""
        self._slots.pop(frame, None)
