"""From a rate on the wire to bits a pixel for the codec, frame by frame.

    target_bps --/ fps--> bits a frame --minus overhead, minus debt--> payload bits --/ pixels--> bpp, on the ladder

A codec seldom makes exactly what it is asked for, and repair packets come unasked. So what was really sent
is compared with the target: the mean overhead is taken off in advance, what remains is paid back.
"""

import math

from simulator.units import bits

STEPS_PER_OCTAVE = 12  # of the ladder of rates: 6 % a step, as in equal temperament

OVERHEAD_WEIGHT = 0.1  # of the last frame in the mean overhead: a memory of ten frames
DEBT_FRAMES = 12  # frames over which a debt is paid back: half a second of film
DEBT_LIMIT_FRAMES = 24  # a larger debt, or credit, is forgotten: it comes from limits, not from errors


def snap(bpp: float, min_bpp: float, max_bpp: float) -> float:
    """The highest rung of the ladder at or below `bpp`; rungs are 2^(k/12), from min_bpp to max_bpp.

    Few different rates, so that a frame encoded for one channel serves the next one too. The lowest rung
    is the first at or above min_bpp; it stands for all that is less.

    >>> [round(snap(bpp, 0.04, 0.6), 4) for bpp in (0.01, 0.125, 0.13, 5.0)]
    [0.0416, 0.125, 0.125, 0.5946]
    """
    highest = math.floor(math.log2(max_bpp) * STEPS_PER_OCTAVE + 1e-9)
    lowest = min(math.ceil(math.log2(min_bpp) * STEPS_PER_OCTAVE - 1e-9), highest)
    wanted = lowest if bpp <= 0 else math.floor(math.log2(bpp) * STEPS_PER_OCTAVE + 1e-9)
    rung: float = 2.0 ** (min(max(wanted, lowest), highest) / STEPS_PER_OCTAVE)
    return rung


class FrameBudget:
    """Bits for each frame, so that the stream as a whole keeps to the target.

    Args:
        fps: Frames a second.
        pixels: Of a frame.
        min_bpp, max_bpp: What the codec may be asked for.
        overhead_bits: Headers of a frame's packets: the overhead before anything was sent.
    """

    def __init__(self, fps: float, pixels: int, min_bpp: float, max_bpp: float, overhead_bits: float) -> None:
        self._fps, self._pixels, self._limits = fps, pixels, (min_bpp, max_bpp)
        self._overhead_bits = overhead_bits
        self._debt_bits = 0.0

    def bpp(self, target_bps: float) -> float:
        """What to ask the codec for, in bits a pixel of payload; on the ladder."""
        wire_bits = target_bps / self._fps - self._debt_bits / DEBT_FRAMES
        return snap((wire_bits - self._overhead_bits) / self._pixels, *self._limits)

    def sent(self, target_bps: float, payload_bytes: int, wire_bytes: int) -> None:
        """Note one frame interval: slices made, and all that went on the wire since the last note."""
        overhead_bits = bits(wire_bytes - payload_bytes)
        self._overhead_bits += OVERHEAD_WEIGHT * (overhead_bits - self._overhead_bits)
        frame_bits = target_bps / self._fps
        limit = DEBT_LIMIT_FRAMES * frame_bits
        self._debt_bits = min(max(self._debt_bits + bits(wire_bytes) - frame_bits, -limit), limit)
