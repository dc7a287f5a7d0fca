"""One-second scenarios with the toy codec, for tests of the whole path."""

from pathlib import Path

from simulator import scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TOY = ("codec.name=toy", "concealment.method=neighbour_mean")
SHORT = (*TOY, "source.count=12", "source.fps=12", "source.size=[64, 64]", "output.frames=3")


def lossy(*overrides: str, seed: int = 1) -> scenario.Scenario:
    """A second of the main scenario, small and without a network."""
    return scenario.load(SCENARIOS / "lossy_20pct.yaml", [*SHORT, *overrides], seed)
