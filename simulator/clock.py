"""SimPy's clock in whole nanoseconds, and a short way into and through its queue.

    heap of (time, priority, number, event)   the next event is the smallest: the earliest, then the most
                                              urgent, then the first that was scheduled

`Environment.schedule` and `Environment.run` do the same in more steps: a method, a property and a `try` an
event. A packet is one event, and there are millions. This is the one module that looks inside SimPy.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from simpy import Environment

NORMAL = 1  # simpy.core.NORMAL: the priority of all events but those that stop the simulation


def poster(env: Environment) -> Callable[[int, Any], None]:
    """A function that schedules an event at a time in ns, as `env.schedule` does a delay from now."""
    queue: list[Any] = env._queue
    number = env._eid.__next__

    def post(time_ns: int, event: Any) -> None:
        heappush(queue, (time_ns, NORMAL, number(), event))

    return post


def run(env: Environment) -> None:
    """What `env.run()` does: event after event, until there are none."""
    queue = env._queue
    while queue:
        env._now, _, _, event = heappop(queue)
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # as simpy marks what is past
        for callback in callbacks:
            callback(event)
        if not event._ok and not hasattr(event, "_defused"):
            raise event._value
