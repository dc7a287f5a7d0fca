"""Small films and scenarios for tests of the network."""

from collections.abc import Callable, Iterable
from typing import Any

from simulator.channel.link import Link
from simulator.journey import Journey
from simulator.media import EncodedFrame, Slice
from simulator.packet import OVERHEAD_BYTES, Packet
from simulator.scenario import Scenario


def film(frames: int, slices: int = 4, payload_bytes: int = 100) -> list[EncodedFrame]:
    """Frames whose slices say which they are: no two payloads are equal."""
    return [
        EncodedFrame(
            tuple(Slice(i, slices, 10, f"{frame}/{i}".encode().ljust(payload_bytes, b".")) for i in range(slices)),
            10 * slices,
            (16, 16),
        )
        for frame in range(frames)
    ]


def scenario(
    seed: int = 1, deadline: Any = "150 ms", fps: float = 24.0, protection: Any = None, depth: int = 1, **channel: Any
) -> Scenario:
    """A scenario of which only the network half matters."""
    return Scenario.model_validate(
        {
            "name": "tiny",
            "seed": seed,
            "source": {"fps": fps},
            "channel": channel,
            "playout": {"deadline": deadline},
            "packetizer": {"depth": depth},
            "protection": protection or {},
        }
    )


def journey(number: int, size_bytes: int = 1000) -> Journey:
    """A packet about to be sent, one slice a frame."""
    payload = bytes(size_bytes - OVERHEAD_BYTES)
    packet = Packet(number & 0xFFFF, 0, 0, True, number & 0xFFFF, 0, 1, 1, "media", payload)
    return Journey(packet, number, number, size_bytes, 0)


class Script:
    """A model that does what it is told, once a packet: losses or delays."""

    def __init__(self, values: Iterable[Any], reorder: bool = False) -> None:
        self.lost = self.draw = self._next
        self.reorder = reorder
        self._values = iter(values)

    def _next(self, now_ns: int) -> Any:
        return next(self._values)


def send_at(env: Any, link: Link, times_ns: Iterable[int], make: Callable[[int], Journey] = journey) -> list[Journey]:
    """Put one packet on the link at each time, run to the end, and return all journeys."""
    journeys = []

    def clock() -> Any:
        for number, time_ns in enumerate(times_ns):
            yield env.timeout(time_ns - env.now)
            journeys.append(make(number))
            journeys[-1].sent_ns = time_ns
            link.put(journeys[-1])

    env.process(clock())
    env.run()
    return journeys
