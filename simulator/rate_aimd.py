r"""How fast may we send? The rate controller of GCC's delay half: up a little, down by a factor.

    signal \ state     hold        increase    decrease
    overuse           decrease    decrease    decrease
    normal            increase    increase    hold
    underuse          hold        hold        hold

Source: draft-ietf-rmcat-gcc-02, section 5.5; the spread of past maxima as in WebRTC's
link_capacity_estimator.cc, since the draft leaves its start open.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Literal

from simulator.rate_delay import Usage
from simulator.units import BYTE_NS, MS_NS, SECOND_NS

State = Literal["hold", "increase"]

RATE_WINDOW_NS = 500 * MS_NS  # T of the draft, section 5.6
BETA = 0.85  # decrease: this share of what arrives, draft
ETA = 1.08  # multiplicative increase a second, draft
LEAST_STEP_BPS = 1000.0  # of a multiplicative increase, WebRTC
LEAST_SLOPE_BPS = 4000.0  # of an additive increase, a second, WebRTC
DRAIN_BPS = 5000.0  # off a decrease besides, so that what queued up can drain, WebRTC
LEAD, LEAD_BPS = 1.5, 10_000.0  # the estimate stays below so many times what arrives, draft; and a little, WebRTC
PAUSE_RANGE_NS = (10 * MS_NS, 200 * MS_NS)  # limits of a round trip between two decreases, WebRTC
DETECTION_NS = 100 * MS_NS  # reaction time of the detector, draft
FRAMES_A_SECOND, PACKET_BITS = 30, 1200 * 8  # the draft's guess of a typical packet

AVERAGE = 0.05  # weight of a new maximum: smoothing factor 0.95, draft
SPREAD_KBPS, SPREAD_RANGE_KBPS = 0.4, (0.4, 2.5)  # variance over mean, WebRTC
FAR = 3.0  # standard deviations within which the past maximum counts as near, draft


class ReceivedRate:
    """What arrives, in bits a second over the last RATE_WINDOW_NS: R_hat of the draft."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[int, int]] = deque()  # time, bytes
        self._bytes = self._newest_ns = 0
        self._first_ns: int | None = None

    def add(self, arrivals: Iterable[tuple[int, int]]) -> None:
        """Take arrivals (time, bytes); times out of order count as of the newest seen."""
        newest_ns, take = self._newest_ns, self._arrivals.append
        for arrived_ns, size_bytes in arrivals:
            if arrived_ns > newest_ns:
                newest_ns = arrived_ns
            take((newest_ns, size_bytes))
            self._bytes += size_bytes
        self._newest_ns = newest_ns
        if self._first_ns is None and self._arrivals:
            self._first_ns = self._arrivals[0][0]

    def rate_bps(self) -> float | None:
        """The rate at the last arrival; None before a window has passed since the first."""
        if self._first_ns is None or self._arrivals[-1][0] - self._first_ns < RATE_WINDOW_NS:
            return None
        before_ns = self._arrivals[-1][0] - RATE_WINDOW_NS
        while self._arrivals[0][0] <= before_ns:
            self._bytes -= self._arrivals.popleft()[1]
        return self._bytes * BYTE_NS / RATE_WINDOW_NS


class PastMaximum:
    """Mean and spread of what arrived whenever the path was over-used: where the limit was."""

    def __init__(self) -> None:
        self._mean_kbps: float | None = None
        self._spread_kbps = SPREAD_KBPS

    @property
    def known(self) -> bool:
        """Whether there was an over-use since the path last changed."""
        return self._mean_kbps is not None

    def add(self, rate_bps: float) -> None:
        """Take the rate at an over-use."""
        kbps = rate_bps / 1000
        if self._mean_kbps is None:
            self._mean_kbps = kbps
            return
        self._mean_kbps += AVERAGE * (kbps - self._mean_kbps)
        error = (self._mean_kbps - kbps) ** 2 / max(self._mean_kbps, 1.0)
        low, high = SPREAD_RANGE_KBPS
        self._spread_kbps = min(max(self._spread_kbps + AVERAGE * (error - self._spread_kbps), low), high)

    def compare(self, rate_bps: float) -> Literal["unknown", "below", "near", "above"]:
        """Where a rate lies against the past maximum, within FAR standard deviations."""
        if self._mean_kbps is None:
            return "unknown"
        off = FAR * math.sqrt(self._spread_kbps * self._mean_kbps)
        kbps = rate_bps / 1000
        if kbps > self._mean_kbps + off:
            return "above"
        return "near" if kbps >= self._mean_kbps - off else "below"


