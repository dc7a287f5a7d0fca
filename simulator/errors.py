"""Errors of the simulator.

    SimulatorError(Exception)
      ScenarioError     a scenario that cannot be read, or asks for what does not exist
      SourceError       frames that are missing, damaged, or too few
      TraceError        a trace of losses, delays or rates that cannot be used
      MediaError        a request that a codec cannot meet, or slices too large to send
      OutputError       results that cannot be written, or are not there to be read
      PoolError         workers of a sweep that cannot be had

Each keeps its raw parts in `args`, so it survives copying and pickling
(multiprocessing and simpy rebuild exceptions with `type(e)(*e.args)`).
"""


class SimulatorError(Exception):
    """Base of all errors a user of the simulator can cause.

    Args:
        where: File, field or argument at fault.
        rule: What holds there, in words.
        value: The value found.
        next_step: What the user can do about it.
    """

    def __init__(self, where: str, rule: str, value: object = "", next_step: str = "") -> None:
        super().__init__(where, rule, value, next_step)

    def __str__(self) -> str:
        where, rule, value, next_step = self.args
        got = f", got {value!r}" if value != "" else ""
        return f"{where}: {rule}{got}" + (f". {next_step}" if next_step else "")


class ScenarioError(SimulatorError):
    """A scenario that cannot be read or run; `where` names the file, the line and the key."""


class SourceError(SimulatorError):
    """Frames that are missing, damaged, or too few."""


class TraceError(SimulatorError):
    """A trace of losses, delays or rates that cannot be used."""


class MediaError(SimulatorError):
    """A request that a codec cannot meet, or slices too large for a packet."""


class OutputError(SimulatorError):
    """Results that cannot be written, or are not there to be read."""


class PoolError(SimulatorError):
    """Workers of a sweep that cannot be had."""
