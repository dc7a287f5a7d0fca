"""Whole channels by name, each with its source: `channel: {preset: lte}`.

Keys of the scenario win over those of its preset; a section that names its model stands alone.

    wifi, lossy_wifi, congested, lte, satellite
        str0m-netem 0.2.0, `NetemConfig` and `GilbertElliot` (github.com/algesten/str0m): latency,
        jitter (uniform), stays of so many packets in the good and the bad state, rate, buffer. `lte`
        is its `cellular`; `satellite` halves its 600 ms, which are a round trip.
    teams_low, teams_medium, teams_high
        Reparo (Li et al., arXiv 2305.14135): a Gilbert-Elliott channel after Microsoft Teams calls that
        loses 4 % in the good state, and 25, 50 or 75 % in the bad one. Moves between the states (6.8 %
        and 85.2 % a packet) and 50 ms one way: Tambur (Rudow et al., NSDI 2023; example configuration
        in github.com/Thesys-lab/tambur).
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Preset: TypeAlias = Literal[
    "wifi", "lossy_wifi", "congested", "lte", "satellite", "teams_low", "teams_medium", "teams_high"
]


def _radio(mean: int, jitter: int, good: int, bad: int, rate_mbps: int, buffer_kb: int) -> dict[str, Any]:
    """One-way delay in ms, mean stays in packets."""
    return {
        "loss": {"model": "gilbert_elliott", "p": 1 / good, "r": 1 / bad},
        "delay": {"model": "uniform", "mean": f"{mean} ms", "jitter": f"{jitter} ms"},
        "bandwidth": {"model": "constant", "rate": f"{rate_mbps} Mbit/s"},
        "queue": {"model": "droptail", "bytes": 1000 * buffer_kb},
    }


def _teams(loss_bad: float) -> dict[str, Any]:
    return {
        "loss": {"model": "gilbert_elliott", "p": 0.068, "r": 0.852, "h": 1 - loss_bad, "k": 0.96},
        "delay": {"model": "constant", "mean": "50 ms"},
    }


PRESETS: dict[Preset, dict[str, Any]] = {
    "wifi": _radio(5, 2, 200, 2, 100, 200),
    "lossy_wifi": _radio(15, 10, 40, 2, 50, 100),
    "congested": _radio(80, 40, 20, 2, 10, 50),
    "lte": _radio(50, 15, 100, 2, 30, 100),
    "satellite": _radio(300, 15, 100, 3, 15, 500),
    "teams_low": _teams(0.25),
    "teams_medium": _teams(0.5),
    "teams_high": _teams(0.75),
}


def fill(channel: Mapping[str, Any]) -> dict[str, Any]:
    """A channel section with the sections of its preset, if it names one that exists, beneath its own."""
    filled = dict(channel)
    preset = channel.get("preset")
    for key, section in PRESETS.get(preset, {}).items() if isinstance(preset, str) else ():  # type: ignore[call-overload]
        own = filled.get(key, {})
        if isinstance(own, Mapping) and "model" not in own:
            filled[key] = {**section, **own}
    return filled
