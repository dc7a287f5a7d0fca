"""Losses that are given, not drawn: traces, rows, bursts; and tokens erased one by one."""

import numpy as np
import pytest

from simulator.channel import erasure, loss
from simulator.channel.steps import FOREVER, Steps
from simulator.media import Slice
from simulator.scenario import Scenario

MS = 1_000_000


def made(section, seed=1):
    return loss.make(Scenario.model_validate({"name": "x", "channel": {"loss": section}}).channel.loss, seed)


def fates(model, count):
    return "".join("01"[model.lost(number)] for number in range(count))


def test_a_trace_loses_what_it_says_and_starts_again():
    assert fates(made({"model": "trace", "losses": "00110"}), 12) == "001100011000"


def test_a_trace_that_does_not_repeat_loses_nothing_after_its_end():
    assert fates(made({"model": "trace", "losses": "011", "repeat": False}), 8) == "01100000"


def test_a_random_start_is_chosen_by_the_seed_and_turns_the_trace_only():
    section = {"model": "trace", "losses": "0001", "random_start": True}
    seen = {fates(made(section, seed), 8) for seed in range(40)}
    assert seen == {"00010001", "00100010", "01000100", "10001000"}
    assert fates(made(section, 3), 8) == fates(made(section, 3), 8)


def test_a_trace_may_stand_in_a_file(tmp_path):
    (tmp_path / "trace.txt").write_text("# by hand\n0 1 1\n0\n")
    assert fates(made({"model": "trace", "file": str(tmp_path / "trace.txt")}), 5) == "01100"


def test_named_bursts_are_lost_and_nothing_else():
    assert fates(made({"model": "bursts", "bursts": [[1, 2], [6, 1]]}), 9) == "011000100"


def test_rows_lose_by_the_time_a_packet_leaves():
    for seed in range(5):
        model = made({"model": "rows", "rows": [[0, 0], ["10 ms", "50 %"], ["20 ms", 1]]}, seed)
        lost = np.array([model.lost(now_ns) for now_ns in range(0, 30 * MS, 1000)]).reshape(3, -1)
        assert lost[0].sum() == 0 and lost[2].all()
        assert lost[1].mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / lost[1].size))


def test_rows_of_bins_may_stand_in_a_file_of_measurements(tmp_path):
    (tmp_path / "bins.txt").write_text("# share lost, share late\n0.000 0.100\n1.000 0.000\n")
    model = made({"model": "rows", "file": str(tmp_path / "bins.txt"), "bin": "20 ms", "repeat": True})
    assert [model.lost(now * MS) for now in (0, 19, 20, 39, 40, 60)] == [False, False, True, True, False, True]


def test_steps_hold_from_their_time_on_and_the_first_also_before():
    steps = Steps([(10, "a"), (20, "b")], repeat=False)
    assert [steps.at(now) for now in (0, 10, 19, 20, 10**9)] == [
        ("a", 20), ("a", 20), ("a", 20), ("b", FOREVER), ("b", FOREVER)
    ]  # fmt: skip


def test_repeated_steps_give_the_last_row_the_length_of_the_one_before():
    steps = Steps([(0, "a"), (10, "b"), (15, "c")], repeat=True)
    assert [steps.at(now) for now in (0, 14, 15, 19, 20, 30, 99)] == [
        ("a", 10), ("b", 15), ("c", 20), ("c", 20), ("a", 30), ("b", 35), ("c", 100)
    ]  # fmt: skip


def erased(rate, seed=1, tokens=200, frames=50):
    return {
        (frame, place)
        for frame in range(frames)
        for place in erasure.erase(Slice(0, 1, tokens, b""), rate, seed, frame).erased
    }


def test_tokens_are_erased_at_the_rate_within_four_standard_errors():
    for seed in range(5):
        share = len(erased(0.2, seed)) / 10_000
        assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 10_000)


def test_a_higher_rate_erases_all_that_a_lower_rate_erases():
    assert erased(0) < erased(0.1) < erased(0.3) < erased(1.0)
    assert len(erased(1.0)) == 10_000


def test_token_erasure_lets_every_packet_through():
    assert fates(made({"model": "token_erasure", "rate": 1}), 5) == "00000"
