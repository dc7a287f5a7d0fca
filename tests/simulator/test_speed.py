"""How fast the network pass is: `python -m pytest -m slow -s tests/simulator/test_speed.py` prints the figures.

All times are CPU time. Machines differ and neighbours disturb, so what is asserted are ratios of things
measured in turns in one run, each below what a quiet machine shows.
"""

import random
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from simpy import Environment, Timeout

from simulator import records
from simulator.channel import bandwidth, delay, loss, queue
from simulator.channel.link import Link
from simulator.clock import Clock
from simulator.journey import Journey
from simulator.media import EncodedFrame, Slice
from simulator.packet import Packet
from simulator.playout import PlayoutBuffer
from simulator.playout_delay import Fixed
from simulator.receiver import Receiver
from simulator.scenario import Scenario
from simulator.session import Taps, run_session
from simulator.streams import Draws, generator

pytestmark = pytest.mark.slow

MS = 1_000_000
SLICES = 12
REPAIR = {
    "protection": {"fec": {"code": "rs", "overhead": "25 %"}, "nack": {"initial_rtt": "80 ms"}},
    "rate_control": {
        "model": "gcc", "start": "600 kbit/s", "min": "200 kbit/s", "max": "2 Mbit/s", "min_bpp": 0.05, "max_bpp": 0.3,
    },
}  # fmt: skip


def test_a_packet_through_queue_bursts_jitter_and_deadline_costs_at_most_four_bare_events():
    """The bar of the design, 300,000 packets a second, is about a third of what SimPy can do bare."""
    link_s, bare_s = best(link_and_receiver_s, bare_event_s)
    print(f"{1 / link_s:,.0f} packets/s through link and receiver, {1 / bare_s:,.0f} bare SimPy events/s")
    assert link_s < 4 * bare_s


def test_a_packet_is_quicker_through_all_that_than_through_the_bare_wire_of_ns_py():
    """The bar of the design is three times as quick; two thirds of it are asserted."""
    pytest.importorskip("ns", reason="pip install ns.py to compare")
    link_s, alike_s, ns_py_s = best(link_and_receiver_s, generator_link_sink_s, ns_py_s_a_packet)
    print(f"ns.py, generator -> Wire -> sink: {1 / ns_py_s:,.0f} packets/s")
    print(f"link and receiver, packets made before: {1 / link_s:,.0f}, {ns_py_s / link_s:.2f} times")
    print(f"generator -> link -> sink, packets made on the way: {1 / alike_s:,.0f}, {ns_py_s / alike_s:.2f} times")
    assert ns_py_s > 2 * link_s and ns_py_s > 2 * alike_s


def test_all_repair_costs_at_most_five_times_a_plain_stream(tmp_path):
    """The bar of the design: ten minutes of 30 frames a second in twelve packets in under 5 s, all switched on."""
    plain_s, full_s = best(lambda: session_s(tmp_path, 0.5, {}), lambda: session_s(tmp_path, 0.5, REPAIR), rounds=3)
    print(f"ten minutes of the network pass: {20 * plain_s:.1f} s plain, {20 * full_s:.1f} s with FEC, NACK and GCC")
    assert full_s < 5 * plain_s


def test_a_long_stream_needs_no_more_memory_than_a_short_one(tmp_path):
    session_s(tmp_path, 0.5, REPAIR)
    short_mb = peak_mb()
    session_s(tmp_path, 1.5, REPAIR)
    print(f"peak memory after half a minute {short_mb:.0f} MB, after a minute and a half {peak_mb():.0f} MB")
    assert peak_mb() < short_mb + 10


def best(*measures: Callable[[], float], rounds: int = 7) -> list[float]:
    """The least of each, measured in turns."""
    return [min(column) for column in zip(*([each() for each in measures] for _ in range(rounds)), strict=True)]


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def link_and_receiver_s(frames=1500) -> float:
    """A packet through drop-tail queue, Gilbert-Elliott loss, jitter and deadline, at 1000 frames a second."""
    env = Clock()
    receiver = Receiver(env, PlayoutBuffer(1000, Fixed(60 * MS)))
    path = bursty_link(env, receiver.put)
    taken_s = timed(env, path, [burst(frame) for frame in range(frames)])
    arrived = receiver.delivered.packets + receiver.late.packets
    assert arrived + path.lost.packets == frames * SLICES, (arrived, path.lost)
    return taken_s / (frames * SLICES)


def generator_link_sink_s(frames=1500) -> float:
    """What ns.py does, with our parts: packets are made on the way, and the sink notes when each came and its wait."""
    env, came, waits = Clock(), [], []

    def sink(journey: Journey) -> None:
        came.append(env.now_ns)
        waits.append(env.now_ns - journey.sent_ns)

    path = bursty_link(env, sink)
    taken_s = timed(env, path, (burst(frame) for frame in range(frames)))
    assert len(came) + path.lost.packets == frames * SLICES and min(waits) > 0
    return taken_s / (frames * SLICES)


