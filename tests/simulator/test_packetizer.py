import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import MediaError
from simulator.media import EncodedFrame, Slice
from simulator.packet import OVERHEAD_BYTES, parse, serialize
from simulator.packetizer import RtpStream, depacketize, frame_of, packetize
from tests.simulator.tiny import film


def stream(**values):
    return RtpStream(**{"fps": 24.0, "mtu_bytes": 1500, **values})


def one(frame, encoded, rtp):
    """The packets of one frame."""
    return [each.packet for each in packetize([(frame, encoded)], rtp)]


def test_all_packets_give_all_slices_back():
    (encoded,) = film(1, slices=5)
    assert depacketize(one(0, encoded, stream())) == list(encoded.slices)


@given(st.data(), st.integers(1, 30))
def test_any_packets_in_any_order_give_right_slices_or_none(data, count):
    (encoded,) = film(1, slices=count)
    packets = one(0, encoded, stream())
    arrived = data.draw(st.lists(st.sampled_from(packets), max_size=40))
    over_the_wire = [parse(serialize(packet)) for packet in arrived]
    indices = sorted({packet.slice_index for packet in arrived})
    assert depacketize(over_the_wire) == [encoded.slices[index] for index in indices]


def test_only_the_last_packet_of_a_frame_is_marked():
    packets = one(0, film(1, slices=4)[0], stream())
    assert [packet.marker for packet in packets] == [False, False, False, True]


def test_sequence_numbers_go_on_over_frames_and_wrap():
    rtp = stream(sequence=65533)
    packets = [packet for frame, encoded in enumerate(film(2)) for packet in one(frame, encoded, rtp)]
    assert [packet.sequence for packet in packets] == [65533, 65534, 65535, 0, 1, 2, 3, 4]


def test_timestamps_are_capture_times_in_90_khz_and_wrap():
    encoded = film(1)[0]
    times = [one(frame, encoded, stream(first_timestamp=2**32 - 90_000))[0].timestamp for frame in (0, 24, 48)]
    assert times == [2**32 - 90_000, 0, 90_000]


def test_frame_numbers_wrap_too():
    assert one(65537, film(1)[0], stream())[0].frame == 1


def test_a_slice_of_exactly_the_mtu_fits_and_one_byte_more_does_not():
    fits = film(1, payload_bytes=1500 - OVERHEAD_BYTES)[0]
    assert one(0, fits, stream())[0].size_bytes == 1500
    rtp = stream(sequence=9)
    with pytest.raises(MediaError, match=r"channel.mtu_bytes = 1500, got 1501. Raise packets_per_frame"):
        one(0, film(1, payload_bytes=1501 - OVERHEAD_BYTES)[0], rtp)
    assert rtp.sequence == 9


@pytest.mark.parametrize(
    ("part", "words"),
    [(Slice(0, 1, 65536, b""), "at most 65535 tokens"), (Slice(0, 256, 1, b""), "at most 255")],
)
def test_what_does_not_fit_the_header_is_refused(part, words):
    with pytest.raises(MediaError, match=words):
        one(0, EncodedFrame((part,), part.tokens, (16, 16)), stream())


def test_with_depth_the_frames_of_a_group_take_turns_and_each_ends_with_its_mark():
    rtp = stream(sequence=65534)
    sent = packetize([(6, film(1, slices=2)[0]), (7, film(1, slices=2)[0])], rtp)
    assert [(each.frame, each.packet.slice_index) for each in sent] == [(6, 0), (7, 0), (6, 1), (7, 1)]
    assert [each.packet.sequence for each in sent] == [65534, 65535, 0, 1] and rtp.sequence == 2
    assert [each.packet.marker for each in sent] == [False, False, True, True]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 40), st.data())
def test_the_frame_of_a_missing_packet_follows_from_any_packet_that_came(slices, depth, groups, data):
    rtp, sent = stream(), []
    for group in range(groups, groups + 3):
        frames = range(group * depth, (group + 1) * depth)
        sent += packetize([(frame, film(1, slices)[0]) for frame in frames], rtp)
    here, there = (data.draw(st.integers(0, len(sent) - 1)) for _ in range(2))
    assert frame_of(there - here, sent[here].packet, sent[here].frame, depth) == sent[there].frame


def test_importance_travels_with_the_packet_to_be_protected_by_it():
    parts = tuple(Slice(index, 2, 1, b"x", importance=1 - index) for index in range(2))
    assert [each.importance for each in packetize([(0, EncodedFrame(parts, 2, (16, 16)))], stream())] == [1, 0]
