"""What sweeps promise of time and equality, on small grids of the shipped codec and the toy one."""

from pathlib import Path

import pytest

from simulator import sweep
from tests.simulator import bars
from tests.simulator.small import SCENARIOS

SMALL = (
    *("--set", "source.count=4", "--set", "source.size=[128, 128]", "--set", "output.frames=0", "--seeds", "1"),
    *("--vary", "channel.loss.rate=0.1,0.4", "--vary", "concealment.method=none,neighbour_mean,argmax,expected"),
)


@pytest.mark.slow
def test_cells_of_the_shipped_codec_equal_separate_runs_and_cost_far_less(tmp_path: Path) -> None:
    """Every cell, byte for byte: in the sweep, a frame was concealed in the company of other cells' frames."""
    found = bars.against_runs(tmp_path, SCENARIOS / "sweep_loss.yaml", SMALL, sample=8)
    assert found.cells == len(found.runs) == 8 and found.unequal == []
    assert found.times("cpu_s") > 2.5  # 8 cells of 4 frames: most of it is the start of Python and torch


@pytest.mark.slow
def test_a_cell_costs_little_beyond_itself_and_a_finished_sweep_nothing(tmp_path: Path) -> None:
    assert bars.overhead_ms(tmp_path, seeds=10) < 5
    told = sweep.status(bars.toy_grid(10), tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in told.folder.rglob("*")}
    assert bars.again(tmp_path, seeds=10).cpu_s < 3 and told.done == 200
    assert {path: path.stat().st_mtime_ns for path in told.folder.rglob("*")} == kept
