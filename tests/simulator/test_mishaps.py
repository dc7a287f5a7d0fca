"""What may befall a packet besides loss and delay: corruption, copies, reordering, outages."""

from itertools import pairwise

import numpy as np
import pytest

from simulator.channel import corruption, link, outage, reorder
from simulator.clock import Clock
from simulator.fec_packet import FecPacket
from simulator.packet import OVERHEAD_BYTES
from simulator.streams import Draws, generator
from simulator.toy_media import ToyCodec
from tests.simulator.tiny import journey, scenario, send_at

MS = 1_000_000
COUNT = 20_000


def packet(payload):
    return journey(0).packet._replace(payload=payload)


def chances(seed):
    return Draws(generator(seed, "corruption")), generator(seed, "corruption bits")


def bit_errors(rate, seed=1):
    return corruption.BitErrors(rate, True, *chances(seed))


@pytest.mark.parametrize(("rate", "size"), [(1e-5, 1500), (1e-4, 200), (3e-3, 100)])
def test_bit_errors_hit_packets_and_bits_at_the_rates_of_the_formula(rate, size):
    wrong = [bit_errors(rate, seed).wrong_bits for seed in range(5)]
    found = [draw(size) for draw in wrong for _ in range(COUNT)]
    hit = np.mean([bool(bits) for bits in found])
    expected = 1 - (1 - rate) ** (8 * size)
    assert abs(hit - expected) < 4 * np.sqrt(expected * (1 - expected) / len(found))
    bits = np.array([bit for packet in found for bit in packet])
    assert bits.size / (len(found) * 8 * size) == pytest.approx(rate, abs=4 * np.sqrt(rate / (len(found) * 8 * size)))
    assert bits.mean() / (8 * size) == pytest.approx(0.5, abs=4 / np.sqrt(12 * bits.size))
    assert all(a < b for packet in found for a, b in pairwise(packet))


def test_more_bit_errors_hit_all_the_packets_that_fewer_hit():
    hits = []
    for rate in (0, 1e-5, 1e-4, 1e-3, 1):
        model = bit_errors(rate)
        hits.append({number for number in range(2000) if model.wrong_bits(500)})
    assert all(fewer <= more for fewer, more in pairwise(hits))
    assert not hits[0] and len(hits[-1]) == 2000 and len(bit_errors(1).wrong_bits(10)) == 80


def test_packet_errors_turn_one_bit_of_a_share_of_the_packets():
    for seed in range(5):
        model = corruption.PacketErrors(0.1, True, *chances(seed))
        found = [model.wrong_bits(100) for _ in range(COUNT)]
        assert np.mean([len(bits) for bits in found]) == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / COUNT))
        assert max(len(bits) for bits in found) == 1 and max(bits[0] for bits in found if bits) < 800


def test_damage_turns_the_named_bits_and_knows_headers_from_payload():
    assert corruption.damage(packet(b"\0\0"), [8 * 46, 8 * 46 + 15]) == (b"\x80\x01", True)
    assert corruption.damage(packet(b"\0\0"), [3, 8 * 46 + 8]) == (b"\0\x80", False)


def test_repeats_and_parity_have_longer_headers_and_damage_to_them_is_known_too():
    repeat = packet(b"\0")._replace(kind="retransmission", original_sequence=1)
    assert corruption.damage(repeat, [8 * 48 - 1]) == (b"\0", False)
    assert corruption.damage(repeat, [8 * 48 + 7]) == (b"\1", True)
    parity = FecPacket(0, 0, 0, 0, 0, (0, 9), 0, 1, "rs", bytes(14))  # a mask of 2 bytes: 50 bytes of headers
    assert corruption.damage(parity, [8 * 50 - 1]) == (bytes(14), False)
    assert corruption.damage(parity, [8 * 63 - 1]) == (bytes(12) + b"\1\0", False), "parity of headers counts as one"
    assert corruption.damage(parity, [8 * 64 - 1]) == (bytes(13) + b"\1", True)
    assert parity.size_bytes == 64 and repeat.size_bytes == 49


def run(count=2000, gap_ns=MS, seed=1, **channel):
    """Journeys, (number, time) of arrivals, and the link."""
    env, came = Clock(), []
    path = link.make(env, scenario(**channel).channel, seed, lambda packet: came.append((packet.number, env.now)))
    return send_at(env, path, range(0, count * gap_ns, gap_ns)), came, path


@pytest.mark.parametrize("seed", range(5))
def test_with_a_checksum_damaged_packets_are_dropped_and_counted(seed):
    journeys, came, path = run(seed=seed, corruption={"model": "packets", "rate": "10 %"})
    fates = [each.fate for each in journeys]
    assert fates.count("corrupt") == path.corrupt.packets == 2000 - len(came) == pytest.approx(200, abs=54)


