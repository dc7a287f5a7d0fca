"""The command line: verbs, exit codes, words."""

import io
import json
import math
import pkgutil
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import simulator
from simulator import cli, progress, scenario
from simulator.summary import late_note
from tests.simulator.small import SCENARIOS, SHORT

ROOT = SCENARIOS.parent
MAIN = str(SCENARIOS / "lossy_20pct.yaml")
SETS = [word for override in SHORT for word in ("--set", override)]


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a call is refused."""
    try:
        code = cli.main(arguments)
    except SystemExit as exit_:  # argparse leaves this way
        code = int(str(exit_.code))
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, (code, out, err)
    return err


def test_run_prints_a_summary_then_the_places_of_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", MAIN, *SETS, "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "lossy_20pct, seed 1, codec toy" in out and "packets lost" in out and "psnr_db" in out
    places = [Path(line.split()[-1]) for line in out.splitlines() if str(tmp_path) in line]
    assert len(places) == 5 and all(place.exists() for place in places)
    assert [line.split()[0] for line in err.splitlines()] == ["frames", "encode", "network", "decode"]


def test_a_run_whose_deadline_is_below_its_delay_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = [*SETS, "--set", "channel.delay.mean=300 ms", "--out", str(tmp_path)]
    assert cli.main(["run", MAIN, *sets]) == 0
    note = re.search(
        r"^note: .* half of them took (\d+) ms or more, and playout.deadline is 150 ms", capsys.readouterr().err, re.M
    )
    assert note and 290 < int(note[1]) < 310
    assert not late_note({"delay_ms_p50": 150.0}, 150) and not late_note({"delay_ms_p50": math.nan}, 150)


def test_quiet_prints_the_folder_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", MAIN, *SETS, "--seed", "5", "--quiet", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and Path(out.strip()).is_dir() and out.strip().endswith("-s5")


def test_validate_prints_a_scenario_that_is_valid_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", MAIN, "--set", "source.count=7"]) == 0
    copy = tmp_path / "copy.yaml"
    copy.write_text(capsys.readouterr().out, encoding="utf-8")
    assert scenario.load(copy) == scenario.load(MAIN, ["source.count=7"])


def test_schema_prints_the_committed_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    committed = (SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8")
    assert json.loads(capsys.readouterr().out) == json.loads(committed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: VERB"),
        (["rnu"], "invalid choice: 'rnu'"),
        (["run"], "the following arguments are required: SCENARIO.yaml"),
        (["run", MAIN, "--seed", "one"], "argument --seed: must be a whole number from 0, got 'one'"),
        (["run", MAIN, "--seed", "-1"], "argument --seed: must be a whole number from 0, got '-1'"),
        (["run", MAIN, "--seed", ""], "argument --seed: must be a whole number from 0, got ''"),
        (["run", MAIN, "--seed", str(2**63)], "seed: must be less than 9.22337e+18"),
        (["run", MAIN, "--set", "codec.bpp=-1"], "codec.bpp: must be a number above 0 and at most 1"),
        (["run", ""], "argument SCENARIO.yaml: must name a file or folder, got ''"),
        (["run", MAIN, "--out", ""], "argument --out: must name a file or folder, got ''"),
        (["run", MAIN, *SETS, "--pcap", ""], "argument --pcap: must name a file or folder, got ''"),
        (["run", MAIN, *SETS, "--pcap", "photo.png"], "--pcap: packets are written as .pcap or .cap, got 'photo.png'"),
        (["run", MAIN, *SETS, "--pcap", "no/x.pcap"], "--pcap: cannot be written (there is no such folder), got 'no/x"),
        (["sweep", MAIN, "--seeds", "0"], "argument --seeds: must be a whole number from 1, got '0'"),
        (["sweep", MAIN, "--jobs", "nan"], "argument --jobs: must be a whole number from 1, got 'nan'"),
        (["sweep", MAIN, "--retries", "-1"], "argument --retries: must be a whole number from 0, got '-1'"),
        (["sweep", MAIN, "--scheduler", ""], "argument --scheduler: must be a scheduler's address, got ''"),
        (["report", ""], "argument RESULTS_DIR: must name a file or folder, got ''"),
        (["report", "results", "--out", ""], "argument --out: must name a file or folder, got ''"),
        (["report", "results", "--out", "x.png"], "--out: a report is an HTML page, got 'x.png'. Let the name end"),
        (["run", MAIN, "--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["run", MAIN, "--colour", "red"], "unrecognized arguments: --colour red"),
        (["run", "no_such.yaml"], "no_such.yaml: no such scenario file. Here are: "),
        (["run", MAIN, "--set", "channel.loss.rate=1.5"], "a share is a number from 0 to 1, or from 0 %"),
        (["run", MAIN, "--set", "channel.loss.rte=0.1"], "unknown key. Did you mean rate?"),
        (["run", MAIN, "--set", "concealment.method=copy_previous"], "looks at the frame before, got False. Set it"),
        (["run", MAIN, "--set", "nonsense"], "an override is key=value"),
        (["validate", MAIN, "--set", "codec.name=gif"], "codec.name: no codec of that name; there are toy, vq"),
        (["run", MAIN, *SETS, "--set", "concealment.method=expected"], "codec toy has none and neighbour_mean"),
        (["run", MAIN, *SETS, "--set", "packetizer.packets_per_frame=200"], "a picture of 4 x 4 blocks makes 1 to 16"),
        (["run", MAIN, *SETS, "--set", "source.frames=gone/"], "neither 'builtin' nor an existing file or folder"),
        (["run", MAIN, *SETS, "--set", "codec.name=gone.module:Codec"], "cannot import gone.module"),
        (["run", MAIN, *SETS, "--device", "cuda"], "--device: codec toy runs on the CPU only"),
        (["run", MAIN, *SETS, "--set", "channel.mtu_bytes=128", "--set", "packetizer.packets_per_frame=1",
          "--set", "source.size=[128, 128]"], "packets_per_frame"),
    ],
)  # fmt: skip
def test_whatever_the_user_can_mend_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[:1] == ["run"] and len(arguments) > 1:
        out = [] if "--out" in arguments else ["--out", str(tmp_path)]
        arguments = [*arguments, *out, "--quiet"]
    assert message in refused(capsys, *arguments)


def test_a_results_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    for words in (("run", MAIN), ("sweep", MAIN, "--vary", "channel.loss.rate=0,5%")):
        said = refused(capsys, *words, *SETS, "--quiet", "--out", str(tmp_path / "file"))
        assert "cannot be written" in said and "Choose another place with --out" in said
    assert (tmp_path / "file").read_text() == "in the way"


def test_several_problems_come_one_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("seed: -1\nsorce: {}\n")
    assert cli.main(["validate", str(tmp_path / "bad.yaml")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("bad.yaml: 2 problems:") and "bad.yaml:2: sorce: unknown key" in lines[2]


def test_ctrl_c_gives_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.run.run", interrupt)
    assert cli.main(["run", MAIN, *SETS]) == 130
    assert "interrupted; nothing was written" in capsys.readouterr().err


def test_help_teaches_with_examples_that_name_shipped_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        out = capsys.readouterr().out
        assert left.value.code == 0 and "examples:" in out and "--set channel.loss.rate='5 %'" in out
        for word in out.split():
            if word.startswith("scenarios/") and word.endswith(".yaml"):
                assert (ROOT / word).is_file(), word


def fastest(*arguments: str) -> float:
    """Seconds of the fastest of three calls: what the program costs, not what else the machine does."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        assert python(*arguments).returncode == 0
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_help_and_import_are_quick() -> None:
    assert fastest("-m", "simulator", "--help") < 0.5
    assert fastest("-c", "import simulator") < 0.5


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "pydantic", "matplotlib", "torch", "simpy", "skimage", "yaml"}
    code = f"import sys, simulator.cli; sys.exit(bool({heavy!r} & set(sys.modules)))"
    assert python("-c", code).returncode == 0


def test_python_dash_m_and_a_reader_that_leaves_early() -> None:
    done = subprocess.run(
        f"{sys.executable} -m simulator schema | head -c 10", shell=True, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == '{\n  "$defs"'[:10] and done.stderr == ""


def test_the_package_docstring_lists_every_module() -> None:
    listed = {line.split()[0] for line in (simulator.__doc__ or "").splitlines() if line.startswith("    ")}
    found = {
        module.name.removeprefix("simulator.")
        for module in pkgutil.walk_packages(simulator.__path__, "simulator.")
        if not module.name.endswith("__main__")
    }
    assert listed == found


# Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_plain_lines_in_a_file_and_a_bar_on_a_terminal() -> None:
    for stream, expected in (
        (io.StringIO(), "encode    4 frames in 0.0 s\ndecode    4 frames in 0.0 s\n"),
        (Terminal(), None),
    ):
        show = progress.Progress(stream)
        for stage in ("encode", "decode"):
            for done in (2, 4):
                show(stage, done, 4)
        show.close()
        told = stream.getvalue()
        assert told == expected if expected else "100%" in told and "4/4" in told and "decode" in told
