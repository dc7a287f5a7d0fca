"""What a run prints in the end: its row of summary.csv in words, and a note where nearly all came too late."""

import math

# What is printed after a run: column of summary.csv, words, format
SUMMARY = (
    ("loss_rate", "packets lost", "{:.1%}"),
    ("loss_rate_after_repair", "packets of no use at the deadline", "{:.1%}"),
    ("mean_burst", "mean run of losses", "{:.2f} packets"),
    ("delay_ms_p50", "delay, median", "{:.1f} ms"),
    ("delay_ms_p95", "delay, 95th percentile", "{:.1f} ms"),
    ("rendered_fps", "frames shown", "{:.2f} a second"),
    ("freeze_ratio", "frames frozen", "{:.1%}"),
    ("freeze_s", "frozen for long (W3C freezes)", "{:.2f} s"),
    ("goodput_kbps", "payload in time", "{:.1f} kbit/s"),
    ("overhead", "headers and repair / payload", "{:.1%}"),
    ("bpp", "bits a pixel on the wire", "{:.4f}"),
    ("tokens_missing_share", "tokens missing", "{:.1%}"),
    ("tokens_correct_share", "of these guessed exactly", "{:.1%}"),
)


def late_note(summary: dict[str, float], deadline_ms: float) -> str:
    """A word for who set a delay and forgot the deadline; empty where most packets can be in time.

    Args:
        summary: A row of summary.csv.
        deadline_ms: Of playout.
    """
    typical_ms = summary["delay_ms_p50"]
    if not typical_ms > deadline_ms:  # or none arrived
        return ""
    return (
        f"most packets came too late: half of them took {typical_ms:.0f} ms or more, and playout.deadline is "
        f"{deadline_ms:g} ms. Raise it, if so late a picture is of use; or look at channel.delay and channel.bandwidth"
    )


def summary_table(summary: dict[str, float]) -> str:
    """The summary in words, and quality as one row a metric: lossless, with holes, concealed.

    Args:
        summary: A row of summary.csv.
    """
    rows = [
        (words, "none" if math.isnan(summary[key]) else form.format(summary[key]))
        for key, words, form in SUMMARY
        if key in summary
    ]
    lines = [f"  {words:<36}{value:>16}" for words, value in rows]
    lines += ["", f"  {'quality, mean':<24}{'nothing lost':>14}{'with holes':>14}{'concealed':>14}"]
    for key in summary:
        metric = key.removesuffix("_lossless_mean")
        if metric != key:
            three = (f"{metric}_lossless_mean", f"{metric}_holes_mean", f"{metric}_mean")
            lines.append(f"  {metric:<24}" + "".join(f"{summary.get(k, math.nan):>14.4g}" for k in three))
    return "\n".join(lines)
