from pathlib import Path

import pytest

from simulator import presets, scenario
from simulator.errors import ScenarioError
from simulator.scenario import Scenario

CHANNEL_DOC = Path(__file__).parents[2] / "docs" / "channel.md"


def channel(**section):
    return Scenario.model_validate({"name": "x", "channel": section}).channel


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_is_a_channel_with_a_source(name):
    made = channel(preset=name)
    assert made.delay.mean_ns > 0 and made != channel()
    assert name in presets.__doc__ and name in CHANNEL_DOC.read_text()


def test_keys_of_the_scenario_win_over_those_of_its_preset():
    made = channel(preset="lte", loss={"r": 0.25}, duplicate=0.01)
    assert (made.loss.p, made.loss.r, made.duplicate) == (0.01, 0.25, 0.01)
    assert made.delay == channel(preset="lte").delay


def test_a_section_that_names_its_model_stands_alone():
    made = channel(preset="lte", loss={"model": "bernoulli", "rate": 0.1}, queue={"model": "infinite"})
    assert (made.loss.model, made.queue.model) == ("bernoulli", "infinite")
    with pytest.raises(ValueError, match="rate"):
        channel(preset="lte", bandwidth={"model": "constant"})


def test_the_teams_presets_lose_what_their_source_says():
    for name, bad in (("teams_low", 0.25), ("teams_medium", 0.5), ("teams_high", 0.75)):
        loss = channel(preset=name).loss
        share_bad = loss.p / (loss.p + loss.r)
        assert share_bad * (1 - loss.h) + (1 - share_bad) * (1 - loss.k) == pytest.approx(
            0.04 + (bad - 0.04) * 0.068 / 0.92
        )


def test_the_resolved_scenario_spells_the_preset_out(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("name: one\nchannel: {preset: wifi, loss: {p: 0.1}}\n")
    made = scenario.load(path)
    (tmp_path / "two.yaml").write_text(scenario.resolved_yaml(made))
    again = scenario.load(tmp_path / "two.yaml")
    assert "preset" not in scenario.resolved_yaml(made)
    assert scenario.scenario_hash(again) == scenario.scenario_hash(made)
    assert again.channel.loss == made.channel.loss


def test_an_unknown_preset_is_refused_with_the_nearest(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("channel:\n  preset: wify\n")
    with pytest.raises(ScenarioError, match=r"one.yaml:2: channel.preset: must be .*Did you mean wifi"):
        scenario.load(path)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"loss": {"model": "four_state", "p13": 0.8, "p14": 0.3}}, "p13 . p14 must be at most 1"),
        ({"loss": {"model": "four_state", "p13": 0.2, "p32": 0.5}}, "p31 . p32 must be at most 1"),
        ({"loss": {"model": "four_state", "p13": 0, "p31": 0}}, "can never be left"),
        ({"loss": {"model": "continuous_time", "mean_bad": 5}}, "give either"),
        ({"loss": {"model": "trace"}}, "give either losses or file"),
        ({"loss": {"model": "rows", "rows": [[5, 0.1], [5, 0.2]]}}, "times must grow: 5 ms does not come after 5 ms"),
        ({"loss": {"model": "rows", "rows": []}}, "must not be empty"),
        ({"bandwidth": {"model": "rows", "rows": [[0, 1e6], [5, 0]], "repeat": False}}, "must move again"),
        ({"bandwidth": {"model": "mahimahi", "stamps": [3, 2]}}, "must not go back"),
        ({"queue": {"model": "red", "min_packets": 9, "max_packets": 9}}, "must be above min_packets"),
        ({"delay": {"model": "gamma", "mean": 5, "jitter": 1, "least": 5}}, "must be below mean"),
        ({"outage": {"model": "windows", "windows": [[0, 5], [4, 1]]}}, "must not overlap"),
        ({"outage": {"model": "periodic", "every": 5, "length": 5}}, "must be below every"),
        ({"reorder": {"model": "netem", "rate": 0.5}}, "give channel.delay a mean"),
    ],
)
def test_what_cannot_be_is_refused(section, words):
    with pytest.raises(ValueError, match=words):
        channel(**section)
