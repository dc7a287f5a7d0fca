"""Rate control: who decides how many bits a second the sender may send.

    fixed    nobody: the codec keeps the rate it was configured with
    gcc      an estimate from feedback: rate_gcc
    oracle   the channel's own bandwidth, ahead of time: rate_oracle

Controllers are pure: `now_ns` is an argument. Formulas and sources: docs/rate-control.md.
"""

from collections.abc import Sequence
from typing import Protocol

from simulator.channel import bandwidth
from simulator.congestion_feedback import PacketReport
from simulator.rate_gcc import Gcc
from simulator.rate_oracle import Oracle
from simulator.scenario import Scenario
from simulator.scenario_rate import FixedRate, GccRate


class Controller(Protocol):
    """What the sender asks of a rate controller."""

    def on_feedback(self, reports: Sequence[PacketReport], now_ns: int) -> None:
        """Take the news of one feedback message, which arrives now."""
        ...

    def target_bps(self, now_ns: int) -> float:
        """Bits a second on the wire from now on, all headers and repair included."""
        ...


def make(scenario: Scenario) -> Controller | None:
    """The controller a scenario asks for; None if the rate is fixed."""
    model = scenario.rate_control
    if isinstance(model, FixedRate):
        return None
    if isinstance(model, GccRate):
        return Gcc(model.start_bps, model.min_bps, model.max_bps)
    line = bandwidth.make(scenario.channel.bandwidth, scenario.seed)
    return Oracle(line, model.horizon_ns, model.utilisation, model.min_bps, model.max_bps)
