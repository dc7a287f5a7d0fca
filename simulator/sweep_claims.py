"""Who is at work on which cell, so that two sweeps of one folder share the work.

A claim is a symbolic link .<cell>.claim whose target is its owner, "host:pid:start": made in one
step with all it says, as Emacs locks files. It counts while its owner lives; that of a dead process
is taken over. Whether a process of another host lives cannot be asked, so there a claim counts until
it has not been renewed for LEASE_S. Two who take over the same claim in the same instant may both do
the cell: that costs time and nothing else, since a result is written in one step and is the same.
"""

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path

LEASE_S = 600.0


class Claims:
    """The claims in one folder, and those of this process among them.

    Args:
        folder: Where the cells are; must exist when something is claimed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._me = _owner(os.getpid())
        self._held: set[str] = set()
        self._renewed = time.monotonic()

    def claim(self, name: str) -> bool:
        """Claim a cell, if no living process has; true if it is now this one's."""
        path = self._path(name)
        for _ in range(2):
            try:
                os.symlink(self._me, path)
            except FileExistsError:
                if _alive(path):
                    return False
                path.unlink(missing_ok=True)
            else:
                self._held.add(name)
                return True
        return False  # somebody else was quicker to take it over

    def taken(self, name: str) -> bool:
        """Whether another living process is at work on a cell."""
        return name not in self._held and _alive(self._path(name))

    def release(self, names: Iterable[str]) -> None:
        """These cells are done, or given up."""
        for name in list(names):
            if name in self._held:
                self._held.discard(name)
                self._path(name).unlink(missing_ok=True)

    def release_all(self) -> None:
        """This process stops."""
        self.release(self._held)

    def renew(self) -> None:
        """Say now and then that this process still lives."""
        if time.monotonic() - self._renewed > LEASE_S / 10:
            self._renewed = time.monotonic()
            for name in self._held:
                try:
                    os.utime(self._path(name), follow_symlinks=False)
                except FileNotFoundError:
                    continue  # taken over by a host whose clock runs ahead

    def _path(self, name: str) -> Path:
        return self._folder / f".{name}.claim"


def _owner(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """When a process started, so that a number used again is not mistaken for its owner; "" if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # field 22 of proc(5); the name before it may hold anything


def _alive(path: Path) -> bool:
    """Whether the owner of a claim lives; false if there is no claim."""
    try:
        owner, renewed = os.readlink(path), os.lstat(path).st_mtime
    except OSError:
        return False
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return time.time() - renewed < LEASE_S
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _owner(int(pid)) == owner