def bursty_link(env: Clock, out: Callable[[Journey], None]) -> Link:
    return Link(
        env,
        queue.DropTail(100),
        bandwidth.Constant(20_000_000),
        loss.GilbertElliott(0.02, 0.25, 0, 1, *(Draws(generator(1, name)) for name in ("state", "loss"))),
        delay.Random(delay.normal(40 * MS, 8 * MS), True, generator(1, "delay")),
        out,
    )


def timed(env: Clock, path: Link, bursts: Iterable[list[Journey]]) -> float:
    """Put a burst on the link each millisecond; seconds until all is through."""
    coming = iter(bursts)

    def send(_):
        sent = next(coming, None)
        if sent is not None:
            for each in sent:
                path.put(each)
            Timeout(env, MS).callbacks.append(send)

    Timeout(env, 0).callbacks.append(send)
    started_s = time.process_time()
    env.run()
    return time.process_time() - started_s


def burst(frame: int) -> list[Journey]:
    journeys = []
    for index in range(SLICES):
        number, last = frame * SLICES + index, index == SLICES - 1
        packet = Packet(number & 0xFFFF, 0, 0, last, frame & 0xFFFF, index, SLICES, 1, "media", bytes(100))
        journeys.append(Journey(packet, number, frame, packet.size_bytes, frame * MS))
    return journeys


def ns_py_s_a_packet(packets=18_000) -> float:
    """ns.py's generator -> Wire -> PacketSink, 12 packets a unit of time, mean delay 40, jitter 8."""
    from ns.packet.dist_generator import DistPacketGenerator
    from ns.packet.sink import PacketSink
    from ns.port.wire import Wire

    env, chance = Environment(), random.Random(1)
    source = DistPacketGenerator(env, "source", lambda: 1 / 12, lambda: 100, finish=packets / 12, flow_id=0)
    source.out = wire = Wire(env, lambda: chance.gauss(40, 8))
    wire.out = sink = PacketSink(env)
    started_s = time.process_time()
    env.run()
    taken_s = time.process_time() - started_s
    assert sink.packets_received[0] > 0.9 * packets
    return taken_s / source.packets_sent


def bare_event_s(batches=1500) -> float:
    """An event of SimPy itself that only counts."""
    env, came = Environment(), []

    def send(event):
        for _ in range(SLICES):
            Timeout(env, 40 * MS, event).callbacks.append(came.append)
        if event.value + 1 < batches:
            Timeout(env, MS, event.value + 1).callbacks.append(send)

    Timeout(env, 0, 0).callbacks.append(send)
    started_s = time.process_time()
    env.run()
    taken_s = time.process_time() - started_s
    assert len(came) == batches * SLICES, len(came)
    return taken_s / len(came)


def session_s(folder: Path, minutes: float, repair: dict) -> float:
    """The network pass of so many minutes, records to disk."""
    frames = round(minutes * 60 * 30)
    with records.packet_writer(folder / "packets.parquet") as put:
        taps = Taps(packets=put, delivery=lambda frame: None)
        started_s = time.process_time()
        result = run_session(thirty_fps(repair), Elastic(frames), taps=taps)
        taken_s = time.process_time() - started_s
    assert result.conservation.sent.packets >= frames * SLICES
    return taken_s


def thirty_fps(repair: dict) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "speed",
            "source": {"fps": 30, "size": [256, 256]},
            "channel": {
                "loss": {"model": "gilbert_elliott", "rate": "2 %", "mean_burst": 2},
                "delay": {"model": "normal", "mean": "40 ms", "jitter": "4 ms"},
                "bandwidth": {"model": "constant", "rate": "2 Mbit/s"},
                "queue": {"model": "droptail", "packets": 100},
            },
            "playout": {"deadline": "250 ms"},
            "packetizer": {"packets_per_frame": SLICES},
            **repair,
        }
    )


class Elastic:
    """A film of any length and rate whose frames all look the same, so that no codec is timed."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._kept: dict[float, EncodedFrame] = {}

    def __len__(self) -> int:
        return self._frames

    def frame(self, number: int, bpp: float | None = None) -> EncodedFrame:
        bpp = 0.15 if bpp is None else bpp
        if bpp not in self._kept:
            size = round(bpp * 256 * 256 / 8 / SLICES)
            slices = tuple(Slice(i, SLICES, 21, bytes([i]) * size) for i in range(SLICES))
            self._kept[bpp] = EncodedFrame(slices, 21 * SLICES, (256, 256))
        return self._kept[bpp]
