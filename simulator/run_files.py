"""What a run leaves in its folder: tables, pictures, and what made them."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import metrics, own_code, records, results, units
from simulator.media import MediaCodec
from simulator.playback import Playback
from simulator.records import FrameRecord
from simulator.scenario import Scenario, plain, resolved_yaml, scenario_hash
from simulator.session import FrameDelivery, SessionResult

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Passes:
    """What the two passes made, and how long each stage took in seconds."""

    session: SessionResult
    playback: Playback
    wall_s: dict[str, float]


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
