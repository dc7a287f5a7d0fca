"""Requests: their bytes, the round trip, and who is asked for when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.nack import Asker, RoundTrip, parse, serialize, size_bytes
from simulator.scenario_protection import Nack

MS = 1_000_000


def asker(**keys):
    return Asker(Nack.model_validate({"initial_rtt": "20 ms", "margin": "5 ms", **keys}))


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 3000), min_size=1, max_size=50))
@settings(deadline=None)
def test_a_request_survives_the_wire(start, offsets):
    wanted = [(start + offset) & 0xFFFF for offset in sorted(offsets)]
    wire = serialize(wanted, 1, 2)
    assert parse(wire) == wanted and size_bytes(wire) == 28 + len(wire)


def test_a_run_of_seventeen_losses_fits_one_item_as_in_rfc_4585():
    run = [(65530 + step) & 0xFFFF for step in range(17)]
    assert serialize(run, 0x01020304, 0xA0B0C0D0).hex() == "81cd0003" + "01020304" + "a0b0c0d0" + "fffaffff"
    assert len(serialize([*run, 11], 1, 2)) == len(serialize(run, 1, 2)) + 4


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\x81\xcd", "12 bytes are needed, got 2"), (b"\x82\xcd\x00\x02" + bytes(8), "must be type 1 of 205, got 2"),
     (b"\x81\xcd\x00\x03" + bytes(8), "length: says 16 bytes, there are 12")],
)  # fmt: skip
def test_what_is_no_request_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        parse(data)


def test_the_round_trip_is_smoothed_as_in_rfc_6298():
    trip = RoundTrip(100 * MS)
    assert (trip.smoothed_ns, trip.timeout_ns) == (100 * MS, 300 * MS)
    trip.measured(40 * MS)  # SRTT = R, RTTVAR = R / 2
    assert (trip.smoothed_ns, trip.timeout_ns) == (40 * MS, 40 * MS + 4 * 20 * MS)
    trip.measured(48 * MS)  # RTTVAR = 3/4 20 + 1/4 |40 - 48| = 17; SRTT = 7/8 40 + 1/8 48 = 41
    assert (trip.smoothed_ns, trip.timeout_ns) == (41 * MS, 41 * MS + 4 * 17 * MS)
    for _ in range(200):
        trip.measured(30 * MS)
    assert trip.smoothed_ns == pytest.approx(30 * MS, abs=10)
    assert trip.timeout_ns == trip.smoothed_ns + 1 * MS, "never less than the clock's granularity"


def test_a_packet_is_asked_for_only_if_its_repeat_can_be_in_time():
    gaps = asker()
    gaps.gap(7, 0, deadline_ns=100 * MS)
    assert gaps.ask([7], 75 * MS - 1) == [7]  # 75 - + 20 + 5 < 100
    gaps.gap(8, 0, deadline_ns=100 * MS)
    assert gaps.ask([8], 75 * MS) == [] and not gaps.knows(8), "given up for good"


def test_a_packet_is_asked_for_at_most_so_often():
    gaps = asker(retries=2)
    gaps.gap(7, 0, 10**12)
    assert [gaps.ask([7], now) for now in (0, 1, 2, 3)] == [[7], [7], [], []]


def test_who_has_arrived_is_not_asked_for():
    gaps = asker()
    gaps.gap(7, 0, 10**12)
    gaps.gap(8, 0, 10**12)
    gaps.arrived(7, 0, repeated=False)
    assert gaps.ask([7, 8], 0) == [8]


def test_only_a_repeat_asked_for_once_measures_the_round_trip():
    gaps = asker()
    for number in (1, 2, 3):
        gaps.gap(number, 0, 10**12)
    gaps.ask([1, 2, 3], 0)
    gaps.ask([2], 30 * MS)
    gaps.arrived(2, 35 * MS, repeated=True)  # of which request? unknown
    gaps.arrived(3, 36 * MS, repeated=False)  # the original, overtaken
    assert gaps.round_trip.smoothed_ns == 20 * MS
    gaps.arrived(1, 40 * MS, repeated=True)
    assert gaps.round_trip.smoothed_ns == 40 * MS
