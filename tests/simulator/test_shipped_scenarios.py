"""Every shipped scenario runs: a second of it, with the toy codec."""

import math
from pathlib import Path

import pytest

from simulator import run, run_files, scenario
from simulator.channel import traces
from simulator.metrics import measure_psnr, network_summary
from simulator.records import to_frame
from simulator.toy_media import ToyCodec
from tests.simulator.small import SCENARIOS, TOY

SHIPPED = sorted(SCENARIOS.glob("*.yaml"))
TRACE = SCENARIOS / "traces" / "fading_300k.mahimahi"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_second_of_every_shipped_scenario_runs_with_the_toy_codec(path: Path) -> None:
    fps = scenario.load(path).source.fps
    short = scenario.load(path, [*TOY, f"source.count={math.ceil(fps)}", "source.size=[128, 128]"])
    passes = run.run_passes(short, ToyCodec(), measure_psnr)
    frames = run_files.frame_table(short, ToyCodec(), passes)
    found = network_summary(frames, to_frame(passes.session.packets), short.source.fps)
    assert len(frames) == math.ceil(fps) and found["goodput_kbps"] > 0


def test_the_shipped_trace_is_what_the_lines_beside_it_make(capsys: pytest.CaptureFixture[str]) -> None:
    page = (TRACE.parent / "README.md").read_text(encoding="utf-8")
    exec(page.split("```python")[1].split("```")[0], {})
    assert capsys.readouterr().out == TRACE.read_text(encoding="utf-8")


def test_the_shipped_trace_carries_300_kbit_a_second() -> None:
    stamps = traces.read_mahimahi(TRACE)
    assert len(stamps) * 12 / (stamps[-1] / 1000) == 300
