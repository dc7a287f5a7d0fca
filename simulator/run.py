"""One scenario, one seed: the whole path of the data, then the results folder.

frames --encode--> slices --session--> deliveries --playback--> pictures, quality
                               |                                     |
                         packets.parquet                      frames.parquet --> summary.csv
"""

import dataclasses
import itertools
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator import media_loader, metrics, own_code, pcap, progress, records, report, results, units
from simulator.channel import link
from simulator.encodings import Encodings
from simulator.frames import load_frames
from simulator.media import MediaCodec
from simulator.playback import Measure, Playback, play
from simulator.rate_budget import snap
from simulator.records import FrameRecord
from simulator.scenario import FixedRate, Scenario, plain, resolved_yaml, scenario_hash
from simulator.session import SILENT, FrameDelivery, SessionResult, Taps, run_session

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder and the row of its summary.csv."""

    folder: Path
    summary: dict[str, float]


@dataclass(frozen=True)
class Passes:
    """What the two passes made, and how long each stage took in seconds."""

    session: SessionResult
    playback: Playback
    wall_s: dict[str, float]


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


def frame_table(scenario: Scenario, codec: MediaCodec, passes: Passes) -> "pd.DataFrame":
    """The table `frames`: its columns are those of `records`, plus the quality."""
    playback = passes.playback
    rows = [
        _row(scenario, codec.name, delivery, int(correct), int(corrupt), int(lost))
        for delivery, correct, corrupt, lost in zip(
            passes.session.deliveries,
            playback.tokens_correct,
            playback.slices_corrupt,
            playback.tokens_lost,
            strict=True,
        )
    ]
    return records.to_frame(rows, playback.columns)


def _row(scenario: Scenario, codec: str, delivery: FrameDelivery, correct: int, corrupt: int, lost: int) -> FrameRecord:
    """One row; `correct`, `corrupt` and `lost` are what the codec pass found: tokens, slices, tokens."""
    render_ns, capture_ns = delivery.render_ns, delivery.capture_ns
    pixels = scenario.source.size[0] * scenario.source.size[1]
    counted = {
        each.name: getattr(delivery, each.name)
        for each in dataclasses.fields(FrameRecord)
        if each.name.startswith(("bytes_", "packets_")) and each.name != "packets_corrupt"
    }
    wire_bytes = delivery.bytes_payload + delivery.bytes_header + delivery.bytes_fec + delivery.bytes_retransmitted
    return FrameRecord(
        scenario=scenario.name,
        seed=scenario.seed,
        codec=codec,
        concealment=scenario.concealment.method,
        frame=delivery.frame,
        time_capture_ms=units.ns_to_ms(capture_ns),
        time_render_ms=None if render_ns is None else units.ns_to_ms(render_ns),
        delay_ms=None if render_ns is None else units.ns_to_ms(render_ns - capture_ns),
        bpp=units.bits(wire_bytes) / pixels,
        bpp_payload=units.bits(delivery.bytes_payload) / pixels,
        target_kbps=None if delivery.target_bps is None else delivery.target_bps / 1000,
        bpp_asked=delivery.bpp_asked,
        late=delivery.late,
        frozen=delivery.frozen,
        packets_corrupt=delivery.packets_corrupt + corrupt,
        tokens_total=delivery.tokens_total,
        tokens_missing=delivery.tokens_total - delivery.tokens_received + lost,
        tokens_correct=correct,
        **counted,
    )


def write(folder: Path, scenario: Scenario, codec: MediaCodec, passes: Passes, command: str = "") -> dict[str, float]:
    """Write the tables of a run, and what made them.

    Args:
        folder: Where to.
        scenario: What was simulated.
        codec: The codec it was simulated with.
        passes: What the passes made; without times, the files are the same bytes each time.
        command: How the program was called, if that is to be kept.

    Returns:
        The row of summary.csv.

    Raises:
        OutputError: If a table cannot be written.
    """
    import pandas as pd

    path = folder / "packets.parquet"
    if not path.exists():  # else the session wrote them as it went
        with records.packet_writer(path) as put:
            put(passes.session.packets)
    frames, packets = frame_table(scenario, codec, passes), pd.read_parquet(path)
    summary = metrics.summarize(frames, packets, scenario.source.fps)
    if passes.wall_s:
        summary["wall_s"] = round(sum(passes.wall_s.values()), 3)
    records.write_parquet(frames, folder / "frames.parquet")
    records.write_csv(_one_row(scenario, codec, summary), folder / "summary.csv")
    results.write_text(folder / "scenario.resolved.yaml", resolved_yaml(scenario))
    results.write_json(folder / "provenance.json", _provenance(scenario, codec, passes, command))
    return summary


def write_pictures(folder: Path, scenario: Scenario, playback: Playback) -> None:
    """The pictures that are kept of a run whose tables are written.

    Raises:
        OutputError: If something cannot be written.
    """
    import pandas as pd

    frames = pd.read_parquet(folder / "frames.parquet")
    (folder / "frames").mkdir()
    results.write_pictures(folder / "frames", playback, frames_to_keep(frames, scenario.output.frames))


def _one_row(scenario: Scenario, codec: MediaCodec, summary: dict[str, float]) -> "pd.DataFrame":
    import pandas as pd

    who = {"scenario": scenario.name, "codec": codec.name, "concealment": scenario.concealment.method}
    return pd.DataFrame([{**who, "seed": scenario.seed, **summary}])


def _provenance(scenario: Scenario, codec: MediaCodec, passes: Passes, command: str) -> dict[str, Any]:
    return {
        **({"command": command} if command else {}),
        "scenario": scenario.name,
        "scenario_hash": scenario_hash(scenario),
        "seed": scenario.seed,
        "codec": codec.describe(),
        **({"own_code": own} if (own := own_code.hashes(plain(scenario))) else {}),
        **results.provenance(),
        **({"wall_s": passes.wall_s} if passes.wall_s else {}),
        "packets": dataclasses.asdict(passes.session.conservation),
        "reordered": passes.session.reordered,
        "feedback": dataclasses.asdict(passes.session.feedback),
        "feedback_lost": dataclasses.asdict(passes.session.feedback_lost),
    }


def frames_to_keep(frames: "pd.DataFrame", count: int) -> list[int]:
    """Which frames to keep as pictures: one from each of `count` equal parts of the film.

    Of each part, the first frame that was shown although something of it was missing, else its
    first frame: so the pictures show what concealment did without choosing its best or worst.
    """
    damaged = ((frames["tokens_missing"] > 0) & ~frames["frozen"]).to_numpy()
    kept: list[int] = []
    for part in _parts(len(frames), min(count, len(frames))):
        hurt = [number for number in part if damaged[number]]
        kept.append(hurt[0] if hurt else part[0])
    return kept


def _parts(total: int, count: int) -> Sequence[range]:
    borders = [total * part // count for part in range(count + 1)] if count else [0]
    return [range(start, stop) for start, stop in itertools.pairwise(borders)]