def test_without_one_those_with_whole_headers_arrive_damaged():
    dropped = hit = 0
    for seed in range(5):
        journeys, came, path = run(seed=seed, corruption={"model": "packets", "rate": "10 %", "checksum": False})
        damaged = [each for each in journeys if any(each.packet.payload)]  # they were sent as zeros
        assert len(came) + path.corrupt.packets == 2000 and all(each.fate is None for each in damaged)
        dropped, hit = dropped + path.corrupt.packets, hit + path.corrupt.packets + len(damaged)
    share = OVERHEAD_BYTES / 1000
    assert dropped / hit == pytest.approx(share, abs=4 * np.sqrt(share / hit))


@pytest.mark.parametrize("seed", range(5))
def test_copies_arrive_after_their_originals_and_move_no_other_packet(seed):
    jitter = {"model": "normal", "mean": 40, "jitter": 8, "reorder": True}
    _, alone, _ = run(seed=seed, delay=jitter)
    journeys, both, _ = run(seed=seed, delay=jitter, duplicate="10 %")
    copies = sum(len(each.copies or ()) for each in journeys)
    first = dict(reversed(both))
    assert {number: time for number, time in both if (number, time) in alone} == dict(alone) == first
    assert len(both) - len(alone) == copies == pytest.approx(200, abs=54)


def test_packets_that_skip_the_delay_overtake_as_often_as_netems_formula_says():
    for rate, gap in ((0.25, 1), (1.0, 5), (0.5, 4)):
        for seed in range(5):
            model = reorder.Netem(rate, gap, Draws(generator(seed, "reorder")))
            skips = [model.skips() for _ in range(COUNT)]
            assert np.mean(skips) == pytest.approx(rate / (1 + (gap - 1) * rate), abs=0.015)
            assert np.diff(np.flatnonzero(skips)).min() >= gap


def test_reordering_delivers_the_skipping_packets_at_once_and_all_others_as_before():
    delay = {"model": "constant", "mean": 40}
    _, came, _ = run(100, delay=delay, reorder={"model": "netem", "rate": 1, "gap": 10})
    for number, time_ns in came:
        assert time_ns == number * MS + (0 if number % 10 == 9 else 40 * MS)
    assert [number for number, _ in came] != sorted(number for number, _ in came)


@pytest.mark.parametrize(
    ("section", "lost"),
    [
        ({"model": "windows", "windows": [[10, 5], [30, 1]]}, [10, 11, 12, 13, 14, 30]),
        ({"model": "periodic", "every": 20, "length": 2, "start": 5}, [5, 6, 25, 26, 45, 46]),
    ],
)
def test_in_an_outage_all_is_lost_and_outside_it_nothing(section, lost):
    journeys, _, path = run(50, outage=section)
    assert [each.number for each in journeys if each.fate == "lost"] == lost and path.lost.packets == len(lost)


def test_random_outages_take_their_share_of_time_within_ten_per_cent():
    shares = []
    for seed in range(8):
        model = outage.Random(900 * MS, 100 * MS, Draws(generator(seed, "outage")))
        shares.append(np.mean([model.down(now) for now in range(0, 2_000_000 * MS, 20 * MS)]))
    assert np.mean(shares) == pytest.approx(0.1, rel=0.1)


def test_mishaps_leave_the_losses_of_a_seed_as_they_were():
    bursts = {"model": "gilbert_elliott", "rate": 0.2, "mean_burst": 3}
    plain, _, _ = run(500, loss=bursts)
    rest, _, _ = run(
        500,
        loss=bursts,
        duplicate=0.2,
        corruption={"model": "bits", "rate": 1e-4},
        delay={"model": "constant", "mean": 9},
        reorder={"model": "netem", "rate": 0.3},
    )
    assert [each.number for each in plain if each.fate == "lost"] == [
        each.number for each in rest if each.fate == "lost"
    ]


def test_the_slices_own_checksum_finds_what_bit_errors_did_to_it():
    frame = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    codec = ToyCodec()
    (encoded,) = codec.encode(frame, 4, "raster")
    for number, part in enumerate(encoded.slices):
        for bit in range(0, 8 * len(part.data), 5):
            payload, _ = corruption.damage(packet(part.data), [8 * 46 + bit])
            slices = [type(part)(part.index, part.count, part.tokens, payload)]
            (decoded,) = codec.decode([slices], (64, 64), "none", False)
            assert (decoded.slices_corrupt, decoded.tokens_lost) == (1, 4), (number, bit)


def test_journeys_of_the_link_carry_zeros():
    assert not any(journey(0).packet.payload)