class Aimd:
    """The delay-based estimate of the rate, A_hat of the draft.

    Args:
        start_bps: Its first value.
        min_bps, max_bps: Its limits.

    Attributes:
        rate_bps: The estimate.
        state: hold or increase; a decrease is done at once, and then it holds.
    """

    def __init__(self, start_bps: float, min_bps: float, max_bps: float) -> None:
        self.rate_bps, self._min_bps, self._max_bps = start_bps, min_bps, max_bps
        self.state: State = "hold"
        self._maximum = PastMaximum()
        self._changed_ns: int | None = None

    def update(self, usage: Usage, received_bps: float | None, rtt_ns: int, now_ns: int) -> float:
        """One step, at each feedback.

        Args:
            usage: What the detector says.
            received_bps: What arrives; None if not known yet.
            rtt_ns: Round trip time.
            now_ns: Time of this step.
        """
        before_ns = now_ns if self._changed_ns is None else self._changed_ns
        if usage == "overuse":
            if self._may_decrease(received_bps, rtt_ns, now_ns):
                self._decrease(received_bps)
                self.state, self._changed_ns = "hold", now_ns
        elif usage == "underuse":
            self.state = "hold"
        else:
            if self.state == "increase":
                self._increase(received_bps, rtt_ns, now_ns - before_ns)
            self.state, self._changed_ns = "increase", now_ns
        self.rate_bps = min(max(self.rate_bps, self._min_bps), self._max_bps)
        return self.rate_bps

    def _may_decrease(self, received_bps: float | None, rtt_ns: int, now_ns: int) -> bool:
        """A round trip after the last change, for so long it cannot show; at once if far too much is sent."""
        low_ns, high_ns = PAUSE_RANGE_NS
        rested = self._changed_ns is None or now_ns - self._changed_ns >= min(max(rtt_ns, low_ns), high_ns)
        return rested or (received_bps is not None and received_bps < 0.5 * self.rate_bps)

    def _increase(self, received_bps: float | None, rtt_ns: int, since_ns: int) -> None:
        if received_bps is not None and self._maximum.compare(received_bps) == "above":  # the path has grown
            self._maximum = PastMaximum()
        if self._maximum.known:
            raised = self.rate_bps + self._slope_bps(rtt_ns) * since_ns / SECOND_NS
        else:
            raised = max(self.rate_bps * ETA ** min(since_ns / SECOND_NS, 1.0), self.rate_bps + LEAST_STEP_BPS)
        if received_bps is not None:  # never below where it is: a quiet sender is no reason to fall
            raised = min(raised, max(LEAD * received_bps + LEAD_BPS, self.rate_bps))
        self.rate_bps = raised

    def _slope_bps(self, rtt_ns: int) -> float:
        """Bits a second it grows by in a second: a packet in two response times."""
        frame_bits = self.rate_bps / FRAMES_A_SECOND
        packet_bits = frame_bits / math.ceil(frame_bits / PACKET_BITS)
        return max(LEAST_SLOPE_BPS, packet_bits * SECOND_NS / (2 * (DETECTION_NS + rtt_ns)))

    def _decrease(self, received_bps: float | None) -> None:
        if received_bps is None:  # nothing to go by yet
            self.rate_bps /= 2
            return
        if self._maximum.compare(received_bps) == "below":  # the path has shrunk
            self._maximum = PastMaximum()
        self._maximum.add(received_bps)
        lowered = BETA * received_bps
        self.rate_bps = min(self.rate_bps, lowered - DRAIN_BPS if lowered > DRAIN_BPS else lowered)
