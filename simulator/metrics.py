"""One line of numbers for a run, from its records alone.

Pictures against pictures are judged in `codec.quality`; here are only the PSNR that needs no codec,
and what can be counted in the tables of packets and frames.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator import units
from simulator.burst_gap import burst_gap
from simulator.freezes import freezes, screen_times

if TYPE_CHECKING:
    import pandas as pd

LOST = ("lost", "queue_drop", "corrupt")  # never reached the receiver in one piece; `late` did
IN_TIME = ("delivered", "duplicate")  # a duplicate is in time, or it would be late
LOWER_IS_BETTER = ("flip", "lpips", "squeeze")
PSNR_LIMIT_DB = 100.0  # identical pictures: a number, so that means stay finite


def psnr(reference: NDArray[np.uint8], shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each picture: 10 log10(255^2 / MSE), over all three channels.

    Args:
        reference: uint8 [T, H, W, 3].
        shown: uint8 [T, H, W, 3].

    Returns:
        float64 [T] in dB, at most PSNR_LIMIT_DB, which is also the value of identical pictures.

    >>> grey = np.full((1, 2, 2, 3), 100, np.uint8)
    >>> psnr(grey, grey + 16).round(2).tolist(), psnr(grey, grey).tolist()
    ([24.05], [100.0])
    """
    error = reference.astype(np.float64) - shown
    mse = np.square(error).mean(axis=(1, 2, 3))
    floor = 255.0**2 / 10 ** (PSNR_LIMIT_DB / 10)
    result: NDArray[np.float64] = 10 * np.log10(255.0**2 / np.maximum(mse, floor))
    return result


