"""One sweep and its report, for all tests that only read them."""

from pathlib import Path

import pytest

from simulator.report.write import Written, write_report
from tests.simulator.report.swept import write_sweep

GRID = {"channel.loss.rate": (0.0, 0.2, 0.4), "concealment.method": ("none", "neighbour_mean")}


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 cells of 12 frames, pictures kept."""
    return write_sweep(tmp_path_factory.mktemp("sweeps"), GRID, seeds=3)


@pytest.fixture(scope="session")
def reported(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of `sweep`."""
    return write_report(sweep, tmp_path_factory.mktemp("report") / "page.html")
