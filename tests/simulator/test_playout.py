from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.packet import Packet
from simulator.playout import PlayoutBuffer
from simulator.playout_delay import Adaptive, Delay, Fixed

MS = 1_000_000
PACKET = Packet(0, 0, 0, True, 0, 0, 2, 1, "media", b"")
OTHER = Packet(1, 0, 0, True, 0, 1, 2, 1, "media", b"")
DELAY = Fixed(150 * MS)


def test_a_frame_is_shown_the_deadline_after_its_capture():
    assert PlayoutBuffer(fps=25, delay=DELAY).render_ns(3) == 3 * 40 * MS + 150 * MS


def test_what_a_frame_waits_before_it_is_sent_comes_on_top_of_the_deadline():
    assert PlayoutBuffer(25, DELAY, waiting_ns=80 * MS).render_ns(3) == 3 * 40 * MS + 230 * MS


def test_a_packet_at_the_very_render_time_is_in_time_and_a_nanosecond_later_is_late():
    buffer = PlayoutBuffer(25, DELAY)
    assert buffer.insert(3, PACKET, buffer.render_ns(3))
    assert not buffer.insert(3, OTHER, buffer.render_ns(3) + 1)
    assert buffer.packets(3) == [PACKET]


def test_packets_are_kept_in_order_of_arrival_each_with_its_frame():
    buffer = PlayoutBuffer(25, DELAY)
    buffer.insert(1, OTHER, 5)
    buffer.insert(0, PACKET, 6)
    buffer.insert(1, PACKET, 7)
    assert (buffer.packets(0), buffer.packets(1)) == ([PACKET], [OTHER, PACKET])


def test_a_frame_of_which_nothing_came_has_no_packets():
    buffer = PlayoutBuffer(25, Fixed(0))
    buffer.insert(0, PACKET, 1)  # late
    assert buffer.packets(0) == [] and buffer.packets(7) == []


def test_packets_of_a_forgotten_frame_are_late():
    buffer = PlayoutBuffer(25, DELAY)
    buffer.insert(0, PACKET, 0)
    buffer.forget(0)
    assert buffer.packets(0) == [] and not buffer.insert(0, OTHER, 1)


class Settable:
    """A delay that a test can set."""

    adapts = True

    def __init__(self, delay_ns: int) -> None:
        self.now_ns = delay_ns
        self.seen: list[int] = []

    def delay_ns(self) -> int:
        return self.now_ns

    def arrived(self, delay_ns: int, now_ns: int) -> None:
        self.seen.append(delay_ns)


def test_the_first_packet_settles_when_its_frame_is_shown():
    delay = Settable(100 * MS)
    buffer = PlayoutBuffer(25, delay)
    assert buffer.insert(1, PACKET, 0)
    delay.now_ns = 200 * MS
    assert buffer.render_ns(1) == 140 * MS and buffer.render_ns(2) == 280 * MS


def test_delays_are_measured_from_capture_and_repairs_are_left_out():
    delay = Settable(100 * MS)
    buffer = PlayoutBuffer(25, delay)
    buffer.insert(1, PACKET, 60 * MS)
    buffer.insert(1, OTHER, 90 * MS, repaired=True)
    buffer.insert(1, OTHER, 500 * MS)  # late ones count: they say that the delay is too short
    assert delay.seen == [20 * MS, 460 * MS]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 400), st.booleans()), max_size=40))
def test_frames_are_shown_in_order_whatever_the_delay_does(steps: list[tuple[int, int, bool]]) -> None:
    delay = Settable(0)
    buffer = PlayoutBuffer(25, delay)
    shown: dict[int, int] = {}
    past = -1
    for frame, delay_ms, forget in steps:
        delay.now_ns = delay_ms * MS
        if frame > past:
            buffer.insert(frame, PACKET, 0)
            shown[frame] = buffer.render_ns(frame)
        if forget and past + 1 in shown:
            past += 1
            buffer.forget(past)
    times = [shown[frame] for frame in sorted(shown)]
    assert times == sorted(times)


def test_both_kinds_of_delay_are_delays() -> None:
    delays: list[Delay] = [DELAY, Adaptive(0.9, 100, 0, MS)]
    assert [each.adapts for each in delays] == [False, True]
