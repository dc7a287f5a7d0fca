"""Files that scenarios name: found beside the scenario, else in the working folder, else a clear error."""

from pathlib import Path

import pytest

from simulator import scenario
from simulator.cli import main
from simulator.errors import ScenarioError
from tests.simulator.small import SCENARIOS

LINE = "channel: {{bandwidth: {{model: mahimahi, file: {}}}}}"


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """here/ is worked in; here/plans/ has the scenario; out/ lies elsewhere."""
    for folder in ("here/plans/traces", "here/traces", "out/traces"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")


def trace(path: str) -> None:
    Path(path).write_text("1\n")


def plan(line: str, path: str = "plans/mine.yaml") -> Path:
    Path(path).write_text(f"{line}\n")
    return Path(path)


def file_of(path: Path, *overrides: str) -> str:
    found = scenario.plain(scenario.load(path, overrides))["channel"]["bandwidth"]["file"]
    assert isinstance(found, str)
    return found


def test_a_path_starts_at_the_scenario_that_says_it_then_at_the_working_folder() -> None:
    mine = plan(LINE.format("traces/a"))
    trace("traces/a")
    assert file_of(mine) == "traces/a"
    trace("plans/traces/a")
    assert file_of(mine) == file_of(mine.resolve()) == "plans/traces/a"


def test_an_override_starts_at_the_working_folder_alone() -> None:
    mine = plan(LINE.format("traces/a"))
    trace("plans/traces/a")
    trace("traces/b")
    assert file_of(mine, "channel.bandwidth.file=traces/b") == "traces/b"
    with pytest.raises(
        ScenarioError, match=r"^--set .*bandwidth.file: no such file .*'traces/a'. Looked in [^ ]*/here$"
    ):
        scenario.load(mine, ["channel.bandwidth.file=traces/a"])


def test_of_a_scenario_that_extends_another_each_path_starts_at_its_own_file(tmp_path: Path) -> None:
    plan(LINE.format("traces/a"), "../out/base.yaml")
    trace("../out/traces/a")
    mine = plan("extends: ../../out/base.yaml")
    assert file_of(mine) == str((tmp_path / "out/traces/a").resolve()), "whole, since it lies outside"


def test_a_base_may_name_what_is_not_there_where_its_heir_names_another() -> None:
    plan(LINE.format("traces/gone"), "plans/base.yaml")
    trace("plans/traces/a")
    assert file_of(plan(f"extends: base.yaml\n{LINE.format('traces/a')}")) == "plans/traces/a"


def test_what_is_nowhere_is_said_with_its_line_and_all_places(capsys: pytest.CaptureFixture[str]) -> None:
    plan(f"seed: 1\n{LINE.format('gone')}")
    assert main(["validate", "plans/mine.yaml"]) == 2
    said = capsys.readouterr().err
    assert "plans/mine.yaml:2: channel.bandwidth.file: no such file or folder, got 'gone'. Looked in " in said
    assert "/here/plans and " in said and said.rstrip().endswith("/here")


def test_folders_and_globs_of_frames_and_weights_are_paths_too() -> None:
    Path("plans/pictures").mkdir()
    trace("plans/pictures/a.png")
    for named in ("pictures", '"pictures/*.png"'):
        found = scenario.load(plan(f"source: {{frames: {named}}}")).source.frames
        assert found == f"plans/{named.strip(chr(34))}"
    trace("plans/squeeze.npz")
    assert scenario.load(plan("output: {squeeze: squeeze.npz}")).output.squeeze == "plans/squeeze.npz"
    assert scenario.load(plan("source: {frames: builtin}")).source.frames == "builtin"


def test_models_of_the_users_own_keep_their_keys_as_they_are() -> None:
    mine = scenario.load(plan("channel: {delay: {model: 'mine:Delay', file: nowhere}}"))
    assert scenario.plain(mine)["channel"]["delay"]["file"] == "nowhere"


def test_the_shipped_trace_is_found_from_anywhere() -> None:
    assert Path(file_of(SCENARIOS / "thin_link.yaml")).is_file()
