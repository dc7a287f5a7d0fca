import pytest

from simulator.channel import traces
from simulator.errors import TraceError

MS = 1_000_000


def write(tmp_path, text):
    path = tmp_path / "trace.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (traces.read_losses, "0 1\n1,0\t0 # end\n", [False, True, True, False, False]),
        (traces.read_loss_rows, "0.0 0.5\n1.5\t1\n", [(0, 0.5), (1500 * MS, 1.0)]),
        (traces.read_rate_rows, "0.0\t1.25\n2.5\t0.0\n", [(0, 1_250_000), (2500 * MS, 0)]),
        (traces.read_rate_rows, "# t run rate\n0 0 83.2\n1 0 0.0\n", [(0, 83_200_000), (1000 * MS, 0)]),
        (traces.read_delay_rows, "# ms ms\n0.0 11.69\n15.0 0.5\n", [(0, 11_690_000), (15 * MS, 500_000)]),
        (traces.read_delays, "0.0 11.5\n15.0 0.5\n", [11_500_000, 500_000]),
        (traces.read_delays, "3\n1\n", [3 * MS, MS]),
        (traces.read_mahimahi, "0\n0\n3\n\n7\n", [0, 0, 3, 7]),
    ],
)
def test_each_format_is_read(tmp_path, read, text, expected):
    assert read(write(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (traces.read_losses, "0 1\n0 2\n", r"trace.txt:2: a trace of losses holds only 0 and 1, got '0 2'"),
        (traces.read_losses, "# nothing\n", r"trace.txt: the trace is empty"),
        (traces.read_loss_rows, "0 0.5\n1 1.5\n", r"trace.txt:2: a share lost must be from 0 to 1, got 1.5"),
        (traces.read_rate_rows, "0 1\n2 x\n", r"trace.txt:2: must be a number, got 'x'"),
        (traces.read_rate_rows, "0 1\n\n1 1\n1 2\n", r"trace.txt:4: times must grow, got '1 s'"),
        (traces.read_rate_rows, "0 1\n1\n", r"trace.txt:2: a line has 2 or 3 columns, got '1'"),
        (traces.read_rate_rows, "0 nan\n", r"trace.txt:1: a rate in Mbit/s must be from 0 to 1e\+06, got nan"),
        (traces.read_rate_rows, "0 0\n1 0\n", r"trace.txt: all rates are 0: no packet would ever leave"),
        (traces.read_delay_rows, "0 -1\n", r"trace.txt:1: a delay in ms must be from 0"),
        (traces.read_delay_rows, "inf 1\n", r"trace.txt:1: a time"),
        (traces.read_mahimahi, "1\n2.5\n", r"trace.txt:2: must be a whole number of milliseconds, got '2.5'"),
        (traces.read_mahimahi, "5\n4\n", r"trace.txt:2: stamps must not be negative nor go back, got 4"),
        (traces.read_mahimahi, "0\n0\n", r"trace.txt: the last stamp must be above 0"),
    ],
)
def test_a_broken_trace_is_refused_with_file_line_rule_and_value(tmp_path, read, text, words):
    with pytest.raises(TraceError, match=words):
        read(write(tmp_path, text))


def test_a_trace_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(TraceError, match="none.txt: the trace cannot be read: No such file"):
        traces.read_losses(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="binary.txt: the trace cannot be read: not a text file"):
        traces.read_mahimahi(tmp_path / "binary.txt")
