"""Damage without a checksum: whatever is wrong in media, repeats or parity, no decoder ever takes it for a slice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.bitstream import TokenSlice
from simulator.channel.corruption import damage
from simulator.media import EncodedFrame, Slice
from simulator.session import run_session
from simulator.toy_media import ToyCodec
from tests.codec.tiny import photograph, tiny_codec
from tests.simulator.test_fec import protect, receive, spec
from tests.simulator.tiny import scenario

SIZE = (64, 80)
GRID = (4, 5)
TOY = ToyCodec().encode(np.random.default_rng(1).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8), 4, "low_discrepancy")
VQ = tiny_codec()
TOKENS = VQ.encode(photograph(*SIZE), ratios=(0.2, 0.3, 0.5))
VQ_FRAME = EncodedFrame(
    tuple(Slice(s.index, s.count, s.tokens, s.data) for s in VQ.to_slices(TOKENS, 4, "low_discrepancy")),
    len(TOKENS.level), SIZE,
)  # fmt: skip


def check_vq(slices):
    """Tokens that are called known are those that were sent."""
    found, _ = VQ.from_slices(GRID, [TokenSlice(s.index, s.count, s.tokens, s.data) for s in slices])
    sent = dict(zip(zip(TOKENS.start.tolist(), TOKENS.level.tolist(), strict=True), TOKENS.index.tolist(), strict=True))
    for start, level, index in zip(*(a[found.known].tolist() for a in (found.start, found.level, found.index)),
                                   strict=True):  # fmt: skip
        assert sent[start, level] == index


@given(st.data(), st.sampled_from(["rs", "xor"]))
@settings(max_examples=150, deadline=None)
def test_damaged_parity_and_media_rebuild_no_wrong_token(data, code):
    """A wrong bit in a packet of a block; of four packets up to two are lost, with XOR one."""
    fec = spec(k=4, n=6) if code == "rs" else spec(code="xor", overhead=0.25)
    media, parity = protect(fec, [VQ_FRAME])

    def hurt(packet):
        bit = data.draw(st.integers(8 * packet.covered_bytes, 8 * packet.size_bytes - 1))
        field = "payload" if packet.kind == "media" else "parity"
        return packet._replace(**{field: damage(packet, [bit]).payload})

    lost = data.draw(st.sets(st.integers(0, 3), min_size=1, max_size=len(parity)))
    there = [(i, media[i].packet) for i in range(4) if i not in lost]
    at = data.draw(st.sampled_from(["parity", "media", "both"]))
    if at != "media":
        parity = [hurt(parity[0]), *parity[1:]]
    if at != "parity" and there:
        there = [(there[0][0], hurt(there[0][1])), *there[1:]]
    found = receive(there, parity)
    assert set(found) == lost
    for number, packet in found.items():
        was = media[number].packet
        assert packet._replace(payload=was.payload) == was, "headers are always right"
    check_vq(
        [Slice(p.slice_index, p.slice_count, p.tokens, p.payload) for p in [*found.values(), *dict(there).values()]]
    )


def test_parity_that_is_whole_rebuilds_right_tokens_in_the_same_test():
    media, parity = protect(spec(k=4, n=6), [VQ_FRAME])
    found = receive([(i, media[i].packet) for i in (1, 2)], parity)
    parts = [Slice(p.slice_index, p.slice_count, p.tokens, p.payload) for p in found.values()]
    check_vq(parts)
    assert [part.data for part in parts] == [VQ_FRAME.slices[i].data for i in (0, 3)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", ["bits", "packets"])
def test_over_a_channel_without_checksums_every_slice_is_right_or_refused(seed, model):
    """The toy's CRC-32 lets one damage in four thousand million pass; here hundreds are tried."""
    codec, refused, rebuilt = ToyCodec(), 0, 0
    film = [TOY[number % 3] for number in range(60)]
    channel = {
        "loss": {"model": "bernoulli", "rate": 0.2},
        "corruption": {"model": model, "rate": 1e-3 if model == "bits" else 0.5, "checksum": False},
        "delay": {"model": "constant", "mean": 20},
        "duplicate": 0.1,
    }
    protection = {"fec": {"code": "rs", "overhead": 0.5, "frames": 2}, "nack": {"initial_rtt": 40}}
    result = run_session(scenario(seed, 400, protection=protection, **channel), film)
    for encoded, delivery in zip(film, result.deliveries, strict=True):
        for part in delivery.received:
            (decoded,) = codec.decode([[part]], SIZE, "none", False)
            refused += decoded.slices_corrupt
            assert decoded.slices_corrupt or part.data == encoded.slices[part.index].data
        rebuilt += delivery.packets_recovered
    assert refused > 20 and rebuilt > 20