def measure_psnr(reference: NDArray[np.uint8], shown: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """PSNR as playback's `Measure`, for codecs that bring no measures of their own."""
    return {"psnr_db": psnr(reference, shown)}


def summarize(frames: "pd.DataFrame", packets: "pd.DataFrame", fps: float) -> dict[str, float]:
    """The row of summary.csv.

    Args:
        frames: The table of frames.
        packets: The table of packets.
        fps: Frames a second of the source.

    Returns:
        Column -> value; nan where a quantity has no meaning in this run, such as the mean burst of
        a run without loss. In order: `loss_rate` (packets that never arrived intact / sent),
        `loss_rate_after_repair` (those useless at the deadline / sent: lost or late, and not
        recovered), `mean_burst` (packets), delay of packets that arrived, `rendered_fps`,
        `freeze_ratio` (share of frames), `goodput_kbps` (payload usable in time), `overhead` (bytes
        on the wire that are not payload / payload), `bpp`, the sums of all columns of packets and
        bytes, what became of missing tokens, then mean and 5th percentile of each quality column
        (95th where lower is better: the bad end), then `freeze_summary` and `burst_summary`.
    """
    return {
        **network_summary(frames, packets, fps),
        **token_summary(frames),
        **quality_summary(frames),
        **freeze_summary(frames, fps),
        **burst_summary(packets),
    }


def network_summary(frames: "pd.DataFrame", packets: "pd.DataFrame", fps: float) -> dict[str, float]:
    """The part of `summarize` that needs no codec."""
    media = packets[packets["kind"] == "media"].drop_duplicates("packet")  # a copy follows its original
    lost = media["fate"].isin(LOST).to_numpy()
    in_time = media["fate"].isin(IN_TIME)
    recovered = int(frames["packets_recovered"].sum())
    useless = int((~in_time).sum()) - recovered
    delay_ms = (media["time_arrived_ms"] - media["time_sent_ms"]).dropna().to_numpy(dtype=float)
    seconds = len(frames) / fps
    payload = int(frames["bytes_payload"].sum())
    extra = int(frames[["bytes_header", "bytes_fec", "bytes_retransmitted"]].to_numpy().sum())
    header = float(frames["bytes_header"].sum()) / max(int(frames["packets_sent"].sum()), 1)
    usable = int(media.loc[in_time, "size_bytes"].sum()) + int(frames["bytes_recovered"].sum())
    usable_bytes = round(usable - header * (int(in_time.sum()) + recovered))
    return {
        "loss_rate": float(lost.mean()) if lost.size else np.nan,
        "loss_rate_after_repair": useless / len(media) if len(media) else np.nan,
        "mean_burst": mean_burst(lost),
        **{f"delay_ms_p{q}": _percentile(delay_ms, q) for q in (50, 95, 98)},
        "rendered_fps": float((~frames["frozen"]).sum() / seconds),
        "freeze_ratio": float(frames["frozen"].mean()),
        "goodput_kbps": units.bits(usable_bytes) / seconds / 1000,
        "overhead": extra / payload if payload else np.nan,
        "bpp": float(frames["bpp"].mean()),
        **counts(frames),
    }


def counts(frames: "pd.DataFrame") -> dict[str, float]:
    """Packets and bytes of the whole run, by what became of them: the sum of each such column."""
    names = [str(name) for name in frames.columns if str(name).startswith(("packets_", "bytes_"))]
    return {name: int(frames[name].sum()) for name in names}


def freeze_summary(frames: "pd.DataFrame", fps: float) -> dict[str, float]:
    """How the film ran: freezes by the W3C's rule, and delays of frames from camera to screen.

    Returns:
        `freeze_count`, `freeze_s` (together), `freeze_time_ratio` (of the film's length; `freeze_ratio`
        is the share of frames that were not shown), `frame_delay_ms_p50`, `_p95`, `_p98`.
    """
    render_ms = [None if np.isnan(each) else float(each) for each in frames["time_render_ms"]]
    interval_ms = 1000 / fps
    times = screen_times(frames["time_capture_ms"].tolist(), render_ms, interval_ms)
    found = freezes(times, interval_ms)
    delay_ms = frames["delay_ms"].dropna().to_numpy(dtype=float)
    return {
        "freeze_count": found.count,
        "freeze_s": found.total_s,
        "freeze_time_ratio": found.total_s / (len(frames) / fps),
        **{f"frame_delay_ms_p{q}": _percentile(delay_ms, q) for q in (50, 95, 98)},
    }


def burst_summary(packets: "pd.DataFrame") -> dict[str, float]:
    """Bursts and gaps after RFC 3611 among media packets that were lost or came too late to be of use."""
    media = packets[packets["kind"] == "media"].drop_duplicates("packet")
    found = burst_gap((~media["fate"].isin(IN_TIME)).to_numpy())
    return {
        "bursts": found.bursts,
        "burst_density": found.burst_density,
        "gap_density": found.gap_density,
        "burst_packets": found.burst_packets,
        "gap_packets": found.gap_packets,
    }


def token_summary(frames: "pd.DataFrame") -> dict[str, float]:
    """What became of tokens: the share that was missing, and of those the share guessed exactly."""
    total, missing = int(frames["tokens_total"].sum()), int(frames["tokens_missing"].sum())
    correct = int(frames["tokens_correct"].sum())
    return {
        "tokens_missing_share": missing / total if total else np.nan,
        "tokens_correct_share": correct / missing if missing else np.nan,
    }


def quality_summary(frames: "pd.DataFrame") -> dict[str, float]:
    """Mean and bad-end percentile of each quality column that holds numbers."""
    found: dict[str, float] = {}
    for name in quality_columns(frames):
        values = frames[name].to_numpy(dtype=float)
        bad_end = 95 if name.startswith(LOWER_IS_BETTER) else 5
        found[f"{name}_mean"] = float(np.mean(values))
        found[f"{name}_p{bad_end}"] = _percentile(values, bad_end)
    return found


def quality_columns(frames: "pd.DataFrame") -> list[str]:
    """Quality columns with numbers in them: a metric and its `_lossless` and `_holes` variants."""
    names = [str(name) for name in frames.columns]
    metrics = [name.removesuffix("_lossless") for name in names if name.endswith("_lossless")]
    variants = [f"{metric}{suffix}" for metric in metrics for suffix in ("", "_lossless", "_holes")]
    return [name for name in variants if name in names and bool(frames[name].notna().any())]


def mean_burst(lost: NDArray[np.bool_]) -> float:
    """Mean length of runs of losses; nan without any.

    >>> mean_burst(np.array([0, 1, 1, 0, 1, 0], dtype=bool))
    1.5
    """
    starts = lost & ~np.append(False, lost[:-1])
    return float(lost.sum() / starts.sum()) if lost.any() else np.nan


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent)) if values.size else np.nan
