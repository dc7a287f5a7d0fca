"""What a worker of a sweep does: some cells of one film, with everything they share made once.

    cells --by film--> frames, encoded     once for all cells of the film that this worker gets
          --by network--> session          once for all cells that differ in concealment alone
          --projector--> pictures          once for each (frame, what arrived of it, method)
          --write--> cells/<hash>/         each moved to its place when complete

Everything a cell's files say depends on its scenario alone, not on the cells it was done with; a
cell that is there already is left alone, so a job may be done twice.
"""

import json
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from simulator import media_loader, progress, results, run, run_files
from simulator.encodings import Encodings
from simulator.errors import OutputError, SimulatorError
from simulator.frames import load_frames
from simulator.media import MediaCodec, needs_stream
from simulator.playback import Projector, Stream
from simulator.session import run_session
from simulator.sweep_grid import Cell
from simulator.sweep_store import Store


@dataclass(frozen=True)
class Job:
    """Cells for one worker.

    Attributes:
        cells: In the order in which they share most: see `order`.
        folder: The sweep's folder, absolute.
        device: "auto", "cpu" or "cuda".
        pictures: Whether pictures are kept.
    """

    cells: tuple[Cell, ...]
    folder: Path
    device: str
    pictures: bool


@dataclass
class Film:
    """Frames and codec, and what has been seen of them so far.

    Attributes:
        key: `Cell.film` of the cells that share it.
        codec: Made the encoded frames.
        encoded: In display order.
        projector: Decodes and judges them.
        methods: Those the codec is known to have.
    """

    key: str
    codec: MediaCodec
    encoded: Encodings
    projector: Projector
    methods: set[tuple[str, bool]] = field(default_factory=set)

    @classmethod
    def make(cls, cell: Cell, device: str) -> "Film":
        """Load and encode.

        Raises:
            SourceError: If the frames cannot be read.
            MediaError: If the codec cannot be had, or refuses the frames.
        """
        scenario = cell.scenario
        codec = _codec(scenario.codec.name, json.dumps(scenario.codec.options), device)
        measure = media_loader.load_measure(scenario.codec.name, scenario.output.squeeze, scenario.output.flip)
        source = scenario.source
        frames = load_frames(source.frames, source.count, source.fps, source.size, scenario.seed)
        encoded = run.encode(codec, frames, scenario, progress.silent)
        return cls(cell.film, codec, encoded, Projector(codec, frames, measure))

    def check(self, method: str, temporal: bool) -> None:
        """Decode a frame by a method, so that one the codec lacks is known even if nothing gets lost.

        Raises:
            MediaError: If the codec lacks it.
        """
        if (method, temporal) not in self.methods:
            first = self.encoded.frame(0)
            self.codec.decode([first.slices], first.size, method, temporal)
            self.methods.add((method, temporal))


class _Memory(threading.local):
    """The last film of this thread: a Dask worker may have several threads, a network is used by one."""

    film: Film | None = None
    codec: tuple[str, MediaCodec] | None = None


_memory = _Memory()


def do(job: Job) -> dict[str, str]:
    """Do the cells of a job that are not there yet.

    Returns:
        The error of each cell that failed.

    Raises:
        OutputError: If the folder cannot be written to.
    """
    store, errors = Store(job.folder), dict[str, str]()
    for _, alike in groupby(job.cells, lambda cell: (cell.film, cell.network)):
        missing = [cell for cell in alike if not store.has(cell.name)]
        errors |= _attempt(missing, job, store)
    return errors


def _attempt(cells: Sequence[Cell], job: Job, store: Store) -> dict[str, str]:
    """Cells of one network together; if that fails each alone, so that only the guilty are lost."""
    try:
        _simulate([cell for cell in cells if not store.has(cell.name)], job, store)
    except OutputError:
        raise  # the folder's fault, not a cell's
    except Exception as error:
        if len(cells) == 1:
            return {cells[0].name: _words(error)}
        return {name: words for cell in cells for name, words in _attempt([cell], job, store).items()}
    return {}


def _simulate(cells: Sequence[Cell], job: Job, store: Store) -> None:
    if not cells:
        return
    start = time.perf_counter()
    film = _film(cells[0], job.device)
    session = run_session(cells[0].scenario, film.encoded)
    streams = []
    for cell in cells:
        method, temporal = cell.scenario.concealment.method, cell.scenario.concealment.temporal
        film.check(method, temporal)
        encoded, linked = film.encoded.sent(session.deliveries), needs_stream(film.codec)
        streams.append(Stream(encoded, session.deliveries, method, temporal, linked))
    film.projector.trim()
    film.projector.prepare(streams)
    for cell, stream in zip(cells, streams, strict=True):
        passes = run_files.Passes(session, film.projector.show(stream), {})

        def fill(folder: Path, cell: Cell = cell, passes: run_files.Passes = passes, since: float = start) -> None:
            run_files.write(folder, cell.scenario, film.codec, passes)
            if job.pictures:
                run_files.write_pictures(folder, cell.scenario, passes.playback)
            results.write_json(folder / "timing.json", {"wall_s": round(time.perf_counter() - since, 3)})

        store.write(cell.name, fill)
        start = time.perf_counter()


def _film(cell: Cell, device: str) -> Film:
    if _memory.film is None or _memory.film.key != cell.film:
        _memory.film = None  # not two at a time
        _memory.film = Film.make(cell, device)
    return _memory.film


def _codec(name: str, options: str, device: str) -> MediaCodec:
    """The last codec of this thread, or another."""
    key = f"{name} {options} {device}"
    if _memory.codec is None or _memory.codec[0] != key:
        _memory.codec = (key, media_loader.load_codec(name, json.loads(options), device))
    return _memory.codec[1]


def _words(error: Exception) -> str:
    """What the user can mend in one line; a mistake of ours with the way to it."""
    if isinstance(error, SimulatorError):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()


def order(cells: Iterable[Cell]) -> list[Cell]:
    """Cells so that those of one film, and in it of one network, stand together; else as they come."""
    every = list(cells)
    first: dict[tuple[str, ...], int] = {}
    for place, cell in enumerate(every):
        first.setdefault((cell.film,), place)
        first.setdefault((cell.film, cell.network), place)
    return sorted(every, key=lambda cell: (first[(cell.film,)], first[(cell.film, cell.network)]))


def jobs(cells: Sequence[Cell], most: int, workers: int) -> Iterator[tuple[Cell, ...]]:
    """Cut ordered cells into jobs: of one film each, of at most `most` cells, and enough for all workers."""
    films = [list(film) for _, film in groupby(cells, lambda cell: cell.film)]
    parts = -(-workers // len(films)) if films else 1  # of each film
    for film in films:
        alike = [tuple(group) for _, group in groupby(film, lambda cell: cell.network)]
        limit, gathered = min(most, -(-len(film) // parts)), tuple[Cell, ...]()
        for group in alike:
            if gathered and len(gathered) + len(group) > limit:
                yield gathered
                gathered = ()
            gathered += group
        yield gathered
