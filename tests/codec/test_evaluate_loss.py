"""The table of robustness: paired losses, rates of whole files, intervals by image."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec.conceal import MEANS, METHODS
from codec.errors import ImageError, RequestError
from codec.evaluate_bootstrap import interval
from codec.evaluate_loss import Cases, drop_blocks, loss_means, loss_table, reference_method
from codec.evaluate_pictures import Judge
from codec.images import save_png
from codec.vqs import write_vqs
from tests.codec.tiny import photograph, tiny_codec

CODEC = tiny_codec()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in (1, 2):
        save_png(folder / f"picture{seed}.png", photograph(64, 80, seed))
    return loss_table(CODEC, folder, Cases(loss=(0.0, 0.4), methods=METHODS, seeds=2, bpp=(None, 0.2)), Judge())


def test_every_case_has_a_row(table: pd.DataFrame) -> None:
    assert len(table) == 2 * 2 * (1 + len(METHODS) * 2)
    assert table["psnr_db"].notna().all()


def test_all_methods_meet_the_same_holes(table: pd.DataFrame) -> None:
    lossy = table[table["loss"] > 0]
    assert (lossy.groupby(["image", "bpp_requested", "seed"], dropna=False)["holes"].nunique() == 1).all()


def test_bpp_is_eight_times_the_bytes_of_the_whole_file_over_the_pixels(table: pd.DataFrame) -> None:
    row = table.iloc[0]
    tokens = CODEC.encode(photograph(64, 80, 1))
    size = len(write_vqs((64, 80), CODEC.to_slices(tokens, 1), CODEC.hash))
    assert row["bytes"] == size and row["bpp"] == pytest.approx(8 * size / (64 * 80))


def test_a_higher_loss_takes_the_same_blocks_and_more() -> None:
    tokens = CODEC.encode(photograph(96, 96))
    few, many = (drop_blocks(tokens, rate, seed=5).known for rate in (0.2, 0.6))
    assert (~few <= ~many).all() and (~few).sum() < (~many).sum()


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no PNG, JPEG or WebP"):
        loss_table(CODEC, tmp_path, Cases(), Judge())


def test_right_guesses_are_counted_against_the_truth(table: pd.DataFrame) -> None:
    zero = table[(table["concealment"] == "zero") & table["holes_right"].notna()]
    assert zero["holes_right"].between(0, 1).all()
    assert np.isnan(table[table["loss"] == 0]["holes_right"]).all()


def test_the_surprise_of_a_lost_token_is_that_of_the_transformer(table: pd.DataFrame) -> None:
    lossy = table[(table["loss"] > 0) & table["bpp_requested"].isna()]
    asked = lossy["concealment"].isin(["argmax", *MEANS])
    assert lossy[asked]["bits_missing"].between(3, 5).all() and lossy[~asked]["bits_missing"].isna().all()
    assert lossy.groupby(["image", "seed"])["bits_static"].nunique().eq(1).all()


def test_what_a_loss_cost_is_counted_picture_by_picture_from_the_same_one_with_none_lost(table: pd.DataFrame) -> None:
    coarse = table[table["bpp_requested"].isna()]
    whole = coarse[coarse["loss"] == 0].set_index("image")["psnr_db"]
    lossy = coarse[coarse["concealment"] == "argmax"].groupby("image")["psnr_db"].mean()
    means = loss_means(table, "neighbour_mean")
    row = means[(means["concealment"] == "argmax") & means["bpp_requested"].isna()].iloc[0]
    assert row["psnr_db_lost"] == pytest.approx((whole - lossy).mean())
    assert row["psnr_db_lost_low"] <= row["psnr_db_lost"] <= row["psnr_db_lost_high"]


def test_differences_are_zero_for_the_reference_and_paired_for_the_others(table: pd.DataFrame) -> None:
    means = loss_means(table, "zero").set_index(["bpp_requested", "concealment"]).loc[0.2]
    columns = ["psnr_db_difference", "psnr_db_difference_low", "psnr_db_difference_high"]
    assert (means.loc["zero", columns] == 0).all()
    assert means.loc["none", "psnr_db_difference"] == pytest.approx(
        means.loc["none", "psnr_db"] - means.loc["zero", "psnr_db"]
    )
    assert means.loc["none lost", columns].isna().all()


def test_a_lower_distance_counts_as_better() -> None:
    case = {"image": "a", "bpp_requested": None, "bpp": 0.04, "seed": 1, "holes_right": 0.0, "psnr_db": 20.0}
    case |= {"bits_missing": 7.0, "bits_static": 9.0}
    rows = [
        {**case, "loss": 0.0, "concealment": "none lost", "squeeze": 0.6},
        {**case, "loss": 0.2, "concealment": "zero", "squeeze": 0.8},
    ]
    means = loss_means(pd.DataFrame(rows), "zero")
    assert means["squeeze_lost"].tolist() == pytest.approx([0.0, 0.2])


def test_the_interval_of_a_mean_narrows_with_the_root_of_the_number_of_pictures() -> None:
    draws = np.random.default_rng(0).normal(5, 2, 400)
    wide, narrow = interval(draws[:100]), interval(draws)
    for n, (low, high) in ((100, wide), (400, narrow)):  # normal theory: 1.96 x 2 / sqrt(n), within 15 %
        assert (high - low) / 2 == pytest.approx(1.96 * 2 / n**0.5, rel=0.15)
    assert narrow[0] < draws.mean() < narrow[1]


def test_one_picture_has_no_interval() -> None:
    assert np.isnan(interval(np.array([3.0]))).all()


def test_the_reference_is_the_wanted_one_else_the_neighbour_mean_else_the_first() -> None:
    assert reference_method(METHODS, "zero") == "zero"
    assert reference_method(METHODS) == "neighbour_mean"
    assert reference_method(("zero", "argmax")) == "zero"
    with pytest.raises(RequestError, match="--against"):
        reference_method(("zero",), "argmax")
