"""Parity against its definition: any k of n rebuild, and failures are as frequent as theory says."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import MediaError
from simulator.fec import Decoder, Protector
from simulator.fec_code import coefficient, parity_of, rebuild
from simulator.media import EncodedFrame, Slice
from simulator.packetizer import RtpStream, packetize
from simulator.scenario_protection import LARGEST_BLOCK, Fec
from simulator.session import run_session
from tests.simulator.tiny import film, scenario

SSRC = 7


def spec(**keys):
    return Fec.model_validate({"code": "rs", **keys})


def protect(fec, films, sequence=0):
    """Media and parity of a film: (list of Outgoing, list of parity)."""
    rtp, protector = RtpStream(24.0, 1500, SSRC, sequence), Protector(fec, 1500, 9, 65_534)
    media, parity = [], []
    for frame, encoded in enumerate(films):
        media += (new := packetize([(frame, encoded)], rtp))
        parity += protector.push(new, 1)
    return media, [packet for _, packet in parity + protector.flush()]


def receive(media, parity, start=0):
    """What a decoder rebuilds from packets in the given order."""
    kept, found = {}, {}
    decoder = Decoder(kept, SSRC)

    def keep(packets):
        for number, packet in packets:
            found[number], kept[number] = packet, packet

    for number, packet in media:
        kept[number] = packet
        keep(decoder.media(number))
    for packet in parity:
        keep(decoder.parity(packet, start))
    return found


def test_parity_is_the_sum_of_products_and_the_first_is_xor():
    symbols = [b"\x05\x01", b"\x03"]
    first, second = parity_of(symbols, 2)
    assert first == b"\x06\x01"
    assert coefficient(0, 0) == coefficient(0, 1) == 1 and len(second) == 2


@given(st.integers(1, 12), st.integers(1, 6), st.data())
@settings(deadline=None)
def test_any_k_of_n_rebuild_the_rest(k, r, data):
    symbols = [data.draw(st.binary(min_size=1, max_size=20)) for _ in range(k)]
    parity = dict(enumerate(parity_of(symbols, r)))
    lost = data.draw(st.sets(st.integers(0, k - 1), max_size=min(k, r)))
    rows = data.draw(st.sets(st.sampled_from(sorted(parity)), min_size=len(lost)))
    found = rebuild({i: s for i, s in enumerate(symbols) if i not in lost}, {row: parity[row] for row in rows}, k)
    length = max(map(len, symbols))
    assert found == {column: symbols[column].ljust(length, b"\0") for column in lost}


def test_every_pattern_of_a_small_block_is_rebuilt():
    symbols = [bytes([value] * 3) for value in (1, 2, 250, 7)]
    parity = parity_of(symbols, 3)
    for size in range(4):
        for lost in combinations(range(4), size):
            for rows in combinations(range(3), size):
                there = {i: s for i, s in enumerate(symbols) if i not in lost}
                found = rebuild(there, {row: parity[row] for row in rows}, 4)
                assert found == {i: symbols[i] for i in lost}


def test_the_largest_block_is_rebuilt_from_parity_alone():
    symbols = [bytes((i, 255 - i)) for i in range(LARGEST_BLOCK)]
    parity = parity_of(symbols, LARGEST_BLOCK)
    assert list(rebuild({}, dict(enumerate(parity)), LARGEST_BLOCK).values()) == symbols


@given(st.data(), st.sampled_from([0, 65_530]), st.integers(1, 3))
@settings(deadline=None)
def test_packets_rebuilt_are_those_that_were_lost_in_any_order_of_arrival(data, start, frames):
    media, parity = protect(spec(overhead=0.5, frames=frames), film(4, 6, 30), start)
    lost = data.draw(st.sets(st.integers(0, 23)))
    there = data.draw(st.permutations([(start + i, media[i].packet) for i in range(24) if i not in lost]))
    found = receive(there, data.draw(st.permutations(parity)), start)
    assert all(packet == media[number - start].packet for number, packet in found.items())
    blocks = [range(first, min(first + 6 * frames, 24)) for first in range(0, 24, 6 * frames)]
    hopeless = {i for block in blocks if 2 * len(lost & set(block)) > len(block) for i in lost & set(block)}
    assert {number - start for number in found} == lost - hopeless


def test_a_late_packet_completes_a_block():
    media, parity = protect(spec(k=4, n=5), film(1))
    kept = {0: media[0].packet, 1: media[1].packet}
    decoder = Decoder(kept, SSRC)
    assert decoder.parity(parity[0], 0) == []
    kept[2] = media[2].packet
    assert decoder.media(2) == [(3, media[3].packet)]


def test_one_parity_packet_twice_counts_once():
    media, parity = protect(spec(k=4, n=6), film(1))
    decoder = Decoder({0: media[0].packet, 1: media[1].packet}, SSRC)
    assert not decoder.knows(parity[0], 0)
    assert decoder.parity(parity[0], 0) == [] == decoder.parity(parity[0], 0) and decoder.knows(parity[0], 0)
    assert [number for number, _ in decoder.parity(parity[1], 0)] == [2, 3]


def test_xor_protects_rows_of_consecutive_packets():
    media, parity = protect(Fec(code="xor", overhead=(0.25,)), film(1, slices=10))
    assert [(each.base, len(each.members)) for each in parity] == [(0, 4), (4, 4), (8, 2)]
    lost = {1, 6, 9}
    found = receive([(i, media[i].packet) for i in range(10) if i not in lost], parity)
    assert {number: packet for number, packet in found.items()} == {i: media[i].packet for i in lost}


def test_important_slices_get_more_parity():
    parts = tuple(Slice(index, 8, 1, bytes(20), importance=index // 4) for index in range(8))
    _, parity = protect(spec(overhead=["100 %", "25 %"]), [EncodedFrame(parts, 8, (16, 16))])
    assert [(each.base, each.count) for each in parity] == [(0, 4)] * 4 + [(4, 1)]
    _, parity = protect(spec(overhead=[0.5, 0]), [EncodedFrame(parts, 8, (16, 16))])
    assert {each.base for each in parity} == {0}, "a share of 0 leaves that importance without parity"


def test_slices_of_mixed_importance_are_told_apart_by_the_mask():
    parts = tuple(Slice(index, 4, 1, bytes([index]), importance=index % 2) for index in range(4))
    media, parity = protect(spec(overhead=[0.5, 0.4]), [EncodedFrame(parts, 4, (16, 16))])
    assert [(each.base, each.members) for each in parity] == [(0, (0, 2)), (1, (0, 2))]
    assert receive([(i, media[i].packet) for i in (0, 3)], parity) == {i: media[i].packet for i in (1, 2)}


def test_slices_that_get_the_same_share_share_blocks_whatever_their_importance():
    parts = tuple(Slice(index, 8, 1, bytes([index]), importance=index % 4) for index in range(8))
    for fec, blocks in ((spec(overhead=0.5), [8]), (spec(k=4, n=5), [4, 4]), (spec(overhead=[0.5, 0.5]), [2, 6])):
        _, parity = protect(fec, [EncodedFrame(parts, 8, (16, 16))])
        assert [len(each.members) for each in parity if each.index == 0] == blocks


def test_many_packets_are_cut_into_blocks_the_field_has_room_for():
    media, parity = protect(spec(overhead=0.1, frames=3), film(3, 200, 20))
    assert all(len(each.members) <= LARGEST_BLOCK and each.members[-1] < 255 for each in parity)
    assert len(receive([(i, m.packet) for i, m in enumerate(media) if i % 20], parity)) == 30


def test_a_block_damaged_on_the_way_gives_nothing_rather_than_rubbish():
    media, parity = protect(spec(k=4, n=5), film(1))
    longer = [(i, media[i].packet._replace(payload=bytes(300))) for i in range(3)]
    assert receive(longer, parity) == {}


def test_blocks_are_forgotten_with_their_packets():
    media, parity = protect(spec(k=4, n=5), film(50))
    decoder = Decoder({}, SSRC)
    for number, packet in enumerate(parity):
        decoder.parity(packet, 4 * number)
        decoder.forget(4 * number)
    assert len(decoder._blocks) == 1 and len(decoder.wanted) == 4 and len(media) == 200


def test_parity_larger_than_the_mtu_stops_the_run_with_advice():
    fec = {"code": "rs", "overhead": 0.25}
    with pytest.raises(MediaError, match=r"protection.fec \(frame 0\): .*mtu_bytes = 200, got 216. Raise packets_per"):
        run_session(scenario(protection={"fec": fec}, mtu_bytes=200), film(1, payload_bytes=154))


# Failure rates against theory


def share_of_frames_broken(seeds, loss, k, r, frames=3000):
    """Share of frames of k packets of which something is missing after repair by r parity packets."""
    protection = {"fec": {"code": "rs", "k": k, "n": k + r}}
    shares = []
    for seed in seeds:
        result = run_session(scenario(seed, "1 s", protection=protection, loss=loss), film(frames, k, 8))
        shares.append(np.mean([len(each.received) < k for each in result.deliveries]))
    return np.array(shares)


def broken_by_theory(k, r, p, q, bad, good):
    """Chance that a frame stays incomplete, by dynamic programming over the two states.

    Of k + r packets in a row, more than r are lost, and a media packet is among the lost ones (the
    first k). A frame with all media packets there needs no parity.
    """
    # chance[state][losses among media][losses in all], stationary at the start
    chance = {(0, 0, 0): q / (p + q), (1, 0, 0): p / (p + q)}
    for step in range(k + r):
        after: dict = {}
        for (state, media, total), weight in chance.items():
            for lost, share in ((1, (good, bad)[state]), (0, 1 - (good, bad)[state])):
                for turn, move in ((1, (p, q)[state]), (0, 1 - (p, q)[state])):
                    key = (state ^ turn, media + lost * (step < k), total + lost)
                    after[key] = after.get(key, 0) + weight * share * move
        chance = after
    return sum(weight for (_, media, total), weight in chance.items() if media and total > r)


def test_theory_agrees_with_the_binomial_where_losses_are_independent():
    from math import comb

    k, r, rate = 4, 2, 0.2
    by_hand = sum(
        comb(k, m) * rate**m * (1 - rate) ** (k - m) * comb(r, f) * rate**f * (1 - rate) ** (r - f)
        for m in range(1, k + 1) for f in range(r + 1) if m + f > r
    )  # fmt: skip
    assert broken_by_theory(k, r, 0.5, 0.5, rate, rate) == pytest.approx(by_hand)


@pytest.mark.parametrize(("rate", "k", "r"), [(0.1, 4, 1), (0.2, 6, 3)])
def test_reed_solomon_fails_as_often_as_the_binomial_says(rate, k, r):
    shares = share_of_frames_broken(range(5), {"model": "bernoulli", "rate": rate}, k, r, 1500)
    theory = broken_by_theory(k, r, 0.5, 0.5, rate, rate)
    error = np.sqrt(theory * (1 - theory) / (5 * 1500))
    assert abs(shares.mean() - theory) < 4 * error, (shares, theory)


@pytest.mark.parametrize(("rate", "burst", "k", "r"), [(0.1, 3, 4, 2), (0.1, 4, 8, 4)])
def test_reed_solomon_fails_as_often_as_two_states_say(rate, burst, k, r):
    loss = {"model": "gilbert_elliott", "rate": rate, "mean_burst": burst}
    shares = share_of_frames_broken(range(6), loss, k, r, 1500)
    theory = broken_by_theory(k, r, rate / (1 - rate) / burst, 1 / burst, 1.0, 0.0)
    # neighbouring frames share fades: the spread over seeds is the honest error
    error = shares.std(ddof=1) / np.sqrt(len(shares))
    assert abs(shares.mean() - theory) < 5 * error and error < 0.1 * theory, (shares, theory)
