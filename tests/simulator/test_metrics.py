"""Numbers counted from tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from simulator import metrics

FATES = ["delivered", "lost", "queue_drop", "delivered", "late", "lost", "delivered", "delivered"]


def packets() -> pd.DataFrame:
    """Two frames of four packets of 150 bytes, 50 of them headers; the second frame a second later."""
    sent = np.array([0.0] * 4 + [1000.0] * 4)
    arrived = np.where(np.isin(FATES, ["lost", "queue_drop"]), np.nan, sent + 10 * np.arange(1, 9))
    return pd.DataFrame(
        {
            "packet": range(8), "kind": "media", "fate": FATES, "time_sent_ms": sent, "time_arrived_ms": arrived,
            "size_bytes": 150,
        }
    )  # fmt: skip


def frames(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bytes_payload": [400, 400], "bytes_header": [200, 200], "bytes_fec": 0, "bytes_retransmitted": 0,
            "bytes_recovered": 0,
            "packets_sent": 4, "packets_recovered": 0, "frozen": [False, True], "bpp": [0.1, 0.3],
            "time_capture_ms": [0.0, 1000.0], "time_render_ms": [50.0, np.nan], "delay_ms": [50.0, np.nan],
            "tokens_total": 10, "tokens_missing": [5, 3], "tokens_correct": [2, 0], **columns,
        }
    )  # fmt: skip


def test_every_number_of_a_small_run_is_as_counted_by_hand() -> None:
    found = metrics.summarize(frames(psnr_db=[20.0, 30.0], psnr_db_lossless=[40.0, 40.0]), packets(), fps=1)
    assert found == {
        "loss_rate": 3 / 8,  # lost 2, dropped 1
        "loss_rate_after_repair": 4 / 8,  # and late 1
        "mean_burst": 1.5,  # runs: lost, dropped | lost
        "delay_ms_p50": 50.0,  # 10, 40, 50, 70, 80
        "delay_ms_p95": pytest.approx(78.0),
        "delay_ms_p98": pytest.approx(79.2),
        "rendered_fps": 0.5,  # 1 of 2 frames in 2 s
        "freeze_ratio": 0.5,
        "goodput_kbps": 4 * 100 * 8 / 2 / 1000,
        "overhead": 0.5,
        "bpp": pytest.approx(0.2),
        "bytes_payload": 800,
        "bytes_header": 400,
        "bytes_fec": 0,
        "bytes_retransmitted": 0,
        "bytes_recovered": 0,
        "packets_sent": 8,
        "packets_recovered": 0,
        "tokens_missing_share": 8 / 20,
        "tokens_correct_share": 2 / 8,
        "psnr_db_mean": 25.0,
        "psnr_db_p5": 20.5,
        "psnr_db_lossless_mean": 40.0,
        "psnr_db_lossless_p5": 40.0,
        "freeze_count": 0,  # from 50 ms to the end of the film at 2050 ms: 2 s, less than 3 frames
        "freeze_s": 0.0,
        "freeze_time_ratio": 0.0,
        "frame_delay_ms_p50": 50.0,
        "frame_delay_ms_p95": 50.0,
        "frame_delay_ms_p98": 50.0,
        "bursts": 1,  # from the second packet to the sixth, of which one arrived
        "burst_density": 4 / 5,
        "gap_density": 0.0,
        "burst_packets": 5.0,
        "gap_packets": 1.5,  # one packet before it, two behind
    }


def test_a_film_that_stops_for_good_is_frozen_to_its_end() -> None:
    count = 100
    render = np.where(np.arange(count) < 60, 40.0 * np.arange(count) + 100, np.nan)
    table = pd.DataFrame(
        {
            "time_capture_ms": 40.0 * np.arange(count),
            "time_render_ms": render,
            "delay_ms": render - 40.0 * np.arange(count),
        }
    )
    found = metrics.freeze_summary(table, fps=25)
    assert (found["freeze_count"], found["freeze_s"]) == (1, pytest.approx(41 * 0.04))
    assert found["freeze_time_ratio"] == pytest.approx(0.41)


def test_recovered_packets_do_not_count_as_lost_after_repair() -> None:
    found = metrics.network_summary(frames(packets_recovered=[1, 1], bytes_recovered=150), packets(), fps=1)
    assert (found["loss_rate"], found["loss_rate_after_repair"]) == (3 / 8, 2 / 8)
    assert found["goodput_kbps"] == (4 + 2) * 100 * 8 / 2 / 1000, "what was rebuilt is of use too"


def test_copies_are_no_packets_of_their_own_and_a_duplicate_was_there() -> None:
    copied = pd.concat([packets(), packets().assign(fate="duplicate")]).sort_values("packet", kind="stable")
    found, plain = (metrics.network_summary(frames(), table, fps=1) for table in (copied, packets()))
    assert found == plain
    overtaken = packets().assign(fate=["duplicate", *FATES[1:]])
    assert metrics.network_summary(frames(), overtaken, fps=1) == plain


def test_where_less_is_better_the_bad_end_is_the_95th_percentile() -> None:
    found = metrics.quality_summary(pd.DataFrame({"flip": [0.0, 1.0], "flip_lossless": 0.0, "flip_holes": 1.0}))
    assert list(found) == [f"flip{v}_{s}" for v in ("", "_lossless", "_holes") for s in ("mean", "p95")]
    assert found["flip_p95"] == pytest.approx(0.95)


def test_quality_that_was_not_measured_is_left_out() -> None:
    table = pd.DataFrame({"ssim": [np.nan], "ssim_lossless": [np.nan], "psnr_db": [30.0], "psnr_db_lossless": [31.0]})
    assert metrics.quality_columns(table) == ["psnr_db", "psnr_db_lossless"]


def test_a_run_without_loss_has_no_burst_and_none_of_its_tokens_missing() -> None:
    whole = packets().assign(fate="delivered", time_arrived_ms=5.0)
    found = metrics.summarize(frames(tokens_missing=0, tokens_correct=0), whole, fps=1)
    assert found["loss_rate"] == found["loss_rate_after_repair"] == 0
    assert np.isnan(found["mean_burst"]) and np.isnan(found["tokens_correct_share"])


def test_a_run_in_which_nothing_arrives_has_no_delay() -> None:
    gone = packets().assign(fate="lost", time_arrived_ms=np.nan)
    found = metrics.network_summary(frames(), gone, fps=1)
    assert found["loss_rate"] == 1 and found["mean_burst"] == 8 and found["goodput_kbps"] == 0
    assert np.isnan(found["delay_ms_p50"])


@pytest.mark.parametrize(
    ("lost", "mean"), [([1], 1), ([1, 1, 1], 3), ([0, 1, 0, 1, 1], 1.5), ([1, 0, 0, 1], 1), ([1, 1, 0, 0], 2)]
)
def test_mean_burst_is_losses_over_runs(lost: list[int], mean: float) -> None:
    assert metrics.mean_burst(np.array(lost, dtype=bool)) == mean


def test_psnr_agrees_with_scikit_image() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 30, 3), dtype=np.uint8)
    mine = metrics.psnr(pictures[0], pictures[1])
    theirs = [peak_signal_noise_ratio(a, b) for a, b in zip(*pictures, strict=True)]  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(mine, theirs)


def test_psnr_of_equal_pictures_is_a_number() -> None:
    black = np.zeros((1, 4, 4, 3), np.uint8)
    assert metrics.psnr(black, black).tolist() == [metrics.PSNR_LIMIT_DB]
