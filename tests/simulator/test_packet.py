import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.packet import OVERHEAD_BYTES, Packet, distance, next_number, parse, serialize, unwrap

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
packets = st.integers(1, 255).flatmap(
    lambda count: st.builds(
        Packet,
        sequence=u16,
        timestamp=u32,
        ssrc=u32,
        marker=st.booleans(),
        frame=u16,
        slice_index=st.integers(0, count - 1),
        slice_count=st.just(count),
        tokens=u16,
        kind=st.just("media"),
        payload=st.binary(max_size=64),
        original_sequence=st.none(),
    )
)
repeats = st.builds(lambda p, osn: p._replace(kind="retransmission", original_sequence=osn), packets, u16)
ONE = Packet(0x1234, 0x01020304, 0xA0B0C0D0, True, 5, 2, 4, 300, "media", b"slice")


@given(packets | repeats)
def test_a_packet_survives_the_wire(packet):
    assert parse(serialize(packet)) == packet


@given(packets)
def test_the_size_counts_ip_udp_rtp_and_payload_header(packet):
    assert packet.size_bytes == 20 + 8 + len(serialize(packet)) == 20 + 8 + 12 + 6 + len(packet.payload)


@given(repeats)
def test_a_repeat_is_two_bytes_longer_and_says_which_packet_it_repeats(packet):
    wire = serialize(packet)
    assert packet.size_bytes == 20 + 8 + len(wire) == 20 + 8 + 12 + 2 + 6 + len(packet.payload)
    assert wire[1] & 0x7F == 98 and wire[12:14] == packet.original_sequence.to_bytes(2)


def test_the_first_twelve_bytes_are_those_of_rfc_3550():
    assert serialize(ONE)[:12].hex() == "80e01234" + "01020304" + "a0b0c0d0"  # e0: marker, type 96


def test_the_payload_header_follows_in_six_bytes():
    assert serialize(ONE)[12:] == bytes.fromhex("0005" + "02" + "04" + "012c") + b"slice"


@pytest.mark.parametrize(
    ("place", "byte", "words"),
    [
        (0, 0x40, "version: must be 2, got 1"),
        (0, 0xA0, "no padding, extension or CSRC"),
        (1, 0x00, "payload type"),
        (14, 0x04, "slice index: must be below the slice count 4"),
    ],
)
def test_each_broken_field_has_its_own_message(place, byte, words):
    data = bytearray(serialize(ONE))
    data[place] = byte
    with pytest.raises(ValueError, match=words):
        parse(bytes(data))


def test_too_few_bytes_are_no_packet():
    with pytest.raises(ValueError, match="18 bytes are needed, got 17"):
        parse(serialize(ONE)[:17])


@given(st.binary(max_size=40))
def test_random_bytes_are_a_packet_or_a_value_error(data):
    try:
        assert serialize(parse(data)) == data
    except ValueError:
        pass


def test_a_number_too_large_for_its_field_is_not_cut_silently():
    with pytest.raises(struct.error):
        serialize(ONE._replace(sequence=65536))


def test_numbers_wrap_after_65535():
    assert (next_number(0), next_number(65534), next_number(65535)) == (1, 65535, 0)


@given(u16, st.integers(-32768, 32767))
def test_distance_is_the_short_way_round(start, steps):
    assert distance(start, (start + steps) & 0xFFFF) == steps


@given(st.integers(0, 2**40), st.integers(-32768, 32767))
def test_a_wrapped_number_is_made_whole_near_a_known_one(near, ahead):
    assert unwrap((near + ahead) & 0xFFFF, near) == near + ahead


def test_headers_take_46_bytes():
    assert OVERHEAD_BYTES == 46
