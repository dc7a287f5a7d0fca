"""The two tables of a run: one dataclass each, whose fields are the columns of the file.

Times are in milliseconds since the capture of frame 0. What never happened is None, an empty cell.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from numpy.typing import NDArray

from simulator.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd


def varied_column(key: str) -> str:
    """The column that holds a varied key in the tables of a sweep: with a dot, so that it is no column of a run.

    >>> varied_column("channel.loss.rate"), varied_column("codec")
    ('channel.loss.rate', 'codec.*')
    """
    return key if "." in key else f"{key}.*"


class PacketRecord(NamedTuple):
    """One packet: a row of the table `packets`; a tuple, for there are many.

    Attributes:
        seed: Of the run.
        frame: Which frame it belongs to, from 0.
        packet: Which packet of the run, from 0, in sending order.
        kind: media, fec or retransmission.
        size_bytes: On the wire, IP, UDP, RTP and payload headers included.
        time_sent_ms: When the sender sent it.
        time_arrived_ms: When it arrived, late or not; None if it never did.
        fate: delivered, lost, queue_drop, corrupt, late or duplicate.
        tokens: Tokens in it.
    """

    seed: int
    frame: int
    packet: int
    kind: str
    size_bytes: int
    time_sent_ms: float
    time_arrived_ms: float | None
    fate: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """One frame: a row of the table `frames`. The table may have further columns of quality.

    Attributes:
        scenario, seed, codec, concealment: Of the run.
        frame: From 0.
        time_capture_ms: When it was taken.
        time_render_ms: When it was shown; None if it never was.
        delay_ms: From capture to screen; None if it was never shown.
        late: Whether any of its packets came too late.
        frozen: Nothing came in time: the screen kept the picture before it.
        bytes_payload: Slices sent.
        bytes_header: Headers of the packets that carried them.
        bytes_fec, bytes_retransmitted: Repair packets, with their headers.
        bpp: All bytes on the wire in bits, over the pixels of the frame.
        bpp_payload: The same of bytes_payload alone.
        packets_sent: Media packets sent.
        packets_lost: Of them, those lost on the way or dropped by a queue.
        packets_late: Those that came after the frame was shown.
        packets_recovered: Those lost, late or corrupt, but rebuilt, sent again or doubled in time.
        packets_corrupt: Those that came damaged.
        tokens_total: Tokens sent.
        tokens_missing: Of them, those not there in time.
        tokens_correct: Of the missing, those guessed exactly.
        psnr_db, ssim, ms_ssim: What was shown against what was filmed; None if not measured.
        packets_fec, packets_retransmitted: Repair packets, however they fared.
        packets_duplicate, bytes_duplicate: Packets of any kind that brought nothing new.
        bytes_lost, bytes_late, bytes_recovered, bytes_corrupt: Of the packets counted under the same
            name, headers included.
        bytes_feedback: Messages of the receiver on the reverse path, with their headers: requests for
            packets of this frame, and reports to rate control while it was the newest.
        target_kbps: What rate control allowed on the wire as it was taken; None if the rate is fixed.
        bpp_asked: What the codec was asked for, in bits a pixel of payload; None: its own rate.
    """

    scenario: str
    seed: int
    codec: str
    concealment: str
    frame: int
    time_capture_ms: float
    time_render_ms: float | None
    delay_ms: float | None
    late: bool
    frozen: bool
    bytes_payload: int
    bytes_header: int
    bytes_fec: int
    bytes_retransmitted: int
    bpp: float
    bpp_payload: float
    packets_sent: int
    packets_lost: int
    packets_late: int
    packets_recovered: int
    packets_corrupt: int
    tokens_total: int
    tokens_missing: int
    tokens_correct: int
    psnr_db: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    packets_fec: int = 0
    packets_retransmitted: int = 0
    packets_duplicate: int = 0
    bytes_lost: int = 0
    bytes_late: int = 0
    bytes_recovered: int = 0
    bytes_corrupt: int = 0
    bytes_duplicate: int = 0
    bytes_feedback: int = 0
    target_kbps: float | None = None
    bpp_asked: float | None = None


DTYPES = {int: "int64", float: "float64", bool: "bool", str: "str", float | None: "float64"}


def column_types(table: type[PacketRecord] | type[FrameRecord]) -> dict[str, str]:
    """The columns of a table, in order, and what pandas calls their types."""
    return {name: DTYPES[hint] for name, hint in get_type_hints(table).items()}


def to_frame(
    records: "Sequence[PacketRecord] | Sequence[FrameRecord]",
    columns: "Mapping[str, NDArray[Any]] | None" = None,
) -> "pd.DataFrame":
    """Records as a table, one row each; the types of columns do not depend on the values.

    Args:
        records: The rows, at least one, all of one class.
        columns: Further ones such as psnr_db_lossless, [rows] each. One with the name of a field
            takes the field's place.
    """
    import pandas as pd  # takes most of a second, so only who writes a table pays for it

    table = {
        name: pd.Series([getattr(row, name) for row in records], dtype=dtype)
        for name, dtype in column_types(type(records[0])).items()
    }
    for name, values in (columns or {}).items():
        assert len(values) == len(records), (name, len(values), len(records))
        table[name] = pd.Series(values)
    return pd.DataFrame(table)


def write_parquet(table: "pd.DataFrame", path: Path) -> None:
    """Write a table as Parquet: the whole file or none of it, same table same bytes.

    Raises:
        OutputError: If it cannot be written.
    """
    with replacing(path) as temporary:
        table.to_parquet(temporary, engine="pyarrow", compression="zstd", index=False)


@contextmanager
def packet_writer(path: Path) -> Iterator[Callable[[Sequence[PacketRecord]], None]]:
    """A Parquet file of packets that grows block by block: each call adds a row group.

    The whole file or none of it, and with the same blocks the same bytes, as with `write_parquet`.

    Raises:
        OutputError: If it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"int64": pa.int64(), "float64": pa.float64(), "str": pa.string()}
    schema = pa.schema([(name, kinds[dtype]) for name, dtype in column_types(PacketRecord).items()])
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:

        def add(block: Sequence[PacketRecord]) -> None:
            columns = list(zip(*block, strict=True))
            writer.write_table(pa.table(columns, schema=schema))

        yield add


def write_csv(table: "pd.DataFrame", path: Path) -> None:
    """Write a table as CSV, floats in full: the whole file or none of it, same table same bytes.

    Raises:
        OutputError: If it cannot be written.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; takes its place when the block ends well.

    A reader sees the old file or the new one, never half of one. If the block fails, the old file
    stays and the temporary one goes.

    Raises:
        OutputError: If the file system refuses.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(str(path), f"cannot be written ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)
