import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import packet as media_packet
from simulator.fec_packet import CODES, FecPacket, from_symbol, parse, serialize, symbol
from tests.simulator.test_packet import ONE, packets, u16, u32

parities = st.integers(1, 128).flatmap(
    lambda count: st.builds(
        FecPacket,
        sequence=u16,
        timestamp=u32,
        ssrc=u32,
        frame=u16,
        base=u16,
        members=st.sets(st.integers(1, 254), max_size=20).map(lambda more: (0, *sorted(more))),
        index=st.integers(0, count - 1),
        count=st.just(count),
        code=st.sampled_from(CODES),
        parity=st.binary(max_size=64),
    )
)
PARITY = FecPacket(0x1234, 0x01020304, 0xA0B0C0D0, 5, 0xFFFE, (0, 1, 3, 9), 1, 2, "rs", b"parity")


@given(parities)
@settings(deadline=None)
def test_parity_survives_the_wire_and_counts_all_its_headers(packet):
    wire = serialize(packet)
    assert parse(wire) == packet and packet.size_bytes == 20 + 8 + len(wire)


def test_the_layout_is_as_documented():
    assert serialize(PARITY) == bytes.fromhex("80611234 01020304 a0b0c0d0 0005fffe 0a010201 d040") + b"parity"


@pytest.mark.parametrize(
    ("place", "byte", "words"),
    [
        (1, 0x60, "must be that of parity, got media"),
        (17, 2, "index 2 of 2"),
        (19, 9, "code 9"),
        (16, 0, "mask: must begin"),
        (16, 255, "mask of 255 bits do not fit"),
        (20, 0x50, "mask: must begin and end with a protected packet"),
    ],
)
def test_each_broken_field_has_its_own_message(place, byte, words):
    data = bytearray(serialize(PARITY))
    data[place] = byte
    with pytest.raises(ValueError, match=words):
        parse(bytes(data))


def test_a_parity_packet_cut_short_is_refused():
    with pytest.raises(ValueError, match="FEC header: 8 bytes are needed, got 3"):
        parse(serialize(PARITY)[:15])
    with pytest.raises(ValueError, match="this is parity"):
        media_packet.parse(serialize(PARITY))


@given(packets, st.integers(0, 9))
@settings(deadline=None)
def test_a_symbol_holds_all_of_a_packet_but_its_number_and_stream(packet, padding):
    assert from_symbol(symbol(packet) + bytes(padding), packet.sequence, packet.ssrc) == packet


@pytest.mark.parametrize("data", [b"", b"abc", bytes(40), symbol(ONE)[:-1], symbol(ONE)[:9]])
def test_what_is_no_symbol_is_refused(data):
    with pytest.raises(ValueError):
        from_symbol(data, 0, 0)
