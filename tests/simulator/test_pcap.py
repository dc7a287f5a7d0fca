"""Captures, read back by dpkt: a parser that shares no line with the writer."""

import dpkt
import pytest

from simulator import fec_packet, packet, pcap
from simulator.errors import OutputError
from simulator.session import Taps, run_session
from tests.simulator.tiny import film, scenario

PROTECTED = {"fec": {"code": "rs", "overhead": 0.5}, "nack": {"initial_rtt": "40 ms"}}
KINDS = tuple(packet.PAYLOAD_TYPES)


def capture(path, side):
    """Records of a session, and what dpkt reads in its capture: (time in ns, datagram)."""
    wanted = scenario(
        loss={"model": "bernoulli", "rate": 0.2}, delay={"model": "constant", "mean": "20 ms"}, deadline="300 ms",
        protection=PROTECTED,
    )  # fmt: skip
    with pcap.writing(path, side) as tap:
        result = run_session(wanted, film(20), taps=Taps(**{side: tap}))
    with path.open("rb") as file:
        reader = dpkt.pcap.Reader(file)
        assert reader.datalink() == 101  # LINKTYPE_RAW, which dpkt knows under the number of BSD
        read = [(round(time * 10**9), dpkt.ip.IP(data)) for time, data in reader]
    return result.packets, read


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    return capture(tmp_path_factory.mktemp("pcap") / "sent.pcap", "sent")


def test_the_capture_holds_every_packet_sent_with_its_size_and_time(sent):
    records, read = sent
    assert [(row.size_bytes, row.time_sent_ms) for row in records] == [
        (ip.len, pytest.approx(time / 1e6, abs=1e-3)) for time, ip in read
    ]
    assert {row.kind for row in records} == {"media", "fec", "retransmission"}


def test_lengths_and_checksums_are_those_an_independent_parser_computes(sent):
    for _, ip in sent[1]:
        assert isinstance(ip.data, dpkt.udp.UDP) and ip.data.ulen == ip.len - 20 == 8 + len(ip.data.data)
        stored = ip.sum, ip.data.sum
        ip.sum = ip.data.sum = 0  # dpkt computes what is 0
        again = dpkt.ip.IP(bytes(ip))
        assert (again.sum, again.data.sum) == stored


def test_the_rtp_inside_is_rtp_and_parses_back_to_packets(sent):
    records, read = sent
    for row, (_, ip) in zip(records, read, strict=True):
        rtp = dpkt.rtp.RTP(ip.data.data)
        assert rtp.version == 2 and rtp.pt == packet.PAYLOAD_TYPES[row.kind]
        parse = fec_packet.parse if row.kind == "fec" else packet.parse
        assert parse(ip.data.data).sequence == rtp.seq
    pairs = list(zip(records, read, strict=True))
    kinds = {kind: {dpkt.rtp.RTP(ip.data.data).ssrc for row, (_, ip) in pairs if row.kind == kind} for kind in KINDS}
    assert all(len(ssrcs) == 1 for ssrcs in kinds.values()) and len(set.union(*kinds.values())) == 3


def test_on_the_far_side_only_what_arrived_is_captured_when_it_arrived(tmp_path):
    records, read = capture(tmp_path / "received.pcap", "received")
    arrived = sorted(row.time_arrived_ms for row in records if row.time_arrived_ms is not None)
    assert [time / 1e6 for time, _ in read] == pytest.approx(arrived, abs=1e-3) and len(read) < len(records)


def test_an_odd_byte_is_padded_for_the_checksum_and_zero_is_never_sent():
    assert pcap.checksum(b"\x12") == 0xEDFF
    assert pcap.checksum(b"\xff\xff") == 0


def test_a_capture_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"), pcap.writing(tmp_path / "no" / "x.pcap", "sent"):
        pass
