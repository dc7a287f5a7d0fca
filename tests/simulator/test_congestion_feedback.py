import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.congestion_feedback import Block, Outstanding, PacketReport, Recorder, parse, serialize, size_bytes

MS = 1_000_000
TICK = 1_000_000_000 // 1024


def test_a_message_has_the_bytes_of_rfc_8888() -> None:
    message = serialize([Block(0x11223344, 65535, (500 * MS, None, 1000 * MS))], 1000 * MS)
    assert message.hex(" ", 4) == (
        "8bcd0006 00000000"  # version 2, type 11, payload type 205, 7 words; nobody's SSRC
        " 11223344 ffff0003"  # stream, first number, three reports
        " 82000000 80000000"  # received 512/1024 s before the report; not received; just now; padding
        " 00010000"  # at 1 s
    )
    assert size_bytes(message) == 28 + 28


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.none() | st.integers(-7_000 * MS, 0), min_size=1, max_size=9), min_size=1, max_size=3),
    st.integers(8, 100_000),
)
def test_what_is_read_is_what_was_written_but_for_a_thousandth_of_a_second(
    offsets: list[list[int | None]], now_s: int
) -> None:
    now_ns = now_s * 1000 * MS
    blocks = [
        Block(ssrc, ssrc * 7, tuple(None if each is None else now_ns + each for each in some))
        for ssrc, some in enumerate(offsets)
    ]
    read = parse(serialize(blocks, now_ns), now_ns + 50 * MS)
    assert [(block.ssrc, block.first) for block in read] == [(block.ssrc, block.first) for block in blocks]
    for wrote, found in zip(blocks, read, strict=True):
        for before, after in zip(wrote.arrived_ns, found.arrived_ns, strict=True):
            assert (before is None) == (after is None)
            assert before is None or after is None or 0 <= after - before + 2 <= TICK + 4


@pytest.mark.parametrize(
    ("data", "field"),
    [(b"", "feedback"), (b"\x81" + bytes(15), "feedback"), (bytes.fromhex("8bcd0009") + bytes(12), "length"),
     (bytes.fromhex("8bcd0004 00000000 00000001 00000009 00000000"), "count of reports")],
)  # fmt: skip
def test_bytes_that_are_no_feedback_are_refused_by_field(data: bytes, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        parse(data, 0)


def told(recorder: Recorder, now_ns: int) -> list[tuple[int, int, list[bool]]]:
    message = recorder.report(now_ns)
    blocks = [] if message is None else parse(message, now_ns)
    return [(block.ssrc, block.first, [each is not None for each in block.arrived_ns]) for block in blocks]


def test_a_report_covers_all_numbers_since_the_one_before_each_once() -> None:
    recorder = Recorder()
    for sequence in (65534, 65535, 1):
        recorder.arrived(7, sequence, MS)
    recorder.arrived(9, 30, MS)
    assert told(recorder, 2 * MS) == [(7, 65534, [True, True, False, True]), (9, 30, [True])]
    assert recorder.report(3 * MS) is None
    recorder.arrived(7, 0, 3 * MS)  # told of as missing already
    recorder.arrived(7, 2, 3 * MS)
    assert told(recorder, 4 * MS) == [(7, 2, [True])]


def test_after_a_silence_a_number_that_looks_older_starts_anew() -> None:
    recorder, second = Recorder(), 1000 * MS
    recorder.arrived(1, 7, second)
    assert recorder.report(second) is not None
    recorder.arrived(1, 7 + 40_000, 12 * second)  # half way round and more
    recorder.arrived(1, 7 + 40_002, 12 * second)
    message = recorder.report(12 * second)
    assert message is not None
    assert parse(message, 12 * second) == [Block(1, 40_007, (12 * second, None, 12 * second))]
    recorder.arrived(1, 40_000, 13 * second)  # a straggler: nothing is said of it
    assert recorder.report(13 * second) is None


def test_the_sender_learns_of_each_packet_once_as_arrived_or_as_lost() -> None:
    outstanding = Outstanding()
    for sequence in range(3):
        outstanding.sent(7, sequence, sequence * MS, 100)
    message = serialize([Block(7, 0, (1000 * MS, None))], 1000 * MS)
    assert outstanding.read(message, 1000 * MS) == [PacketReport(0, 1000 * MS, 100), PacketReport(MS, None, 100)]
    assert outstanding.read(message, 1000 * MS) == []


def test_reports_of_several_streams_come_in_the_order_of_sending() -> None:
    outstanding = Outstanding()
    for sequence, ssrc in enumerate((1, 2, 1)):
        outstanding.sent(ssrc, sequence, sequence * MS, 100)
    both = [Block(1, 0, (None, None, 0)), Block(2, 1, (0,))]
    assert [report.sent_ns for report in outstanding.read(serialize(both, 5 * MS), 5 * MS)] == [0, MS, 2 * MS]


def test_what_no_feedback_tells_of_is_forgotten_after_ten_seconds() -> None:
    outstanding = Outstanding()
    outstanding.sent(1, 0, 0, 100)
    outstanding.sent(1, 1, 9_000 * MS, 100)
    outstanding.read(serialize([], 11_000 * MS), 11_000 * MS)
    assert len(outstanding.read(serialize([Block(1, 0, (0, 0))], 11_000 * MS), 11_000 * MS)) == 1
