"""Every shipped scenario runs: a second of it, with the toy codec."""

import math
from pathlib import Path

import pytest

from simulator import run, scenario
from simulator.media import ToyCodec
from simulator.metrics import measure_psnr, network_summary
from simulator.records import to_frame
from tests.simulator.small import SCENARIOS, TOY

SHIPPED = sorted(SCENARIOS.glob("*.yaml"))
TRACE = SCENARIOS / "traces" / "slow_fade_300k.mahimahi"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_second_of_every_shipped_scenario_runs_with_the_toy_codec(path: Path) -> None:
    fps = scenario.load(path).source.fps
    short = scenario.load(path, [*TOY, f"source.count={math.ceil(fps)}", "source.size=[128, 128]"])
    passes = run.run_passes(short, ToyCodec(), measure_psnr)
    frames = run.frame_table(short, ToyCodec(), passes)
    found = network_summary(frames, to_frame(passes.session.packets), short.source.fps)
    assert len(frames) == math.ceil(fps) and found["goodput_kbps"] > 0


def carried_kbit(seconds: float) -> float:
    """What the line of the trace has carried: the integral of 300 - 140 sin(2 pi t / 60) + 60 sin(2 pi t / 20)."""
    swings = ((-140, 60), (60, 20))
    return 300 * seconds + sum(
        size * period / math.tau * (1 - math.cos(math.tau * seconds / period)) for size, period in swings
    )


def test_the_shipped_trace_is_made_by_the_formula_beside_it() -> None:
    stamps = [int(line) for line in TRACE.read_text(encoding="utf-8").splitlines()]
    assert len(stamps) == 1500 and stamps[-1] == 60_000
    for number, stamp in enumerate(stamps, 1):  # each opportunity is 12 kbit: the first whole ms that has it
        assert carried_kbit((stamp - 1) / 1000) < 12 * number <= carried_kbit(stamp / 1000) + 1e-6
