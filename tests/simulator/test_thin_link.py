"""The claim of thin_link and thin_link_gcc: rate control halves the frozen time, at no lower quality per bit.

Every seed meets another part of the trace. Frozen time needs no pixels: there the frames are as large as they are
asked to be, in the scenarios as shipped. Quality is the toy codec's, in pictures so large that its range of rates,
60 to 350 kbit/s on the wire, is about that of the line.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pytest

from simulator import scenario
from simulator.encodings import Encodings
from simulator.frames import load_frames
from simulator.freezes import freezes, screen_times
from simulator.media import EncodedFrame, Slice
from simulator.metrics import psnr
from simulator.scenario import Scenario
from simulator.session import SessionResult, run_session
from simulator.toy_media import ToyCodec
from simulator.units import ns_to_ms
from tests.simulator.small import SCENARIOS, TOY

FIXED_BPP = 0.105  # of thin_link.yaml: 200 kbit/s on the wire, two thirds of the line's mean
SEEDS = range(1, 9)


class Film(Protocol):
    def __len__(self) -> int: ...

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame: ...


class Sized:
    """A film of 480 frames of 256 x 256 pixels in 4 slices, which holds nothing but its size."""

    def __init__(self, bpp: float) -> None:
        self._bpp = bpp

    def __len__(self) -> int:
        return 480

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        data = bytes(round((self._bpp if bpp is None else bpp) * 256 * 256 / 8 / 4))
        return EncodedFrame(tuple(Slice(part, 4, 64, data) for part in range(4)), 256, (256, 256))


def frozen(result: SessionResult) -> float:
    """Share of frames that were not shown."""
    return float(np.mean([each.frozen for each in result.deliveries]))


def freeze_time(result: SessionResult) -> float:
    """Share of the time in freezes by the W3C's rule."""
    capture = [ns_to_ms(each.capture_ns) for each in result.deliveries]
    render = [None if each.render_ns is None else ns_to_ms(each.render_ns) for each in result.deliveries]
    return freezes(screen_times(capture, render, 1000 / 24), 1000 / 24).total_s / (len(capture) / 24)


def payload_bpp(result: SessionResult, pixels: int) -> float:
    return float(np.mean([each.bytes_payload for each in result.deliveries])) * 8 / pixels


def load(name: str, seed: int, *overrides: str) -> Scenario:
    return scenario.load(SCENARIOS / f"{name}.yaml", overrides, seed)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[SessionResult]]:
    """By seed: at the fixed rate, with rate control, and at a fixed rate of as many bits as that took."""
    found: dict[str, list[SessionResult]] = {"fixed": [], "gcc": [], "as many bits": []}
    for seed in SEEDS:
        fixed, gcc = load("thin_link", seed), load("thin_link_gcc", seed)
        found["fixed"].append(run_session(fixed, Sized(FIXED_BPP)))
        found["gcc"].append(run_session(gcc, Sized(FIXED_BPP)))
        bpp = payload_bpp(found["gcc"][-1], 256 * 256)
        found["as many bits"].append(run_session(fixed, Sized(bpp)))
    return found


def test_the_fixed_rate_is_that_of_the_scenario() -> None:
    assert load("thin_link", 1).codec.options == {"bpp": FIXED_BPP}


@pytest.mark.parametrize("measure", [frozen, freeze_time])
def test_rate_control_halves_the_frozen_time(runs: dict[str, list[SessionResult]], measure) -> None:
    fixed, gcc, same = (float(np.mean([measure(each) for each in runs[name]])) for name in runs)
    assert fixed > 0.1  # else there is nothing to halve
    assert gcc <= fixed / 2
    assert gcc < same


SIDE, EVERY = 384, 8  # pixels; frames from one that is judged to the next
LARGE = (*TOY, f"source.size=[{SIDE}, {SIDE}]", "packetizer.packets_per_frame=2")
LARGE_BPP = (200_000 / 24 - 2 * 46 * 8) / SIDE**2  # 200 kbit/s on the wire again


class AtRate:
    """A film at one rate, unless another is asked for."""

    def __init__(self, film: Encodings, bpp: float) -> None:
        self._film, self._bpp = film, bpp

    def __len__(self) -> int:
        return len(self._film)

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        return self._film.frame(number, self._bpp if bpp is None else bpp)


@dataclass(frozen=True)
class Seen:
    """Mean PSNR of what was on the screen, frozen or not; mean bits a pixel on the wire."""

    psnr_db: float
    bpp: float


def watch(spec: Scenario, film: Film, pictures: np.ndarray) -> tuple[Seen, SessionResult]:
    result, shown, last = run_session(spec, film), [np.zeros_like(pictures[0])], None
    for each in result.deliveries:
        last = last if each.frozen else each
        if each.frame % EVERY == 0:
            received = [last.received] if last else []
            made = ToyCodec().decode(received, (SIDE, SIDE), "neighbour_mean", False)
            shown.append(made[0].picture if made else shown[-1])
    wire_bytes = np.mean([each.bytes_payload + each.bytes_header for each in result.deliveries])
    return Seen(float(psnr(pictures[::EVERY], np.stack(shown[1:])).mean()), float(wire_bytes) * 8 / SIDE**2), result


def test_quality_at_as_many_bits_is_no_lower_and_decibels_over_bits_hardly() -> None:
    source = load("thin_link", 1, *LARGE).source
    pictures = load_frames(source.frames, source.count, source.fps, source.size, 1)
    film, seen = Encodings(ToyCodec(), pictures, 2, "low_discrepancy"), []
    for seed in (1, 2):
        fixed, gcc = load("thin_link", seed, *LARGE), load("thin_link_gcc", seed, *LARGE, "rate_control.max_bpp=0.094")
        controlled, result = watch(gcc, AtRate(film, LARGE_BPP), pictures)
        at_fixed, _ = watch(fixed, AtRate(film, LARGE_BPP), pictures)
        same, _ = watch(fixed, AtRate(film, payload_bpp(result, SIDE**2)), pictures)
        seen.append((controlled, at_fixed, same))
    controlled_db, fixed_db, same_db = (
        np.mean([each.psnr_db for each in column]) for column in zip(*seen, strict=True)
    )
    controlled_bpp, fixed_bpp, same_bpp = (np.mean([each.bpp for each in column]) for column in zip(*seen, strict=True))
    assert same_bpp == pytest.approx(controlled_bpp, rel=0.05)
    assert controlled_db >= same_db
    assert controlled_db / controlled_bpp >= 0.98 * fixed_db / fixed_bpp  # a ratio that praises whoever sends least
