"""The whole path with the toy codec: from scenario to results folder."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from simulator import media_loader, metrics, records, results, run, run_files, scenario
from simulator.errors import MediaError, OutputError, TraceError
from simulator.media import DecodedFrame
from simulator.metrics import measure_psnr
from simulator.scenario_codec_options import OPTIONS, STILLS, wrong_option
from simulator.toy_media import ToyCodec
from tests.simulator.small import SCENARIOS, SHORT, lossy

SHIPPED = sorted(SCENARIOS.glob("*.yaml"))


def files(folder: Path) -> dict[str, bytes]:
    """All files of a run but the two that hold wall-clock time."""
    timed = ("provenance.json", "summary.csv")
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in timed)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one run, for tests that only read."""
    return run.run(lossy(), tmp_path_factory.mktemp("out"), command="python -m simulator run x.yaml").folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of a second; tests of other things do without."""
    monkeypatch.setattr("simulator.report.write_figures", lambda folder: [])


def test_a_run_leaves_exactly_the_promised_files(folder: Path) -> None:
    name = scenario.scenario_hash(lossy())
    assert folder.parts[-2:] == ("lossy_20pct", f"{name}-s1")
    assert {path.name for path in folder.iterdir()} == {
        "scenario.resolved.yaml", "provenance.json", "packets.parquet", "frames.parquet", "summary.csv", "figures",
        "frames",
    }  # fmt: skip
    assert len(list((folder / "frames").glob("*.png"))) == 3 * 4
    assert [path for path in folder.parent.iterdir() if path != folder] == [], "no temporary left"


def test_tables_have_the_promised_columns_and_agree_with_one_another(folder: Path) -> None:
    frames, packets = (pd.read_parquet(folder / f"{name}.parquet") for name in ("frames", "packets"))
    assert list(packets.columns) == [
        "seed", "frame", "packet", "kind", "size_bytes", "time_sent_ms", "time_arrived_ms", "fate", "tokens",
    ]  # fmt: skip
    assert list(frames.columns) == [
        *records.FrameRecord.__dataclass_fields__, "psnr_db_lossless", "psnr_db_holes",
    ]  # fmt: skip
    wire = frames[["bytes_payload", "bytes_header", "bytes_fec", "bytes_retransmitted"]].sum(axis=1)
    assert wire.sum() == packets["size_bytes"].sum() and len(packets) == frames["packets_sent"].sum()
    np.testing.assert_allclose(frames["bpp"], wire * 8 / 64**2)
    missing = packets[packets["fate"] != "delivered"].groupby("frame")["tokens"].sum()
    assert missing.to_dict() == frames.set_index("frame")["tokens_missing"][missing.index].to_dict()
    assert (frames["tokens_correct"] <= frames["tokens_missing"]).all()
    assert set(frames["concealment"]) == {"neighbour_mean"} and set(frames["codec"]) == {"toy"}


def test_blocks_saved_beside_the_pictures_agree_with_the_table(folder: Path) -> None:
    frames = pd.read_parquet(folder / "frames.parquet")
    with np.load(folder / "frames" / "blocks.npz") as arrays:
        received = (arrays["block_state"] == 2).sum(axis=(1, 2))
        assert arrays["confidence"].shape == arrays["block_state"].shape == (12, 4, 4)
    np.testing.assert_array_equal(received, frames["tokens_total"] - frames["tokens_missing"])
    number = int(next((folder / "frames").glob("*_concealed.png")).name[:5])
    sent, seen = (np.asarray(Image.open(folder / "frames" / f"{number:05d}_{v}.png")) for v in ("sent", "concealed"))
    assert metrics.psnr(sent[None], seen[None])[0] == pytest.approx(frames["psnr_db"][number])


def test_same_scenario_and_seed_give_the_same_bytes_and_never_overwrite(tmp_path: Path) -> None:
    folders = [run.run(lossy(), tmp_path).folder for _ in range(2)]
    first = folders[0].name
    assert [folder.name for folder in folders] == [first, f"{first}-2"]
    assert files(folders[0]) == files(folders[1])
    summaries = [pd.read_csv(folder / "summary.csv").drop(columns="wall_s") for folder in folders]
    pd.testing.assert_frame_equal(summaries[0], summaries[1])


@pytest.mark.usefixtures("no_figures")
def test_another_seed_has_other_losses_and_its_own_folder(tmp_path: Path) -> None:
    one, two = (run.run(lossy(seed=seed), tmp_path).folder for seed in (1, 2))
    assert one.name[:12] == two.name[:12] and one.name.endswith("-s1") and two.name.endswith("-s2")
    fates = [pd.read_parquet(folder / "packets.parquet")["fate"].tolist() for folder in (one, two)]
    assert fates[0] != fates[1]


def test_more_loss_on_the_same_seed_loses_a_superset() -> None:
    codec = media_loader.load_codec("toy", {})
    lost: list[set[int]] = []
    for rate in ("10 %", "20 %", "40 %"):
        wanted = lossy(f"channel.loss.rate={rate}", "source.count=40")
        session = run.run_passes(wanted, codec, metrics.measure_psnr).session
        lost.append({packet.packet for packet in session.packets if packet.fate == "lost"})
    assert lost[0] < lost[1] < lost[2]


@pytest.mark.usefixtures("no_figures")
def test_a_perfect_link_is_bit_exact_and_conceals_nothing(tmp_path: Path) -> None:
    done = run.run(lossy("channel={loss: {model: none}, delay: {model: constant, mean: 0}}"), tmp_path)
    frames = pd.read_parquet(done.folder / "frames.parquet")
    assert (frames["psnr_db"] == frames["psnr_db_lossless"]).all() and not frames["tokens_missing"].any()
    assert done.summary["loss_rate"] == done.summary["freeze_ratio"] == 0


def test_nothing_in_time_freezes_every_frame(tmp_path: Path) -> None:
    done = run.run(lossy("playout.deadline=1 ms"), tmp_path)
    frames = pd.read_parquet(done.folder / "frames.parquet")
    assert frames["frozen"].all() and frames["time_render_ms"].isna().all() and frames["delay_ms"].isna().all()
    assert done.summary["rendered_fps"] == 0 and done.summary["tokens_missing_share"] == 1


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_runs_a_second_with_the_toy(path: Path, tmp_path: Path) -> None:
    done = run.run(scenario.load(path, SHORT), tmp_path)
    assert (done.folder / "summary.csv").is_file() and 10 < done.summary["psnr_db_lossless_mean"] < 50


def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    assert run.run(lossy("source.count=1"), tmp_path).folder.is_dir()


@pytest.mark.usefixtures("no_figures")
def test_no_pictures_are_kept_if_none_are_wanted(tmp_path: Path) -> None:
    folder = run.run(lossy("output.frames=0"), tmp_path).folder
    assert [path.name for path in (folder / "frames").iterdir()] == ["blocks.npz"]


def test_the_resolved_scenario_repeats_the_run(folder: Path, tmp_path: Path) -> None:
    again = run.run(scenario.load(folder / "scenario.resolved.yaml"), tmp_path).folder
    assert again.name == folder.name and files(folder) == files(again)


def test_provenance_says_what_made_the_result(folder: Path) -> None:
    told = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert told["command"] == "python -m simulator run x.yaml" and told["version"] == "0.1.0"
    assert told["codec"] == {"name": "toy", "version": 2, "model_hash": None}
    assert told["packages"]["numpy"] == np.__version__ and set(told["wall_s"]) == {
        "frames",
        "encode",
        "network",
        "decode",
    }
    sent = told["packets"].pop("sent")
    assert sent["packets"] == 48 and isinstance(told["commit"], str | None)


def test_a_failed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        run.run(lossy("concealment.method=expected"), tmp_path)
    assert list((tmp_path / "lossy_20pct").iterdir()) == []


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(lossy(), tmp_path, on_progress=interrupt)
    assert list((tmp_path / "lossy_20pct").iterdir()) == []


def test_an_unusable_results_folder_is_known_before_the_work_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("the work has started")

    monkeypatch.setattr("simulator.run.run_passes", work)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file.*cannot be written.*Choose another place with --out"):
        run.run(lossy(), tmp_path / "file")

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(OutputError, match="cannot be written .Permission denied"):
        run.run(lossy(), tmp_path / "out")


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simulator.results.write_pictures", full)
    with pytest.raises(OutputError, match="No space left on device"):
        run.run(lossy(), tmp_path)
    assert list((tmp_path / "lossy_20pct").iterdir()) == []


def test_finished_results_take_the_first_free_name(tmp_path: Path) -> None:
    names = [results.finish(results.start(tmp_path, "x"), "x").name for _ in range(3)]
    assert names == ["x", "x-2", "x-3"]


def test_pictures_kept_show_the_first_damaged_frame_of_each_part() -> None:
    table = pd.DataFrame({"tokens_missing": [0, 0, 3, 9, 0, 5, 0, 0], "frozen": [False] * 5 + [True] + [False] * 2})
    assert run_files.frames_to_keep(table, 4) == [0, 2, 4, 6]
    assert run_files.frames_to_keep(table, 2) == [2, 4] and run_files.frames_to_keep(table, 0) == []
    assert run_files.frames_to_keep(table, 99) == list(range(8))


# Codecs by name


class Needy:
    """A codec with options."""

    def __init__(self, quality: int, speed: int = 1) -> None: ...


class Mute:
    """Has the name of a codec and nothing else."""

    name = "mute"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gif", {}, "must be toy, vq, jpeg, jpeg2000, webp, avif, h264, vp9, av1 or package.module:Class, got 'gif'"),
        ("no_such_module:Codec", {}, "cannot import no_such_module"),
        ("json:Codec", {}, "module json has no Codec"),
        ("toy", {"bpp": 1}, "codec.bpp: codec toy has no such option; it has none"),
        ("tests.simulator.test_run:Needy", {}, "codec.quality: codec tests.simulator.test_run:Needy needs this option"),
        ("tests.simulator.test_run:Needy", {"qality": 1}, "it has quality, speed"),
        ("tests.simulator.test_run:Mute", {}, "it lacks encode, decode, count_correct, describe"),
        ("sys:path", {}, "sys:path cannot be called"),
    ],
)
def test_a_codec_that_cannot_be_had_is_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(MediaError, match=message):
        media_loader.load_codec(name, options)


@pytest.mark.usefixtures("no_figures")
def test_a_class_of_ones_own_is_a_codec(tmp_path: Path) -> None:
    wanted = lossy("codec.name=simulator.toy_media:ToyCodec")
    assert run.run(wanted, tmp_path).summary["psnr_db_mean"] > 10


def test_the_toy_has_no_cuda_and_no_squeeze() -> None:
    with pytest.raises(MediaError, match="--device: codec toy runs on the CPU only, got 'cuda'"):
        media_loader.load_codec("toy", {}, "cuda")
    with pytest.raises(MediaError, match="output.squeeze: is not measured with codec toy"):
        media_loader.load_measure("toy", "weights.safetensors")


@pytest.mark.parametrize("name", OPTIONS)
def test_options_known_to_the_scenario_are_those_of_the_codec(name: str) -> None:
    import inspect

    vq_media = pytest.importorskip("simulator.vq_media")
    makers = {"toy": ToyCodec, "vq": vq_media.VqMedia, **media_loader.CONVENTIONAL}
    known = set(inspect.signature(makers[name]).parameters) - {"device"}
    assert known == set(OPTIONS[name])


@pytest.mark.parametrize("name", STILLS)
def test_qualities_known_to_the_scenario_are_those_of_the_codec(name: str) -> None:
    least, most = STILLS[name]
    for quality, good in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        assert (wrong_option(name, {"quality": quality}) is None) == good
        with nullcontext() if good else pytest.raises(MediaError, match=r"codec\.quality"):
            media_loader.load_codec(name, {"quality": quality})


def test_words_and_codebooks_known_to_the_scenario_are_those_of_the_codec() -> None:
    from codec.codebook import smaller_sizes
    from codec.config import CodecConfig
    from codec.entropy import MODELS
    from codec.precision import PRECISIONS

    books = (CodecConfig().codes, *smaller_sizes(CodecConfig().codes))
    good: dict[str, tuple[object, ...]] = {"entropy": MODELS, "precision": PRECISIONS, "codebook": books}
    for key, values in good.items():
        assert all(wrong_option("vq", {key: value}) is None for value in values)
        told = wrong_option("vq", {key: "other"})
        assert told is not None and all(str(value) in told[1] for value in values) and told[1].count(",") == len(values)


def test_a_run_with_the_toy_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from simulator import run; from tests.simulator.small import lossy;"
        f"run.run(lossy(), Path({str(tmp_path)!r})); sys.exit('torch' in sys.modules or 'codec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCENARIOS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tokens_of_damaged_slices_are_missing_ones(tmp_path: Path) -> None:
    damage = "channel.corruption={model: packets, rate: 20 %, checksum: false}"
    done = run.run(lossy("channel.loss={model: none}", damage), tmp_path)
    frames = pd.read_parquet(done.folder / "frames.parquet")
    packets = pd.read_parquet(done.folder / "packets.parquet")
    dropped = packets[packets["fate"] == "corrupt"].groupby("frame")["tokens"].sum().reindex(frames["frame"]).fillna(0)
    found = frames["packets_corrupt"].sum() - (packets["fate"] == "corrupt").sum()
    assert found > 0 and (frames["tokens_missing"] - dropped.to_numpy()).sum() == 4 * found  # 4 tokens a slice


def test_a_share_of_all_tokens_is_erased_though_every_packet_arrives(tmp_path: Path) -> None:
    done = run.run(lossy("channel.loss={model: token_erasure, rate: 20 %}"), tmp_path)
    frames = pd.read_parquet(done.folder / "frames.parquet")
    assert done.summary["loss_rate"] == 0 and not frames["frozen"].any()
    assert done.summary["tokens_missing_share"] == pytest.approx(0.2, abs=4 * (0.16 / 192) ** 0.5)


class Deaf(ToyCodec):
    """A codec that does not look at erased tokens."""

    def decode(self, received: Any, size: tuple[int, int], concealment: str, temporal: bool) -> list[DecodedFrame]:
        whole = [[part._replace(erased=()) for part in slices] for slices in received]
        return super().decode(whole, size, concealment, temporal)


def test_a_codec_that_cannot_lose_single_tokens_is_not_believed() -> None:
    with pytest.raises(MediaError, match="channel.loss.model: codec toy cannot lose single tokens"):
        run.run_passes(lossy("channel.loss={model: token_erasure, rate: 20 %}"), Deaf(), measure_psnr)


def test_a_bad_trace_is_known_before_the_work_starts(tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text("1\n2\nx\n")
    section = f"channel.bandwidth={{model: mahimahi, file: {tmp_path / 'trace.txt'}}}"
    with pytest.raises(TraceError, match="trace.txt:3: must be a whole number of milliseconds, got 'x'"):
        run.run(lossy(section), tmp_path / "out")
    assert not (tmp_path / "out").exists()
