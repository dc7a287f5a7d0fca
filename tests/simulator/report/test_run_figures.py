"""Figures from the files of a run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from simulator import run
from simulator.errors import OutputError
from simulator.report import run_figures, write_figures
from tests.simulator.small import lossy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.run(lossy(), tmp_path_factory.mktemp("results")).folder


def test_plots_come_as_png_and_svg_and_the_strip_as_png(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == ["arrivals.png", "arrivals.svg", "quality.png", "quality.svg", "strip.png"]
    for path in (folder / "figures").glob("*.png"):
        assert np.asarray(Image.open(path).convert("L")).std() > 5, f"{path.name} is blank"


def test_figures_say_what_they_show_with_units(folder: Path) -> None:
    quality, arrivals = ((folder / "figures" / f"{name}.svg").read_text() for name in ("quality", "arrivals"))
    for words in ("PSNR (dB)", "capture time (s)", "nothing lost (mean", "lost, concealed (mean", "seed 1, codec toy"):
        assert words in quality
    for words in ("fate of each packet", "delivered", "lost", "blocks of the frame (%)", "concealed (mean"):
        assert words in arrivals


def test_figures_name_the_run_that_made_them(folder: Path) -> None:
    with Image.open(folder / "figures" / "strip.png") as picture:
        source = picture.info["Source"]
    assert source.startswith(f"lossy_20pct/{folder.name}, seed 1, vqstream ") and source.endswith(", codec toy")
    assert source in (folder / "figures" / "quality.svg").read_text()


def test_figures_made_again_from_the_files_are_the_same_bytes(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    written = write_figures(folder)
    assert {path.name: path.read_bytes() for path in written} == before


def test_every_fate_has_a_colour_of_its_own() -> None:
    assert len(set(run_figures.FATES.values())) == len(run_figures.FATES) == 6


def test_frozen_frames_and_all_fates_can_be_drawn() -> None:
    fates = list(run_figures.FATES)
    count = len(fates)
    frames = pd.DataFrame(
        {
            "scenario": "x", "seed": 1, "codec": "toy", "frame": range(count), "frozen": [True, True] + [False] * 4,
            "time_capture_ms": np.arange(count) * 40.0, "psnr_db": 30.0, "psnr_db_lossless": 31.0,
        }
    )  # fmt: skip
    packets = pd.DataFrame({"kind": "media", "frame": range(count), "fate": fates})
    figure = run_figures.arrivals_figure(frames, packets, np.zeros((count, 2, 2), np.uint8))
    legend = figure.axes[0].get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        f.replace("_", " ") for f in fates
    ]
    assert "frozen (33.3% of frames)" in str(run_figures.quality_figure(frames).axes[0].get_legend_handles_labels()[1])


def test_only_measured_metrics_get_a_panel() -> None:
    table = pd.DataFrame({"ssim": [None], "ssim_lossless": [None], "flip": [0.1], "flip_lossless": [0.1]})
    assert run_figures.quality_columns(table) == ["flip"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no figures can be made"):
        write_figures(tmp_path)


def test_legends_stand_above_their_panels_within_the_figure(folder: Path) -> None:
    frames, packets = (pd.read_parquet(folder / f"{name}.parquet") for name in ("frames", "packets"))
    states = np.load(folder / "frames" / "blocks.npz")["block_state"]
    for figure in (run_figures.quality_figure(frames), run_figures.arrivals_figure(frames, packets, states)):
        figure.draw_without_rendering()
        (title,) = (text.get_window_extent() for text in figure.texts)
        for panel in figure.axes:
            legend = panel.get_legend().get_window_extent()
            assert legend.y0 >= panel.get_window_extent().y1 - 1 and legend.x1 <= figure.bbox.x1
            assert legend.y1 <= title.y0


def test_means_keep_their_zeros() -> None:
    frames = pd.DataFrame(
        {"scenario": "x", "seed": 1, "codec": "toy", "frame": [0, 1], "frozen": False, "time_capture_ms": [0.0, 40.0],
         "ssim": 0.45, "ssim_lossless": 0.5}
    )  # fmt: skip
    said = run_figures.quality_figure(frames).axes[0].get_legend_handles_labels()[1]
    assert said == ["nothing lost (mean 0.500)", "lost, concealed (mean 0.450)"]
