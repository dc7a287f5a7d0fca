"""The table of films: real slices lost, the same for every method, intervals by clip and loss pattern."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec.errors import RequestError
from codec.evaluate_bootstrap import nested_draws
from codec.evaluate_figures import film_figure
from codec.evaluate_films import EVERY_CLIP, Film, FilmCases, conceal, film_means, film_table, holds_films
from codec.evaluate_pictures import Judge
from codec.films import first_frames
from codec.images import save_png
from codec.surprise import coarse_truth, static_bits
from codec.tokens import with_lost_blocks
from tests.codec.tiny import photograph, tiny_codec

CODEC = tiny_codec()
CASES = FilmCases(loss=(0.3,), seeds=2, packets=3, frames=4, side=64)


def write_clip(path: Path, frames: list[np.ndarray]) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    wide = photograph(64, 96, 3)
    write_clip(folder / "still.mkv", [photograph(64, 64, 1)] * 4)
    write_clip(folder / "pan.mkv", [wide[:, 2 * number : 2 * number + 80] for number in range(6)])
    return folder


@pytest.fixture(scope="module")
def table(clips: Path) -> pd.DataFrame:
    return film_table(CODEC, clips, CASES, Judge())


def test_every_case_has_a_row_and_all_methods_meet_the_same_holes(table: pd.DataFrame) -> None:
    assert len(table) == 2 * (1 + 2 * len(CASES.methods))
    lossy = table[table["loss"] > 0]
    assert (lossy.groupby(["clip", "seed"])["holes"].nunique() == 1).all()
    assert lossy["holes"].between(0.01, 0.99).all()


def test_frames_are_the_first_ones_and_the_centred_square(clips: Path) -> None:
    frames = first_frames(clips / "pan.mkv", 2, 64)
    wide = photograph(64, 96, 3)
    assert np.array_equal(frames, np.stack([wide[:, 8:72], wide[:, 10:74]]))


def test_a_lost_packet_is_a_lost_slice_and_a_higher_loss_takes_more() -> None:
    film = Film.encode(CODEC, np.stack([photograph(64, 80, seed) for seed in range(5)]), None, 4)
    few, many = (film.receive(CODEC, loss, seed=2) for loss in (0.2, 0.7))
    assert all((b.known <= a.known).all() for a, b in zip(few, many, strict=True))
    assert {int(tokens.known.sum()) for tokens in many} <= {0, 5, 10, 15, 20}, "20 blocks in 4 slices"
    assert sum(int((~tokens.known).sum()) for tokens in many) > sum(int((~tokens.known).sum()) for tokens in few)


def test_a_still_film_is_copied_without_a_fault_once_each_block_has_come() -> None:
    film = Film.encode(CODEC, np.stack([photograph(64, 64)] * 3), None, 4)
    holed = [film.tokens[0], *film.receive(CODEC, 0.5, 1)[1:]]
    copied = conceal(CODEC, [holed], "copy_previous")[0]
    assert all(np.array_equal(frame.tokens.index, film.tokens[0].index) for frame in copied)


def test_surprise_is_measured_on_what_was_lost(table: pd.DataFrame) -> None:
    bits = table[table["loss"] > 0].groupby("concealment")["bits_missing"].mean()
    assert 3.5 < bits["expected"] < 4.5, "16 codewords, an untrained transformer"
    seeing = bits[["expected+temporal", "copy_or_expected+temporal"]]
    assert (seeing < bits["expected"] - 0.6).all(), "one film stands still"
    assert table[table["concealment"] == "zero"]["bits_missing"].isna().all()


def test_static_bits_are_those_of_the_histogram() -> None:
    tokens = CODEC.encode(photograph(64, 64))
    holed = with_lost_blocks(tokens, np.arange(16) % 2 == 0)
    counts = CODEC.tables.weights[0] / CODEC.tables.weights[0].sum()
    wanted = -np.log2(counts[coarse_truth(tokens)[::2]])
    assert static_bits(CODEC.tables, holed, tokens) == pytest.approx(wanted, abs=1e-4)
    assert len(CODEC.missing_bits([holed], [tokens])[0]) == 8


def test_split_blocks_have_no_coarse_token_to_be_surprised_by() -> None:
    tokens = CODEC.encode(photograph(64, 64), ratios=(0.0, 1.0, 0.0))
    holed = with_lost_blocks(tokens, np.ones(16, bool))
    assert not len(CODEC.missing_bits([holed], [tokens])[0]) and not len(static_bits(CODEC.tables, holed, tokens))


def test_means_pair_methods_by_clip_and_seed(table: pd.DataFrame) -> None:
    means = film_means(table, "zero").set_index(["clip", "concealment"])
    lossy = table[table["loss"] > 0].set_index(["clip", "seed", "concealment"])["psnr_db"].unstack()
    row = means.loc[(EVERY_CLIP, "expected")]
    assert row["psnr_db_difference"] == pytest.approx((lossy["expected"] - lossy["zero"]).mean())
    assert row["psnr_db_difference_low"] <= row["psnr_db_difference"] <= row["psnr_db_difference_high"]
    assert means.loc[(EVERY_CLIP, "zero"), "psnr_db_difference"] == 0
    seeing = means.loc[(EVERY_CLIP, "expected+temporal")]
    assert seeing["psnr_db_lost_share"] == pytest.approx(seeing["psnr_db_lost"] / row["psnr_db_lost"])
    assert means.loc[("still", "none lost"), "psnr_db"] == pytest.approx(
        table[(table["clip"] == "still") & (table["loss"] == 0)]["psnr_db"].item()
    )


def test_the_figure_has_a_panel_for_each_metric(table: pd.DataFrame) -> None:
    figure = film_figure(film_means(table, "zero"))
    assert [axes.get_xlabel() for axes in figure.axes] == ["PSNR lost (dB)", "SSIM lost"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [EVERY_CLIP, "pan", "still"]


def test_nested_draws_keep_seeds_in_their_clip() -> None:
    values = np.array([[1.0, 1.0], [5.0, 5.0]])
    drawn = values[nested_draws(2, 2)].mean((1, 2))
    assert set(drawn.tolist()) == {1.0, 3.0, 5.0}


def test_unknown_methods_and_those_that_cannot_look_back_are_refused() -> None:
    for method in ("magic", "zero+temporal", "neighbour_mean+temporal"):
        with pytest.raises(RequestError, match=r"expected\+temporal"):
            FilmCases(methods=(method,))


def test_pictures_come_before_clips(clips: Path, tmp_path: Path) -> None:
    assert holds_films(clips) and not holds_films(tmp_path)
    save_png(tmp_path / "a.png", photograph(32, 32))
    (tmp_path / "a.mp4").touch()
    assert not holds_films(tmp_path)
