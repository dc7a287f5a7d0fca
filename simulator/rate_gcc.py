r"""GCC: Google congestion control, after draft-ietf-rmcat-gcc-02, at the sender.

    reports --> Bursts, Trendline, Detector --> Aimd    --> A_hat  \
            \-> LossBased                           --> As_hat  --> min = target

The delay half notices a queue that grows, the loss half one that is too short to grow.
"""

from collections.abc import Sequence

from simulator.congestion_feedback import PacketReport
from simulator.rate_aimd import Aimd, ReceivedRate
from simulator.rate_delay import Bursts, Detector, Trendline
from simulator.units import MS_NS

LOSS_LOW, LOSS_HIGH = 0.02, 0.10  # draft, section 6
LOSS_RAISE = 1.05  # below LOSS_LOW, draft
LOSS_PACKETS = 20  # fewer tell no loss rate (kLimitNumPackets of WebRTC)
LOSS_PAUSE_NS = 300 * MS_NS  # and a round trip, from one decrease to the next (kBweDecreaseInterval of WebRTC)


class LossBased:
    """The loss-based estimate of the rate, As_hat of the draft (section 6).

    Attributes:
        rate_bps: The estimate.
    """

    def __init__(self, start_bps: float) -> None:
        self.rate_bps = start_bps
        self._lost = self._seen = 0
        self._lowered_ns: int | None = None

    def update(
        self, reports: Sequence[PacketReport], delay_based_bps: float, min_bps: float, rtt_ns: int, now_ns: int
    ) -> float:
        """One step at each feedback; it acts once it has seen LOSS_PACKETS packets.

        After a decrease it waits until that can show: a long queue goes on telling of old losses. The
        estimate never runs ahead of the delay-based one: what is not sent proves nothing.
        """
        self._seen += len(reports)
        self._lost += sum([report.arrived_ns is None for report in reports])
        if self._seen >= LOSS_PACKETS:
            loss = self._lost / self._seen
            if loss < LOSS_LOW:
                self.rate_bps *= LOSS_RAISE
            elif loss > LOSS_HIGH and self._rested(rtt_ns, now_ns):
                self.rate_bps *= 1 - 0.5 * loss
                self._lowered_ns = now_ns
            self._lost = self._seen = 0
        self.rate_bps = max(min(self.rate_bps, delay_based_bps), min_bps)
        return self.rate_bps

    def _rested(self, rtt_ns: int, now_ns: int) -> bool:
        return self._lowered_ns is None or now_ns - self._lowered_ns >= LOSS_PAUSE_NS + rtt_ns


class Gcc:
    """The controller; pure: it has no clock of its own.

    Args:
        start_bps: Rate before the first feedback.
        min_bps, max_bps: Limits of the rate.
    """

    def __init__(self, start_bps: float, min_bps: float, max_bps: float) -> None:
        self._min_bps = min_bps
        self._bursts, self._trendline, self._detector = Bursts(), Trendline(), Detector()
        self._received = ReceivedRate()
        self._aimd = Aimd(start_bps, min_bps, max_bps)
        self._loss = LossBased(start_bps)
        self._target_bps = start_bps

    def on_feedback(self, reports: Sequence[PacketReport], now_ns: int) -> None:
        """Take the news of one feedback message, which arrives now."""
        if not reports:
            return
        came = [(sent_ns, at_ns, size_bytes) for sent_ns, at_ns, size_bytes in reports if at_ns is not None]
        self._received.add([(at_ns, size_bytes) for _, at_ns, size_bytes in came])
        bursts = self._bursts.add  # every packet passes here
        for sent_ns, at_ns, _ in came:
            change = bursts(sent_ns, at_ns)
            if change is not None:
                slope = self._trendline.add(change)
                self._detector.update(slope, self._trendline.changes, change)
        rtt_ns = now_ns - reports[-1].sent_ns
        delay_based = self._aimd.update(self._detector.usage, self._received.rate_bps(), rtt_ns, now_ns)
        self._target_bps = self._loss.update(reports, delay_based, self._min_bps, rtt_ns, now_ns)

    def target_bps(self, now_ns: int) -> float:
        """Bits a second on the wire, all headers and repair included."""
        return self._target_bps
