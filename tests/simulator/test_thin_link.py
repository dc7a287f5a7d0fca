"""The claim of thin_link and thin_link_gcc: rate control halves the frozen time, at no lower quality per bit.

With the toy codec, in pictures large enough that its range of rates, 60 to 350 kbit/s on the wire, is about that of
the line; every seed meets another part of the trace.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator import scenario
from simulator.encodings import Encodings
from simulator.frames import load_frames
from simulator.freezes import freezes, screen_times
from simulator.media import EncodedFrame, ToyCodec
from simulator.metrics import psnr
from simulator.scenario import Scenario
from simulator.session import run_session
from tests.simulator.small import SCENARIOS, TOY

SIDE, SLICES, FPS = 384, 2, 24
RANGE = ("source.size=[384, 384]", "packetizer.packets_per_frame=2")
SEEDS = (1, 2, 3, 4, 5)
FIXED_KBPS = 200.0  # two thirds of the line's mean, as in thin_link.yaml
HEADERS_KBPS = 46 * SLICES * FPS * 8 / 1000
EVERY = 8  # frames from one that is judged to the next


@dataclass(frozen=True)
class Seen:
    """Of one run: share of frames not shown, share of time frozen by the W3C's rule, dB, kbit/s on the wire."""

    frozen: float
    freeze_time: float
    psnr_db: float
    wire_kbps: float


class AtRate:
    """A film at one rate."""

    def __init__(self, film: Encodings, wire_kbps: float) -> None:
        self._film, self._bpp = film, (wire_kbps - HEADERS_KBPS) * 1000 / FPS / SIDE**2

    def __len__(self) -> int:
        return len(self._film)

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        return self._film.frame(number, self._bpp if bpp is None else bpp)


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    first = scenario.load(SCENARIOS / "thin_link.yaml", [*TOY, *RANGE]).source
    return load_frames(first.frames, first.count, first.fps, first.size, 1)


def watch(spec: Scenario, film: AtRate, pictures: NDArray[np.uint8]) -> Seen:
    deliveries = run_session(spec, film).deliveries
    times = screen_times(
        [each.capture_ns / 1e6 for each in deliveries],
        [None if each.render_ns is None else each.render_ns / 1e6 for each in deliveries],
        1000 / FPS,
    )
    shown, last = [], None
    for each in deliveries:
        last = last if each.frozen else each
        if each.frame % EVERY == 0:
            received = [] if last is None else [last.received]
            made = ToyCodec().decode(received, (SIDE, SIDE), "neighbour_mean", False)
            shown.append(made[0].picture if made else np.zeros_like(pictures[0]))
    return Seen(
        float(np.mean([each.frozen for each in deliveries])),
        freezes(times, 1000 / FPS).total_s / (len(deliveries) / FPS),
        float(psnr(pictures[::EVERY], np.stack(shown)).mean()),
        float(np.mean([each.bytes_payload + each.bytes_header for each in deliveries])) * 8 * FPS / 1000,
    )


@dataclass(frozen=True)
class Runs:
    """By seed: the scenario at its fixed rate, with rate control, and at a fixed rate of as many bits as that took."""

    fixed: list[Seen]
    gcc: list[Seen]
    as_many_bits: list[Seen]


@pytest.fixture(scope="module")
def runs(pictures: NDArray[np.uint8]) -> Runs:
    film = Encodings(ToyCodec(), pictures, SLICES, "low_discrepancy")
    found = Runs([], [], [])
    for seed in SEEDS:
        fixed = scenario.load(SCENARIOS / "thin_link.yaml", [*TOY, *RANGE], seed)
        gcc = scenario.load(SCENARIOS / "thin_link_gcc.yaml", [*TOY, *RANGE, "rate_control.max_bpp=0.094"], seed)
        found.fixed.append(watch(fixed, AtRate(film, FIXED_KBPS), pictures))
        found.gcc.append(watch(gcc, AtRate(film, FIXED_KBPS), pictures))
        found.as_many_bits.append(watch(fixed, AtRate(film, found.gcc[-1].wire_kbps), pictures))
    return found


def mean(runs: list[Seen], what: str) -> float:
    return float(np.mean([getattr(each, what) for each in runs]))


@pytest.mark.parametrize("against", ["fixed", "as_many_bits"])
@pytest.mark.parametrize("measure", ["frozen", "freeze_time"])
def test_rate_control_halves_the_frozen_time_of_a_fixed_rate(runs: Runs, against: str, measure: str) -> None:
    assert mean(getattr(runs, against), measure) > 0.1  # else there is nothing to halve
    assert mean(runs.gcc, measure) <= mean(getattr(runs, against), measure) / 2


def test_on_no_part_of_the_trace_rate_control_freezes_more(runs: Runs) -> None:
    assert all(gcc.frozen <= fixed.frozen for gcc, fixed in zip(runs.gcc, runs.fixed, strict=True))


def test_for_as_many_bits_the_picture_is_no_worse(runs: Runs) -> None:
    assert mean(runs.gcc, "wire_kbps") == pytest.approx(mean(runs.as_many_bits, "wire_kbps"), rel=0.03)
    assert mean(runs.gcc, "psnr_db") >= mean(runs.as_many_bits, "psnr_db")


def test_decibels_for_a_bit_are_no_fewer_than_at_the_fixed_rate(runs: Runs) -> None:
    def per_bit(runs: list[Seen]) -> float:
        return mean(runs, "psnr_db") / mean(runs, "wire_kbps")

    assert per_bit(runs.gcc) >= per_bit(runs.fixed)
