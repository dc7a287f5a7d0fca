from simulator.packet import Packet
from simulator.playout import PlayoutBuffer

MS = 1_000_000
PACKET = Packet(0, 0, 0, True, 0, 0, 2, 1, "media", b"")
OTHER = Packet(1, 0, 0, True, 0, 1, 2, 1, "media", b"")


def test_a_frame_is_shown_the_deadline_after_its_capture():
    assert PlayoutBuffer(fps=25, deadline_ns=150 * MS).render_ns(3) == 3 * 40 * MS + 150 * MS


def test_a_packet_at_the_very_render_time_is_in_time_and_a_nanosecond_later_is_late():
    buffer = PlayoutBuffer(25, 150 * MS)
    assert buffer.insert(3, PACKET, buffer.render_ns(3))
    assert not buffer.insert(3, OTHER, buffer.render_ns(3) + 1)
    assert buffer.packets(3) == [PACKET]


def test_packets_are_kept_in_order_of_arrival_each_with_its_frame():
    buffer = PlayoutBuffer(25, 150 * MS)
    buffer.insert(1, OTHER, 5)
    buffer.insert(0, PACKET, 6)
    buffer.insert(1, PACKET, 7)
    assert (buffer.packets(0), buffer.packets(1)) == ([PACKET], [OTHER, PACKET])


def test_a_frame_of_which_nothing_came_has_no_packets():
    buffer = PlayoutBuffer(25, 0)
    buffer.insert(0, PACKET, 1)  # late
    assert buffer.packets(0) == [] and buffer.packets(7) == []
