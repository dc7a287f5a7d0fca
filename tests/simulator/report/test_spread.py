"""Distributions of delays and freezes: each transmission counts once."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator.errors import OutputError
from simulator.report.axes import shifts
from simulator.report.read import read
from simulator.report.spread import networks, packet_delays, spread_drawings
from simulator.report.study import Study, study
from simulator.report.style import style
from tests.simulator.report import made


def frozen_at(frames: tuple[int, ...], losses: tuple[float, ...] = (0.0, 0.2)) -> Study:
    """Two losses, two methods, three seeds; at the larger loss these frames of seed 2 stood still."""
    known = made.results(made.straight, losses)
    rows = known.frames
    still = (rows["seed"] == 2) & rows["cell"].str.startswith("0.2") & rows["frame"].isin(frames)
    return study(replace(known, frames=rows.assign(frozen=still)))


def test_methods_that_share_a_transmission_do_not_count_its_freezes_twice() -> None:
    assert "The picture froze once in 6 transmissions, for 40 ms." in spread_drawings(frozen_at((1,)))[1]
    assert "The picture froze 2 times in 6 transmissions, for 40 ms each." in spread_drawings(frozen_at((1, 3)))[1]
    assert "The picture never froze in 6 transmissions." in spread_drawings(frozen_at(()))[1]


def test_a_sweep_shows_the_delays_of_its_packets_once(sweep: Path) -> None:
    known = study(read(sweep))
    sent = networks(known)
    assert len(sent) == len(known.cells) / 2
    delays = packet_delays(known, sent)
    tables = [pd.read_parquet(sweep / "cells" / cell / "packets.parquet") for cell in sent["cell"]]
    assert len(delays) == sum(int(table["time_arrived_ms"].notna().sum()) for table in tables)
    assert delays["value"].between(1, 500).all() and set(delays["loss"]) == {0.0, 0.2, 0.4}
    with style():
        (drawing,) = [each for each in spread_drawings(known)[0] if each.name == "packet_delay"]
    assert f"({(delays['loss'] == 0.4).sum()})" in drawing.caption


def test_packets_that_are_gone_draw_nothing_and_torn_ones_are_named(sweep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sweep, tmp_path / "x", ignore=shutil.ignore_patterns("frames"))
    (cell, *others) = sorted((copy / "cells").iterdir())
    for other in others:
        shutil.rmtree(other)
    known = study(read(copy))
    assert set(packet_delays(known, known.cells)["loss"]) <= {0.0, 0.2, 0.4}
    (cell / "packets.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutputError, match="packets.parquet: cannot be read; it may be torn"):
        packet_delays(known, known.cells)
    shutil.rmtree(cell)
    assert packet_delays(known, known.cells).empty


def test_bars_stand_beside_one_another_and_never_meet_those_of_the_next_loss() -> None:
    losses = np.array([0.0, 0.01, 0.4])
    beside = shifts(losses, 4)
    assert sum(beside) == pytest.approx(0) and np.ptp(beside) < 0.01 and len(set(beside)) == 4
    assert shifts(np.array([0.2]), 3) == [0.0] * 3
