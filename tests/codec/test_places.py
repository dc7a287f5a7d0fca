"""Places that cannot be written to, or are no files: one line of words, never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from codec.errors import ImageError, RequestError
from codec.files import write_atomically
from codec.images import open_image


def test_a_file_system_that_refuses_all_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(RequestError, match="Read-only file system"):
        write_atomically(tmp_path / "a.vqs", b"x")


def test_a_folder_is_no_damaged_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        open_image(tmp_path)


def test_a_run_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    from codec.training.run import Run

    (tmp_path / "taken").write_text("older")
    with pytest.raises(RequestError, match="cannot be made"):
        Run(tmp_path / "taken", {}, resume=False)
    assert (tmp_path / "taken").read_text() == "older"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    file = Path(__file__).parents[1] / "golden" / "v2_all.vqs"
    work = [sys.executable, "-m", "codec", "info", str(file)]
    with subprocess.Popen(work, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
