"""Tables of a report against numbers that are known."""

import math

import numpy as np
import pandas as pd
import pytest

from simulator.errors import OutputError
from simulator.report import estimates, schemes
from simulator.report.estimates import Fall, crossing, parse_fall
from simulator.report.study import study
from tests.simulator.report.made import a_study, results, straight


def test_quality_is_the_mean_of_each_condition() -> None:
    known = a_study()
    table = estimates.quality(known)
    frames = known.results.frames.merge(known.results.cells, on="cell")
    expected = frames.groupby(["concealment.method", "channel.loss.rate"], sort=False)["psnr_db"].mean()
    for row in table.itertuples():
        method = {"no concealment": "none"}.get(row.scheme, row.scheme)
        assert row.mean == pytest.approx(expected[(method, row.loss)]) and row.lossless == pytest.approx(32)
        assert row.low < row.mean < row.high and row.units == 3


def test_paired_differences_ignore_what_clips_have_in_common() -> None:
    def far_apart(loss: float, method: str, seed: int) -> float:
        return straight(loss, method, 10 * seed)

    table = estimates.differences(a_study(far_apart))
    assert set(table["scheme"]) == {"expected"} and set(table["baseline"]) == {"no concealment"}
    np.testing.assert_allclose(table[["mean", "low", "high"]], np.outer(5 * table["loss"], (1, 1, 1)), atol=1e-9)
    assert table["better"].tolist() == [0, 3, 3] and set(table["units"]) == {3}


def test_differences_leave_out_what_has_no_partner() -> None:
    whole = results(straight)
    there = whole.cells["cell"] != "0.1-none-2"
    part = study(
        type(whole)(
            whole.folder, True, whole.frames[whole.frames["cell"] != "0.1-none-2"], whole.cells[there].reset_index(),
            whole.keys, {}, "",
        )
    )  # fmt: skip
    table = estimates.differences(part).set_index("loss")
    assert table["units"].to_dict() == {0.0: 3, 0.1: 2, 0.2: 3}
    assert table.loc[0.1, "mean"] == pytest.approx(0.5)


def test_a_fall_is_found_between_the_losses_that_were_run() -> None:
    table = estimates.falls(a_study(), [Fall("psnr_db", 1.5, False)]).set_index("scheme")
    row = table.loc["no concealment"]
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([0.15] * 3)  # 10 dB a unit of loss
    assert math.isinf(table.loc["expected", "mean"])  # 1 dB at most


def test_a_relative_fall_is_a_share_of_the_lossless_value() -> None:
    (row,) = estimates.falls(a_study(methods=("none",)), [parse_fall("psnr_db=5%")]).itertuples()
    assert row.mean == pytest.approx(0.05 * 32 / 10)


def test_curves_that_start_above_or_stay_below_cross_at_infinity() -> None:
    loss = np.array([0.1, 0.2])
    curves = np.array([[3.0, 0.0, math.nan, 1.0], [4.0, 1.0, math.nan, 3.0]])
    assert crossing(loss, curves, 2.0).tolist() == pytest.approx([-math.inf, math.inf, math.inf, 0.15])


@pytest.mark.parametrize(
    "text", ["psnr_db", "psnr_db=", "=1", "psnr_db=-1", "psnr_db=nan", "psnr_db=inf", "psnr_db=x%"]
)
def test_a_fall_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OutputError, match="is METRIC=AMOUNT"):
        parse_fall(text)


def test_a_fall_of_what_was_not_measured_is_refused() -> None:
    with pytest.raises(OutputError, match="here are measured psnr_db, got 'lpips'"):
        estimates.falls(a_study(), [parse_fall("lpips=1")])


def test_tokens_are_counted_over_what_was_missing_only() -> None:
    table = estimates.tokens(a_study())
    assert set(table["loss"]) == {0.1, 0.2} and table["mean"].to_numpy() == pytest.approx(0.5)


# Schemes


def test_the_baseline_is_the_first_value_or_the_one_asked_for() -> None:
    assert a_study().partners == {"expected": "no concealment"}
    assert study(results(straight), "concealment.method=expected").partners == {"no concealment": "expected"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("concealment.method=zero", "has the values none, expected in this sweep, got 'zero'"),
        ("codec.name=vq", r"a varied method .here: concealment.method., got 'codec.name=vq'"),
    ],
)
def test_a_baseline_that_is_not_there_is_refused(asked: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        study(results(straight), asked)


def test_with_two_methods_a_scheme_is_compared_with_the_one_that_differs_in_the_baselines_key() -> None:
    cells = pd.DataFrame({"scheme": ["a, x", "a, y", "b, y"], "k.name": ["a", "a", "b"], "l.name": ["x", "y", "y"]})
    roles = schemes.Roles(None, None, ("k.name", "l.name"))
    assert schemes.pairs(roles, cells, ("k.name", "a")) == {"b, y": "a, y"}
    assert schemes.pairs(roles, cells, ("l.name", "x")) == {"a, y": "a, x"}


def test_loss_rates_may_be_written_with_a_percent_sign() -> None:
    whole = results(straight)
    whole.cells["channel.loss.rate"] = [f"{100 * value:g} %" for value in whole.cells["channel.loss.rate"]]
    assert study(whole).losses == [0.0, 0.1, 0.2]
