"""One scenario, one seed: the whole path of the data, then the results folder.

frames --encode--> slices --session--> deliveries --playback--> pictures, quality
                               |                                     |
                         packets.parquet                      frames.parquet --> summary.csv
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator import media_loader, pcap, progress, records, report, results
from simulator.channel import link
from simulator.encodings import Encodings
from simulator.frames import load_frames
from simulator.media import MediaCodec
from simulator.playback import Measure, play
from simulator.rate_budget import snap
from simulator.run_files import Passes, write, write_pictures
from simulator.scenario import FixedRate, Scenario, scenario_hash
from simulator.session import SILENT, Taps, run_session


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder and the row of its summary.csv."""

    folder: Path
    summary: dict[str, float]


def run(
    scenario: Scenario,
    out: Path,
    device: str = "auto",
    on_progress: progress.Report = progress.silent,
    command: str = "",
    capture: pcap.Capture | None = None,
) -> RunResult:
    """Simulate one scenario with its seed and write the results to a new folder under `out`.

    Args:
        scenario: What to simulate.
        out: Parent of <scenario name>/<hash>-s<seed>/.
        device: "auto", "cpu" or "cuda", for codecs that can choose.
        on_progress: Called with (stage, frames done, frames in all).
        command: How the program was called, for provenance.
        capture: Where to write the packets as a pcap file, if anywhere.

    Returns:
        The folder, which is complete, and the summary.

    Raises:
        OutputError: If `out` cannot be written to; known before the work starts.
        TraceError: If a file the channel names cannot be used; known before the work starts too.
        SourceError: If the frames cannot be read.
        MediaError: If the codec cannot be had, or refuses the frames or the concealment.
    """
    link.check(scenario.channel)
    name = f"{scenario_hash(scenario)}-s{scenario.seed}"
    temporary = results.start(out / scenario.name, name)
    try:
        codec = media_loader.load_codec(scenario.codec.name, scenario.codec.options, device)
        measure = media_loader.load_measure(scenario.codec.name, scenario.output.squeeze, scenario.output.flip)
        with _listening(temporary / "packets.parquet", capture) as taps:
            passes = run_passes(scenario, codec, measure, on_progress, taps)
        with results.writing(out / scenario.name):
            summary = write(temporary, scenario, codec, passes, command)
            write_pictures(temporary, scenario, passes.playback)
            report.write_figures(temporary)
        return RunResult(results.finish(temporary, name), summary)
    except BaseException:  # Ctrl-C too: half a result is worse than none
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def _listening(packets: Path, capture: pcap.Capture | None) -> Iterator[Taps]:
    """Packets go to disk as the session hands them on, so that memory need not hold them all."""
    with ExitStack() as files:
        write = files.enter_context(records.packet_writer(packets))
        if capture is None:
            yield Taps(packets=write)
            return
        tap = files.enter_context(pcap.writing(capture.path, capture.side))
        yield Taps(packets=write, sent=tap) if capture.side == "sent" else Taps(packets=write, received=tap)


def run_passes(
    scenario: Scenario,
    codec: MediaCodec,
    measure: Measure,
    on_progress: progress.Report = progress.silent,
    taps: Taps = SILENT,
) -> Passes:
    """Frames, encoder, network, decoder; nothing is written but by the taps.

    Raises:
        SourceError: If the frames cannot be read.
        MediaError: If the codec refuses the frames or the concealment.
    """
    source, count, clock = scenario.source, scenario.source.count, Clock()
    frames = load_frames(
        source.frames, count, source.fps, source.size, scenario.seed, lambda done: on_progress("frames", done, count)
    )
    clock.lap("frames")
    _try(codec, frames[:1], scenario)
    encodings = encode(codec, frames, scenario, on_progress)
    clock.lap("encode")
    session = run_session(scenario, encodings, lambda done: on_progress("network", done, count), taps)
    clock.lap("network")
    encoded, concealment = encodings.sent(session.deliveries), scenario.concealment
    playback = play(
        codec, frames, encoded, session.deliveries, concealment.method, concealment.temporal,
        measure, lambda done: on_progress("decode", done, count),
    )  # fmt: skip
    clock.lap("decode")
    return Passes(session, playback, clock.laps)


def _try(codec: MediaCodec, frame: NDArray[np.uint8], scenario: Scenario) -> None:
    """One frame there and back, so that a method or rate the codec lacks is known before the long work."""
    slices, interleave = scenario.packetizer.packets_per_frame, scenario.packetizer.interleave
    control = scenario.rate_control
    (encoded,) = codec.encode(frame, slices, interleave)
    if not isinstance(control, FixedRate):
        for bpp in (control.min_bpp, control.max_bpp):
            codec.encode(frame, slices, interleave, [snap(bpp, control.min_bpp, control.max_bpp)])
    codec.decode([encoded.slices], encoded.size, scenario.concealment.method, scenario.concealment.temporal)


class Clock:
    """Wall time of each stage in seconds, for provenance."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """A stage ends here."""
        now = time.perf_counter()
        self.laps[stage] = round(now - self._since, 3)
        self._since = now


def encode(codec: MediaCodec, frames: NDArray[np.uint8], scenario: Scenario, on_progress: progress.Report) -> Encodings:
    """The film; with a fixed rate encoded here and now, in batches, else frame by frame as its rate is known."""
    encodings = Encodings(
        codec,
        frames,
        scenario.packetizer.packets_per_frame,
        scenario.packetizer.interleave,
        lambda done: on_progress("encode", done, len(frames)),
    )
    if isinstance(scenario.rate_control, FixedRate):
        encodings.all()
    return encodings
