from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from simulator.errors import OutputError
from simulator.records import FrameRecord, PacketRecord, packet_writer, replacing, to_frame, write_csv, write_parquet
from simulator.session import run_session
from tests.simulator.tiny import film, scenario

PACKETS = "seed frame packet kind size_bytes time_sent_ms time_arrived_ms fate tokens"
FRAMES = """
    scenario seed codec concealment frame time_capture_ms time_render_ms delay_ms late frozen bytes_payload
    bytes_header bytes_fec bytes_retransmitted bpp bpp_payload packets_sent packets_lost packets_late
    packets_recovered packets_corrupt tokens_total tokens_missing tokens_correct psnr_db ssim ms_ssim
    packets_fec packets_retransmitted packets_duplicate bytes_lost bytes_late bytes_recovered bytes_corrupt
    bytes_duplicate bytes_feedback target_kbps bpp_asked
"""


def packet(**values):
    given = {"seed": 1, "frame": 2, "packet": 3, "kind": "media", "size_bytes": 146, "time_sent_ms": 40.0}
    return PacketRecord(**{**given, "time_arrived_ms": 80.5, "fate": "delivered", "tokens": 64, **values})


def frame(**values):
    given = {each.name: 0 for each in fields(FrameRecord)}
    words = {"scenario": "x", "codec": "toy", "concealment": "none"}
    return FrameRecord(**{**given, **words, "late": False, "frozen": False, **values})


def test_the_columns_are_those_of_the_contract():
    assert list(PacketRecord._fields) == PACKETS.split()
    assert [each.name for each in fields(FrameRecord)] == FRAMES.split()


def test_column_types_do_not_depend_on_the_values():
    never = to_frame([packet(time_arrived_ms=None)])
    assert (never.dtypes == to_frame([packet()]).dtypes).all()
    assert never["time_arrived_ms"].dtype == np.float64 and never["seed"].dtype == np.int64
    frozen = to_frame([frame(time_render_ms=None, psnr_db=None)])
    assert (frozen.dtypes == to_frame([frame()]).dtypes).all() and frozen["frozen"].dtype == bool


def test_what_never_happened_is_an_empty_cell(tmp_path):
    table = to_frame([packet(), packet(time_arrived_ms=None)])
    assert table["time_arrived_ms"].isna().tolist() == [False, True]
    write_csv(table, tmp_path / "packets.csv")
    assert (tmp_path / "packets.csv").read_bytes() == (
        b"seed,frame,packet,kind,size_bytes,time_sent_ms,time_arrived_ms,fate,tokens\n"
        b"1,2,3,media,146,40.0,80.5,delivered,64\n"
        b"1,2,3,media,146,40.0,,delivered,64\n"
    )


def test_further_columns_follow_the_fields_and_one_of_the_same_name_takes_its_place():
    measured = {"psnr_db": np.array([30.0, 31.0]), "flip": np.array([0.1, 0.2])}
    table = to_frame([frame(), frame()], measured)
    assert table.columns.tolist() == [*FRAMES.split(), "flip"]
    assert table["psnr_db"].tolist() == [30.0, 31.0]


def test_a_column_of_another_length_is_a_mistake():
    with pytest.raises(AssertionError, match="flip"):
        to_frame([frame()], {"flip": np.zeros(2)})


def test_tables_survive_parquet(tmp_path):
    table = to_frame(run_session(scenario(loss={"model": "bernoulli", "rate": 0.5}), film(20)).packets)
    write_parquet(table, tmp_path / "packets.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "packets.parquet"), table)


@pytest.mark.parametrize(("write", "name"), [(write_parquet, "t.parquet"), (write_csv, "t.csv")])
def test_the_same_run_writes_the_same_bytes(tmp_path, write, name):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(to_frame(run_session(scenario(), film(20)).packets), tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_write_that_ends_well_takes_the_place_of_the_old_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    write_csv(to_frame([packet()]), path)
    assert path.read_text().startswith("seed,") and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_parquet, write_csv])
def test_a_folder_that_is_not_there_is_an_output_error(tmp_path, write):
    with pytest.raises(OutputError, match="cannot be written"):
        write(to_frame([packet()]), tmp_path / "no" / "t.x")


def test_packets_written_block_by_block_are_the_table_written_at_once(tmp_path):
    rows = run_session(scenario(loss={"model": "bernoulli", "rate": 0.5}), film(20)).packets
    for name in ("one.parquet", "two.parquet"):
        with packet_writer(tmp_path / name) as write:
            write(rows[:30])
            write(rows[30:])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), to_frame(rows))
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_packet_file_that_fails_half_way_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), packet_writer(tmp_path / "p.parquet") as write:
        write([packet()])
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="cannot be written"), packet_writer(tmp_path / "no" / "p.parquet"):
        pass
