from simulator.packet import Packet
from simulator.retransmit import History, original_number, restore

PACKET = Packet(65535, 90_000, 5, True, 3, 1, 2, 10, "media", b"slice")


def test_a_repeat_has_numbers_of_its_own_and_says_which_packet_it_repeats():
    history = History(ssrc=9, sequence=65535)
    history.add([(3, PACKET, 100)], now_ns=0)
    frame, first = history.repeat(65535, 50)
    _, second = history.repeat(65535, 60)
    assert frame == 3 and (first.ssrc, first.sequence, second.sequence) == (9, 65535, 0)
    assert first.original_sequence == 65535 and first.kind == "retransmission" and first.timestamp == 90_000
    assert restore(first, 5) == PACKET and original_number(first, near=65536) == 65535


def test_a_packet_is_repeated_until_its_frame_is_shown_and_not_after():
    history = History(9, 0)
    history.add([(3, PACKET, 100)], now_ns=0)
    assert history.repeat(65535, 100) and history.repeat(65535, 101) is None
    assert history.repeat(1, 0) is None, "never sent"


def test_history_forgets_what_has_been_shown_and_the_older_of_two_equal_numbers():
    history = History(9, 0)
    for number in range(70_000):
        packet = Packet(number & 0xFFFF, number, 5, True, 0, 0, 1, 1, "media", b"")
        history.add([(number, packet, number + 100)], now_ns=number)
    assert len(history._sent) == len(history._order) == 101
    twice = History(9, 0)
    for frame in (1, 2):
        twice.add([(frame, PACKET, 10**9)], now_ns=0)
    assert twice.repeat(65535, 0)[0] == 2 and len(twice._order) == 1
