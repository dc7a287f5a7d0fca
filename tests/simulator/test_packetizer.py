from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.packet import OVERHEAD_BYTES, parse, serialize
from simulator.packetizer import RtpStream, depacketize, packetize
from tests.simulator.tiny import film


def stream(**values):
    return RtpStream(**{"fps": 24.0, "mtu_bytes": 1500, **values})


def test_all_packets_give_all_slices_back():
    (encoded,) = film(1, slices=5)
    assert depacketize(packetize(0, encoded, stream())) == list(encoded.slices)


@given(st.data(), st.integers(1, 30))
def test_any_packets_in_any_order_give_right_slices_or_none(data, count):
    (encoded,) = film(1, slices=count)
    packets = packetize(0, encoded, stream())
    arrived = data.draw(st.lists(st.sampled_from(packets), max_size=40))
    over_the_wire = [parse(serialize(packet)) for packet in arrived]
    indices = sorted({packet.slice_index for packet in arrived})
    assert depacketize(over_the_wire) == [encoded.slices[index] for index in indices]


def test_parity_is_no_slice():
    packets = packetize(0, film(1, slices=2)[0], stream())
    assert len(depacketize([packets[0], replace(packets[1], kind="fec")])) == 1


def test_only_the_last_packet_of_a_frame_is_marked():
    packets = packetize(0, film(1, slices=4)[0], stream())
    assert [packet.marker for packet in packets] == [False, False, False, True]


def test_sequence_numbers_go_on_over_frames_and_wrap():
    rtp = stream(sequence=65533)
    packets = [packet for frame, encoded in enumerate(film(2)) for packet in packetize(frame, encoded, rtp)]
    assert [packet.sequence for packet in packets] == [65533, 65534, 65535, 0, 1, 2, 3, 4]


def test_timestamps_are_capture_times_in_90_khz_and_wrap():
    encoded = film(1)[0]
    times = [packetize(frame, encoded, stream(first_timestamp=2**32 - 90_000))[0].timestamp for frame in (0, 24, 48)]
    assert times == [2**32 - 90_000, 0, 90_000]


def test_frame_numbers_wrap_too():
    assert packetize(65537, film(1)[0], stream())[0].frame == 1


def test_a_slice_of_exactly_the_mtu_fits_and_one_byte_more_does_not():
    fits = film(1, payload_bytes=1500 - OVERHEAD_BYTES)[0]
    assert packetize(0, fits, stream())[0].size_bytes == 1500
    rtp = stream(sequence=9)
    with pytest.raises(MediaError, match=r"channel.mtu_bytes = 1500, got 1501. Raise packets_per_frame"):
        packetize(0, film(1, payload_bytes=1501 - OVERHEAD_BYTES)[0], rtp)
    assert rtp.sequence == 9


@pytest.mark.parametrize(
    ("part", "words"),
    [(Slice(0, 1, 65536, b""), "at most 65535 tokens"), (Slice(0, 256, 1, b""), "at most 255")],
)
def test_what_does_not_fit_the_header_is_refused(part, words):
    with pytest.raises(MediaError, match=words):
        packetize(0, EncodedFrame((part,), part.tokens, (16, 16)), stream())
