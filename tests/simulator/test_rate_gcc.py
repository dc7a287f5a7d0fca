from collections.abc import Callable

import pytest

from simulator.congestion_feedback import PacketReport
from simulator.rate_gcc import Gcc, LossBased

MS = 1_000_000
SECOND = 1000 * MS


def reports(lost: int, of: int) -> list[PacketReport]:
    return [PacketReport(0, None if number < lost else MS, 100) for number in range(of)]


@pytest.mark.parametrize(
    ("lost", "rate"),
    [(0, 105_000), (1, 105_000), (2, 100_000), (10, 100_000), (11, 100_000 * (1 - 0.055)), (50, 75_000)],
)
def test_loss_below_2_percent_raises_above_10_percent_lowers_and_between_keeps_the_rate(lost: int, rate: float) -> None:
    assert LossBased(100_000).update(reports(lost, 100), 1e9, 0, 0, 0) == pytest.approx(rate)


def test_loss_is_judged_over_20_packets_at_least() -> None:
    loss = LossBased(100_000)
    assert loss.update(reports(5, 19), 1e9, 0, 0, 0) == 100_000
    assert loss.update(reports(0, 1), 1e9, 0, 0, 0) == pytest.approx(100_000 * (1 - 0.125))


def test_after_a_decrease_for_loss_it_waits_300_ms_and_a_round_trip() -> None:
    loss = LossBased(100_000)
    rates = [loss.update(reports(50, 100), 1e9, 0, 100 * MS, at * MS) for at in (0, 100, 399, 400)]
    assert rates == pytest.approx([75_000, 75_000, 75_000, 56_250])


def test_the_loss_based_rate_never_runs_ahead_of_the_delay_based_one() -> None:
    assert LossBased(100_000).update(reports(0, 100), 90_000, 0, 0, 0) == 90_000


def drive(gcc: Gcc, capacity_bps: Callable[[float], float], seconds: float, queue_s: float = 10.0) -> list[list[float]]:
    """Drive a controller over a line of known bandwidth: rows of time, target, queueing delay, by second.

    25 frames a second of 4 packets; those that would wait longer than `queue_s` are dropped; 20 ms of delay
    one way, feedback every 100 ms, 20 ms back.
    """
    free, pending, rows = 0.0, [], []
    for frame in range(int(seconds * 25)):
        now = frame / 25
        target = gcc.target_bps(round(now * SECOND))
        for _ in range(4):
            size = target / 25 / 4 / 8
            if free - now > queue_s:
                pending.append((now + queue_s, PacketReport(round(now * SECOND), None, round(size))))
                continue
            free = max(free, now) + size * 8 / capacity_bps(now)
            arrived = free + 0.02
            pending.append((arrived, PacketReport(round(now * SECOND), round(arrived * SECOND), round(size))))
        if frame % 25 == 0:
            rows.append([now, target, max(free - now, 0)])
        if frame % 5 == 4:
            told = [report for at, report in pending if at + 0.02 <= now + 0.04]
            pending = [each for each in pending if each[1] not in told]
            gcc.on_feedback(told, round((now + 0.04) * SECOND))
    return rows


def test_on_a_steady_line_the_rate_settles_a_little_below_the_bandwidth_and_the_queue_stays_short() -> None:
    rows = drive(Gcc(300_000, 30_000, 5e6), lambda _: 1e6, 90)[45:]
    assert all(0.65e6 < target < 1.15e6 for _, target, _ in rows)
    assert sum(target for _, target, _ in rows) / len(rows) > 0.75e6
    assert sum(queue for *_, queue in rows) / len(rows) < 0.1


def test_when_the_bandwidth_falls_to_a_third_the_rate_follows_within_seconds() -> None:
    rows = drive(Gcc(300_000, 30_000, 5e6), lambda now: 1e6 if now < 30 else 3e5, 60)
    assert all(target < 3.3e5 for now, target, _ in rows if now >= 36)
    assert all(queue < 0.15 for now, _, queue in rows if now >= 54)  # 2 s of queue drain at 15 % of the rate


def test_a_queue_too_short_to_grow_is_found_by_its_losses() -> None:
    rows = drive(Gcc(2_000_000, 30_000, 5e6), lambda _: 1e6, 30, queue_s=0.005)
    assert all(target < 1.3e6 for now, target, _ in rows if now >= 10)


def test_without_feedback_the_start_rate_is_kept() -> None:
    gcc = Gcc(300_000, 30_000, 5e6)
    gcc.on_feedback([], SECOND)
    assert gcc.target_bps(SECOND) == 300_000
