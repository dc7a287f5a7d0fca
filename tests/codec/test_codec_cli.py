"""python -m codec: round trips on tiny weights, and one clean line for every mistake."""

import re
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codec import checkpoint
from codec.arguments import rates, ratios, share
from codec.cli import main
from codec.conceal import METHODS
from codec.entropy import MODELS
from codec.images import open_image, save_png
from codec.interleave import METHODS as INTERLEAVES
from codec.model import Codec
from tests.codec.tiny import TINY, photograph, tiny_tensors


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for network, tensors in zip(("tokenizer", "predictor"), tiny_tensors(), strict=True):
        checkpoint.save(folder / f"{network}.safetensors", network, TINY, tensors, {"steps": "0"})
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    save_png(tmp_path / "photo.png", photograph(50, 70))
    return tmp_path / "photo.png"


@pytest.fixture
def stream(image: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """photo.vqs: mixed, four slices."""
    out = image.with_suffix(".vqs")
    assert run("encode", image, out, "--ratios", "0.2,0.3,0.5", "--slices", 4, "--weights", weights) == 0
    capsys.readouterr()
    return out


def run(*words: object) -> int:
    return main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line on stderr of a command that must fail with exit code 2."""
    try:
        code = run(*words)
    except SystemExit as exit_:  # from argparse
        code = int(exit_.code or 0)
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    assert printed.err.count("\n") == 1 and printed.err.startswith("python -m codec")
    return printed.err


def test_a_picture_goes_to_a_file_and_back_at_its_own_size(
    image: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, back = tmp_path / "x.vqs", tmp_path / "back.png"
    assert run("encode", image, file, "--weights", weights) == 0
    said = capsys.readouterr().out
    size = file.stat().st_size
    assert f"{size} bytes, {8 * size / 3500:.4f} bits per pixel, 20 tokens (20 coarse, 0 medium, 0 fine)" in said
    assert run("decode", file, back, "--weights", weights) == 0
    assert "70x50 pixels\n" in capsys.readouterr().out
    assert open_image(back).shape == (50, 70, 3)


@pytest.mark.parametrize("limit", [("--bpp", 0.2), ("--kbytes", 0.0875)])
def test_a_file_is_as_large_as_was_asked_for(limit: tuple[object, ...], image: Path, weights: Path) -> None:
    out = image.with_suffix(".vqs")
    for count in (1, 3):
        assert run("encode", image, out, *limit, "--slices", count, "--weights", weights) == 0
        assert 82 <= out.stat().st_size <= 87


def test_a_refined_picture_is_another_file_that_decodes_alike(image: Path, weights: Path, tmp_path: Path) -> None:
    files = [tmp_path / "plain.vqs", tmp_path / "refined.vqs"]
    for file, words in zip(files, ((), ("--refine", 12)), strict=True):
        assert run("encode", image, file, "--ratios", "1,0,0", *words, "--weights", weights) == 0
        assert run("decode", file, file.with_suffix(".png"), "--weights", weights) == 0
    assert files[0].read_bytes() != files[1].read_bytes()
    assert open_image(files[1].with_suffix(".png")).shape == (50, 70, 3)


@pytest.mark.parametrize("rate", [(), ("--ratios", "20%,0.3,0.5"), ("--codebook", 8)])
@pytest.mark.parametrize("entropy_model", MODELS)
def test_every_rate_and_entropy_model_shows_the_same_picture_in_one_or_many_slices(
    rate: tuple[object, ...], entropy_model: str, image: Path, weights: Path, tmp_path: Path
) -> None:
    shown = []
    for count, interleave in ((1, "raster"), (5, "low_discrepancy")):
        words = ("--slices", count, "--interleave", interleave, "--entropy", entropy_model, "--weights", weights)
        assert run("encode", image, tmp_path / "x.vqs", *rate, *words) == 0
        assert run("decode", tmp_path / "x.vqs", tmp_path / "x.png", "--weights", weights) == 0
        shown.append(open_image(tmp_path / "x.png"))
    assert np.array_equal(shown[0], shown[1])


def test_a_context_file_tells_that_another_predictor_made_it_and_can_be_salvaged(
    image: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "x.vqs", tmp_path / "other"
    made = ("--slices", 2, "--entropy", "context", "--codebook", 8, "--weights", weights)
    assert run("encode", image, file, *made) == 0
    capsys.readouterr()
    run("info", file)
    assert "entropy model      context" in capsys.readouterr().out
    shutil.copytree(weights, other)
    checkpoint.save(other / "predictor.safetensors", "predictor", TINY, tiny_tensors(1)[1], {})
    assert "2 of 2 slices fail their checksum. It needs the predictor" in refused(
        capsys, "decode", file, tmp_path / "x.png", "--weights", other
    )
    assert run("decode", file, tmp_path / "x.png", "--salvage", "--weights", other) == 0
    assert "20 of 20 blocks lost" in capsys.readouterr().out


@pytest.mark.parametrize("method", METHODS)
def test_every_concealment_fills_what_is_dropped(
    method: str, stream: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--drop", 0.5, "--seed", 3, "--conceal", method, "--weights", weights)
    assert run("decode", stream, tmp_path / "x.png", *words) == 0
    lost = int(np.sum(np.random.default_rng(3).random(20) < 0.5))
    assert f"{lost} of 20 blocks lost ({method})" in capsys.readouterr().out


def test_a_larger_share_loses_the_same_blocks_and_more(stream: Path, weights: Path, tmp_path: Path) -> None:
    grey = []
    for drop in ("10%", "40%", "100%"):
        words = ("--drop", drop, "--conceal", "none", "--weights", weights)
        assert run("decode", stream, tmp_path / "x.png", *words) == 0
        grey.append((open_image(tmp_path / "x.png") == 128).all(axis=2))
    assert (grey[0] <= grey[1]).all() and grey[2].all()


def test_chosen_slices_are_lost(
    stream: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("decode", stream, tmp_path / "x.png", "--drop-slices", "0,2", "--weights", weights) == 0
    assert "10 of 20 blocks lost (expected)" in capsys.readouterr().out


def test_a_damaged_slice_is_refused_and_on_request_concealed(
    stream: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(stream.read_bytes())
    data[-1] ^= 1
    stream.write_bytes(data)
    assert run("decode", stream, tmp_path / "x.png", "--weights", weights) == 2
    assert "1 of 4 slices fail their checksum. Fetch the file again, or add --salvage" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
    assert run("decode", stream, tmp_path / "x.png", "--salvage", "--weights", weights) == 0
    assert "5 of 20 blocks lost" in capsys.readouterr().out


def test_info_tells_a_file_without_weights(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", stream) == 0
    said = capsys.readouterr().out
    for fact in ("70x50", "mixed", "static", "4 (low_discrepancy)", str(stream.stat().st_size)):
        assert fact in said


def test_info_tells_the_weights(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "--weights", weights) == 0
    assert re.search(r"sha256 +[0-9a-f]{64}\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [("--loss", 0, "20%", "--conceal", "zero", "expected"), ("--loss=0,20%", "--conceal=zero,expected")]
)
def test_evaluate_with_losses_writes_tables_and_figures(
    words: tuple[object, ...], image: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.csv"
    assert run("evaluate", image.parent, *words, "--seeds", 2, "--out", out, "--weights", weights) == 0
    table, means = pd.read_csv(out), pd.read_csv(tmp_path / "table_mean.csv")
    assert len(table) == 1 + 2 * 2 and len(means) == 1 + 2
    assert {"image", "bpp", "loss", "concealment", "psnr_db", "ssim"} <= set(table.columns)
    assert (tmp_path / "table.png").stat().st_size > 1000 and (tmp_path / "table.svg").stat().st_size > 1000
    said = capsys.readouterr().out
    assert "psnr_db_difference" in said and "table.svg" in said


def test_evaluate_without_losses_compares_codecs_and_says_which_rates_are_refused(
    image: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rates.csv"
    words = ("--bpp", "0.2,9", "--codecs", "vq,jpeg", "--out", out, "--weights", weights)
    assert run("evaluate", image.parent, *words) == 0
    printed = capsys.readouterr()
    assert "photo: vq at 9 bpp is skipped: bpp: " in printed.err and "rates_mean.csv" in printed.out
    assert set(pd.read_csv(out)["codec"]) == {"vq", "jpeg"}


def test_the_confidence_map_is_white_where_received_and_darker_in_holes(
    stream: Path, weights: Path, tmp_path: Path
) -> None:
    words = ("--drop", 0.5, "--confidence", tmp_path / "map.png", "--weights", weights)
    assert run("decode", stream, tmp_path / "x.png", *words) == 0
    sure = open_image(tmp_path / "map.png")[..., 0]
    lost = np.random.default_rng(1).random(20).reshape(4, 5) < 0.5
    holes = lost.repeat(16, 0).repeat(16, 1)[:50, :70]
    assert (sure[~holes] == 255).all() and (sure[holes] < 255).all()


def test_mistakes_end_in_one_line_and_exit_code_two(
    image: Path, stream: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, shown, use = tmp_path / "out.vqs", tmp_path / "out.png", ("--weights", weights)
    small = tmp_path / "small" / "small.png"
    small.parent.mkdir()
    save_png(small, photograph(16, 15))
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    other = tmp_path / "other.vqs"
    other.write_bytes(stream.read_bytes()[:8] + b"ab" + stream.read_bytes()[10:])
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("required: VERB", ()),
        ("invalid choice: 'encod'", ("encod",)),
        ("no such file", ("encode", tmp_path / "no.png", out, *use)),
        ("at least 16x16 pixels, got '15x16'", ("encode", small, out, *use)),
        ("no picture of a known kind", ("encode", stream, out, *use)),
        ("no such weights file", ("encode", image, out, "--weights", tmp_path)),
        ("the most that this picture can be had for is", ("encode", image, out, "--bpp", 9, *use)),
        ("the least that this picture can be had for is", ("encode", image, out, "--bpp", 0.001, *use)),
        ("no such codebook, got 9. Available: 8, 16", ("encode", image, out, "--codebook", 9, *use)),
        ("choose the codebook themselves", ("encode", image, out, "--bpp", 0.2, "--codebook", 8, *use)),
        ("not allowed with", ("encode", image, out, "--bpp", 1, "--kbytes", 1, *use)),
        ("--bpp: must be a number above 0, got 'x'. Example: 0.2", ("encode", image, out, "--bpp", "x", *use)),
        ("not allowed with", ("encode", image, out, "--bpp", 1, "--ratios", "0,0,1", *use)),
        ("sum to 1", ("encode", image, out, "--ratios", "0.5,0.5,0.5", *use)),
        ("--squeeze: goes with --refine", ("encode", image, out, "--squeeze", tmp_path / "x.npz", *use)),
        ("cannot read SqueezeNet", ("encode", image, out, "--refine", 2, "--squeeze", tmp_path / "x.npz", *use)),
        ("--refine: goes without --entropy", ("evaluate", image.parent, "--entropy", "static", "--refine", 2, *use)),
        ("--refine: must be a whole number of at least 1, got '0'", ("encode", image, out, "--refine", 0, *use)),
        *(
            ("--bpp: must be a number above 0, got", ("encode", image, out, f"--bpp={bad}"))
            for bad in ("-1", "nan", "inf", "0", "")
        ),
        ("--kbytes: must be a number above 0, got '-1'", ("encode", image, out, "--kbytes", "-1", *use)),
        ("--kbytes: the most that this picture can be had for is", ("encode", image, out, "--kbytes", 9, *use)),
        ("--ratios: must be three shares, fine, medium, coarse, got '0,1'", ("encode", image, out, "--ratios", "0,1")),
        (
            "--ratios: must be a share from 0 to 1, or from 0% to 100%, got '2'",
            ("encode", image, out, "--ratios", "1,2"),
        ),
        ("--ratios: must name at least one, got ''", ("encode", image, out, "--ratios", "")),
        ("IMAGE: must name a file or folder, got ''", ("encode", "", out, *use)),
        ("OUT.vqs: must name a file or folder, got ''", ("encode", image, "", *use)),
        ("photo.png: streams are written as .vqs, got '.png'", ("encode", image, image, *use)),
        ("from 1 to 20", ("encode", image, out, "--slices", 21, *use)),
        (
            "--slices: must be a whole number of at least 1, got '0'. Example: 4",
            ("encode", image, out, "--slices", 0, *use),
        ),
        ("Available: uniform, static, context", ("encode", image, out, "--entropy", "huffman", *use)),
        ("Available: uniform, static, context", ("evaluate", image.parent, "--entropy", "huffman", *use)),
        ("--loss: goes without --entropy", ("evaluate", image.parent, "--entropy", "static", "--loss", "0.1", *use)),
        ("several go with --entropy", ("evaluate", image.parent, "--loss", "0.1", "--slices", "1,4", *use)),
        ("Available: raster, low_discrepancy, checkerboard", ("encode", image, out, "--interleave", "zigzag", *use)),
        ("cannot be written", ("encode", image, tmp_path / "no" / "x.vqs", *use)),
        ("cannot be read (No such file", ("decode", tmp_path / "no.vqs", shown, *use)),
        ("a .vqs file starts with b'VQ'", ("decode", image, shown, *use)),
        ("offset 8, model: the weights at hand are", ("decode", other, shown, *use)),
        ("numbered from 0 to 3, got 4", ("decode", stream, shown, "--drop-slices", "4", *use)),
        *(
            (
                f"--drop: must be a share from 0 to 1, or from 0% to 100%, got '{bad}'. Example: 20%",
                ("decode", stream, shown, f"--drop={bad}"),
            )
            for bad in ("1.2", "-0.1", "nan", "inf", "120%", "%", "", "x")
        ),
        ("--seed: must be a whole number of at least 0, got '-1'", ("decode", stream, shown, "--seed", "-1", *use)),
        (
            "--drop-slices: must be a whole number of at least 0, got 'x'",
            ("decode", stream, shown, "--drop-slices", "x"),
        ),
        ("--confidence: must be another file", ("decode", stream, shown, "--confidence", shown, *use)),
        ("unknown method, got 'magic'. Available: none", ("decode", stream, shown, "--conceal", "magic", *use)),
        ("written as PNG, got '.jpg'", ("decode", stream, tmp_path / "x.jpg", *use)),
        ("written as PNG, got '.jpg'", ("decode", stream, shown, "--confidence", tmp_path / "x.jpg", *use)),
        ("no PNG, JPEG or WebP", ("evaluate", weights, *use)),
        ("NODIR: no such folder. Name a folder of pictures", ("evaluate", tmp_path / "NODIR", *use)),
        ("NODIR: no such folder. Name a folder of pictures", ("evaluate", tmp_path / "NODIR", "--loss", "0.1", *use)),
        ("photo.png: is no folder. Name a folder", ("evaluate", image, "--entropy", "static", *use)),
        ("DIR: must name a file or folder, got ''", ("evaluate", "", *use)),
        ("this is a folder", ("evaluate", image.parent, "--out", folder, *use)),
        (
            "photo.png: would be replaced by a figure",
            ("evaluate", image.parent, "--out", image.with_suffix(".csv"), *use),
        ),
        ("written as CSV, got '.txt'", ("evaluate", image.parent, "--out", tmp_path / "x.txt", *use)),
        ("no such folder", ("evaluate", image.parent, "--out", tmp_path / "no" / "x.csv", *use)),
        ("Available: vq, jpeg", ("evaluate", image.parent, "--codecs", "vq,bpg", *use)),
        ("--codecs: goes without --loss", ("evaluate", image.parent, "--codecs", "vq", "--loss", "0.1", *use)),
        ("--against: goes with --loss", ("evaluate", image.parent, "--against", "zero", *use)),
        (
            "methods in --conceal, got 'none'. Available: expected",
            ("evaluate", image.parent, "--loss", "0.1", "--against", "none", *use),
        ),
        ("unknown method, got 'magic'", ("evaluate", image.parent, "--loss", "0.1", "--conceal", "magic", *use)),
        ("that this picture can be had for is", ("evaluate", image.parent, "--loss", "0.1", "--bpp", "9", *use)),
        ("--bpp: must be a number above 0, got '-1'", ("evaluate", image.parent, "--bpp", "0.1,-1", *use)),
        ("cannot be imported", ("decode", stream, shown, "--conceal", "no_such_module:f", *use)),
        ("no PNG, JPEG or WebP", ("train", "tokenizer", weights, "--out", tmp_path / "run")),
        ("no such weights", ("train", "codebooks", image.parent, "--out", out, "--tokenizer", out)),
        ("required: --tokenizer", ("train", "predictor", weights, "--out", tmp_path / "run")),
        ("no such weights", ("train", "predictor", image.parent, "--out", tmp_path / "run", "--tokenizer", out)),
    ]
    for message, words in cases:
        assert message in refused(capsys, *words)
    assert not out.exists() and not shown.exists()


def test_a_broken_picture_is_named_before_the_others_are_worked_on(
    image: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the first picture was encoded before the last was looked at")

    (image.parent / "z.png").write_bytes(image.read_bytes()[:200])
    monkeypatch.setattr(Codec, "encode_batch", work)
    for words in ((), ("--loss", "0.1"), ("--entropy", "static")):
        assert "z.png: cannot be read" in refused(capsys, "evaluate", image.parent, *words, "--weights", weights)


def test_a_failed_run_leaves_an_older_output_as_it_was(
    image: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.vqs"
    out.write_bytes(b"precious")
    refused(capsys, "encode", image, out, "--ratios", "1,1,1", "--weights", weights)
    assert out.read_bytes() == b"precious"


def test_help_names_every_choice_and_loads_no_torch() -> None:
    script = "import sys, codec.cli as c; [c.build_parser().parse_args(sys.argv[1:])]"
    for verb, names in (("encode", (*MODELS, *INTERLEAVES)), ("decode", METHODS)):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", script, verb, "--help"], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert all(name in done.stdout for name in names)
        assert f"examples:\n  python -m codec {verb}" in done.stdout
        assert not re.search(r"\| +(torch|numpy|constriction)$", done.stderr, re.MULTILINE)


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "codec", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "encode photo.png photo.vqs" in done.stdout


def test_shares_may_be_percent() -> None:
    assert share("20%") == share("0.2") == 0.2
    assert ratios("10%,0.3,60%") == (0.1, 0.3, 0.6)
    assert rates("0.1, 0.2 0.4") == rates("0.1,0.2,0.4") == [0.1, 0.2, 0.4]
    for text in ("-1", "nan", "120%", "", "a"):
        with pytest.raises(ArgumentTypeError, match=f"got '{text}'"):
            share(text)


def test_training_by_hand_makes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, tokens, guesses = tmp_path / "photos", tmp_path / "tokenizer", tmp_path / "predictor"
    photos.mkdir()
    save_png(photos / "photo.png", photograph(256, 272))
    monkeypatch.setattr("codec.config.CodecConfig", lambda: TINY)
    words = ("--batch", 1, "--seed", 5)
    books = tmp_path / "books.safetensors"
    assert run("train", "tokenizer", photos, "--out", tokens, "--steps", 2, "--stop-after", 1, *words) == 0
    assert run("train", "tokenizer", photos, "--out", tokens, "--steps", 2, *words) == 2  # a run is there
    assert run("train", "tokenizer", photos, "--out", tokens, "--steps", 2, "--resume", *words) == 0
    made = tokens / "tokenizer.safetensors"
    assert run("train", "predictor", photos, "--out", guesses, "--tokenizer", made, "--steps", 1, *words) == 0
    (tokens / "predictor.safetensors").write_bytes((guesses / "predictor.safetensors").read_bytes())
    assert Codec.load(tokens).config == TINY
    before = made.read_bytes()
    assert run("train", "codebooks", photos, "--tokenizer", made, "--out", books) == 2  # nothing to hold out
    assert not books.exists()
    assert run("train", "codebooks", photos, "--tokenizer", made, "--out", books, "--tune-steps", 0) == 0
    # Of the same photographs come the same codebooks that the trainer exported.
    assert checkpoint.load(books, "tokenizer")[2] == checkpoint.load(made, "tokenizer")[2]
    assert made.read_bytes() == before


def test_a_stopped_run_says_how_to_go_on(
    image: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("codec.verbs.info", stop)
    assert run("info") == 130
    assert "--resume" in capsys.readouterr().err
