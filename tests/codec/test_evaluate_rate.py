"""The table of rate and quality: true bytes, missing codecs named, curves that can be told apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec import evaluate_baselines as baselines
from codec import granularity_map
from codec.errors import RequestError
from codec.evaluate import evaluate_losses, evaluate_rates
from codec.evaluate_figures import image_bytes, loss_figure
from codec.evaluate_loss import Cases
from codec.evaluate_pictures import Judge
from codec.evaluate_rate import known_codecs, rate_means, rate_table
from codec.images import save_png
from codec.quadtree import expand
from codec.refine import Refinement
from tests.codec.tiny import photograph, tiny_codec

CODEC = tiny_codec()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (1, 2):
        save_png(tmp_path / f"picture{seed}.png", photograph(48, 64, seed))
    return tmp_path


def test_rows_weigh_the_whole_file_of_each_codec(folder: Path) -> None:
    table = rate_table(CODEC, folder, ["vq", "jpeg"], [0.2, 0.28], Judge(), print)
    assert len(table) == 2 * (2 + len(baselines.BASELINES["jpeg"].settings))
    assert (table["bpp"] == 8 * table["bytes"] / (48 * 64)).all()
    row = table[(table["codec"] == "jpeg") & (table["setting"] == "quality 8")].iloc[0]
    assert row["bytes"] == len(baselines.encode("jpeg", photograph(48, 64, 1), 8))
    assert {"psnr_db", "ssim", "encode_s", "decode_s"} <= set(table.columns)
    maps = table.set_index("codec")["bpp_map"]
    assert maps["jpeg"].isna().all() and (maps["vq"] > 0).all() and (maps["vq"] < 0.1 * table["bpp"].min()).all()
    assert "bpp_map" in rate_means(table)


def test_the_map_that_a_table_tells_is_that_of_its_tokens(folder: Path) -> None:
    table = rate_table(CODEC, folder, ["vq"], [0.28], Judge(), print)
    for seed, told in ((1, table["bpp_map"][0]), (2, table["bpp_map"][1])):
        quarters = expand(CODEC.encode(photograph(48, 64, seed), bpp=0.28).level)
        counts = np.bincount(granularity_map.kinds_of(quarters), minlength=6)
        assert told == pytest.approx(float(granularity_map.cost(counts)[0]) / 65536 / (48 * 64))


def test_refined_tokens_stand_beside_the_nearest_at_the_same_rates(folder: Path) -> None:
    table = rate_table(CODEC, folder, ["vq", "jpeg"], [0.2, 0.28], Judge(), print, Refinement(steps=4))
    assert list(table["codec"].unique()) == ["vq", "vq_refined", "jpeg"]
    mean = table.groupby(["codec", "setting"])[["bpp", "psnr_db"]].mean()
    for setting, rate in (("bpp 0.2", 0.2), ("bpp 0.28", 0.28)):
        assert mean.loc[("vq_refined", setting), "bpp"] <= rate
        assert mean.loc[("vq_refined", setting), "psnr_db"] > mean.loc[("vq", setting), "psnr_db"]


def test_names_that_differ_in_their_suffix_alone_stay_apart(folder: Path) -> None:
    save_png(folder / "picture1.webp", photograph(48, 64, 3))  # content decides, not the name
    table = rate_table(CODEC, folder, ["vq"], [0.2], Judge(), print)
    assert set(table["image"]) == {"picture1.png", "picture1.webp", "picture2"}


@pytest.mark.parametrize("name", baselines.BASELINES)
def test_baselines_go_there_and_back_and_more_rate_is_better(name: str) -> None:
    if not baselines.available(name):
        pytest.skip(f"this Pillow has no {name}")
    picture, judge = photograph(64, 64), Judge()
    settings = baselines.settings_of(name, (0.5, 3.0))
    low, high = (baselines.encode(name, picture, setting) for setting in (settings[0], settings[-1]))
    assert len(low) < len(high)
    assert judge(picture, baselines.decode(low))["psnr_db"] < judge(picture, baselines.decode(high))["psnr_db"]


def test_a_codec_that_pillow_lacks_is_named_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "available", lambda name: name != "avif")
    said: list[str] = []
    assert known_codecs(["vq", "avif", "jpeg"], said.append) == ["vq", "jpeg"]
    assert said == ["avif is skipped: this Pillow was built without it"]
    with pytest.raises(RequestError, match="none of these"):
        known_codecs(["avif"], said.append)


def test_nothing_left_to_run_is_an_error_that_names_the_rates(folder: Path) -> None:
    said: list[str] = []
    with pytest.raises(RequestError, match="no picture can be had at any of these rates, got '9'"):
        rate_table(CODEC, folder, ["vq"], [9.0], Judge(), said.append)
    assert [line.split(" is skipped")[0] for line in said] == ["picture1: vq at 9 bpp", "picture2: vq at 9 bpp"]


def test_means_are_over_the_pictures_of_each_setting() -> None:
    seconds = {"encode_s": 0.1, "decode_s": 0.2}
    rows = [
        {"image": i, "codec": "vq", "setting": s, "bytes": b, "bpp": b / 100, "psnr_db": p, **seconds}
        for i, s, b, p in (("a", "bpp 1", 10, 20.0), ("b", "bpp 1", 30, 22.0), ("a", "bpp 2", 40, 25.0))
    ]
    means = rate_means(pd.DataFrame(rows))
    assert means["images"].tolist() == [2, 1]
    assert means["bytes"].tolist() == [20, 40] and means["psnr_db"].tolist() == [21, 25]


def test_figures_have_a_panel_a_metric_and_are_the_same_twice(folder: Path) -> None:
    rate = evaluate_rates(CODEC, folder, ["vq", "jpeg"], [0.2, 0.28], Judge(), print)
    assert [panel.get_ylabel() for panel in rate.figure.axes] == ["PSNR (dB)", "SSIM"]  # too small for MS-SSIM
    assert {panel.get_xscale() for panel in rate.figure.axes} == {"log"}
    curves = rate.figure.axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker()) for line in curves}) == len(curves) == 2
    loss = evaluate_losses(CODEC, folder, Cases(loss=(0.2, 0.5), methods=("zero", "none")), Judge())
    assert len(loss.figure.axes) == 2
    for line in loss.figure.axes[0].get_lines():
        assert np.asarray(line.get_xdata()).tolist() == [0, 20, 50]
    once, twice = (image_bytes(loss_figure(loss.means), "svg") for _ in range(2))
    assert once == twice
