from simulator.pacing import Pacer

MS = 1_000_000


def test_a_factor_of_one_spreads_a_frame_over_its_interval() -> None:
    pacer = Pacer(1.0)  # 4 packets of 125 bytes in 40 ms: 100 kbit/s
    assert [pacer.send_ns(0, 125, 100_000) for _ in range(5)] == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS]


def test_a_factor_of_two_and_a_half_takes_two_fifths_of_it() -> None:
    pacer = Pacer(2.5)
    assert [pacer.send_ns(0, 125, 100_000) for _ in range(5)] == [0, 4 * MS, 8 * MS, 12 * MS, 16 * MS]


def test_packets_leave_in_the_order_they_were_ready_and_a_pause_is_not_saved_up() -> None:
    pacer = Pacer(1.0)
    pacer.send_ns(0, 1250, 100_000)
    assert pacer.send_ns(50 * MS, 125, 100_000) == 100 * MS
    assert pacer.send_ns(500 * MS, 125, 100_000) == 500 * MS
