"""The evaluation table: paired losses, rates of whole files, quality of every case."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec.bitstream import write_vqs
from codec.conceal import METHODS
from codec.errors import ImageError
from codec.evaluate import Cases, drop_blocks, evaluate_folder
from codec.images import save_png
from tests.codec.tiny import photograph, tiny_codec

CODEC = tiny_codec()


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    for seed in (1, 2):
        save_png(tmp_path / f"picture{seed}.png", photograph(64, 80, seed))
    return evaluate_folder(CODEC, tmp_path, Cases(loss=(0.0, 0.4), methods=METHODS, seeds=2, bpp=(None, 0.2)))


def test_every_case_has_a_row(table: pd.DataFrame) -> None:
    assert len(table) == 2 * 2 * (1 + len(METHODS) * 2)
    assert table["psnr_db"].notna().all()


def test_all_methods_meet_the_same_holes(table: pd.DataFrame) -> None:
    lossy = table[table["loss"] > 0]
    assert (lossy.groupby(["image", "bpp_requested", "seed"], dropna=False)["holes"].nunique() == 1).all()


def test_bpp_is_eight_times_the_bytes_of_the_whole_file_over_the_pixels(table: pd.DataFrame, tmp_path: Path) -> None:
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
        evaluate_folder(CODEC, tmp_path, Cases())


def test_right_guesses_are_counted_against_the_truth(table: pd.DataFrame) -> None:
    zero = table[(table["concealment"] == "zero") & table["holes_right"].notna()]
    assert zero["holes_right"].between(0, 1).all()
    assert np.isnan(table[table["loss"] == 0]["holes_right"]).all()
