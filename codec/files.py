"""Files are written whole or not at all: an older one is never lost to a failed write."""

import os
from contextlib import suppress
from pathlib import Path

from codec.errors import RequestError


def write_atomically(path: Path, data: bytes) -> None:
    """Write under a temporary name in the same folder, then move into place; into a pipe or device, as it comes.

    Raises:
        RequestError: If the file cannot be written; then nothing has changed.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # a file must not take the place of /dev/null
        _pour(path, data)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, nothing can be removed
            temporary.unlink(missing_ok=True)
        raise _refused(path, error) from error


def _pour(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> RequestError:
    reason = error.strerror or str(error)
    return RequestError(str(path), f"cannot be written ({reason})", "", "Check the folder and its rights")
