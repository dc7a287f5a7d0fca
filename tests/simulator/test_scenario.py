"""Scenario files: read strictly, refused clearly."""

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import scenario, strict_yaml
from simulator.errors import ScenarioError

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(SCENARIOS.glob("*.yaml"))
MAIN = SCENARIOS / "lossy_20pct.yaml"


def refusal(folder: Path, text: str, *overrides: str) -> str:
    """The message with which a scenario is refused, its folder cut off."""
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path, overrides)
    return str(caught.value).replace(f"{folder}/", "")


def loaded(folder: Path, text: str, *overrides: str) -> scenario.Scenario:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return scenario.load(path, overrides)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_loads_under_its_file_name(path: Path) -> None:
    assert scenario.load(path).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_opens_with_schema_and_three_line_story(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = ("# yaml-language-server: $schema=scenario.schema.json", "# What it covers: ", "# The story: ")
    for line, start in zip(lines, (*starts, "# When useful: "), strict=False):
        assert line.startswith(start)


def test_committed_schema_is_fresh() -> None:
    committed = json.loads((SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8"))
    assert committed == scenario.schema(), "python -m simulator schema > scenarios/scenario.schema.json"


def test_the_main_scenario_is_understood_with_units_and_defaults() -> None:
    main = scenario.load(MAIN)
    assert isinstance(main.channel.loss, scenario.Bernoulli) and main.channel.loss.rate == 0.2
    assert isinstance(main.channel.delay, scenario.NormalDelay) and main.channel.delay.reorder
    assert main.channel.delay.mean_ns == 40_000_000 and main.channel.delay.jitter_ns == 8_000_000
    assert isinstance(main.channel.bandwidth, scenario.ConstantBandwidth)
    assert main.channel.bandwidth.rate_bps == 1_000_000 and main.channel.mtu_bytes == 1500
    assert main.playout.deadline_ns == 150_000_000 and main.source.size == (256, 256)
    assert main.codec.name == "vq" and main.codec.options == {"bpp": 0.04}


def test_an_empty_mapping_is_a_whole_scenario_named_after_its_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{}")
    assert found.name == "mine" and isinstance(found.channel.loss, scenario.NoLoss)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_resolved_scenario_loads_to_the_same_scenario(path: Path, tmp_path: Path) -> None:
    first = scenario.load(path)
    again = loaded(tmp_path, scenario.resolved_yaml(first))
    assert scenario.plain(again) == scenario.plain(first)
    assert scenario.scenario_hash(again) == scenario.scenario_hash(first)


def test_hash_ignores_spelling_and_seed_but_no_value() -> None:
    base = scenario.scenario_hash(scenario.load(MAIN))
    same = scenario.load(MAIN, ["channel.loss.rate=0.2", "playout.deadline=0.15 s"], seed=9)
    other = scenario.load(MAIN, ["channel.loss.rate=0.21"])
    assert scenario.scenario_hash(same) == base != scenario.scenario_hash(other)
    assert len(base) == 12 and same.seed == 9


def test_a_scenario_survives_pickling() -> None:
    main = scenario.load(MAIN)
    assert pickle.loads(pickle.dumps(main)) == main


# YAML 1.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1e6), ("1e-3", 1e-3), ("010", 10), ("0o10", 8), ("0x1F", 31), ("+12", 12), (".5", 0.5), ("1.", 1.0),
        ("on", "on"), ("off", "off"), ("no", "no"), ("yes", "yes"), ("y", "y"), ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("20 %", "20 %"), ("true", True), ("False", False),
        ("null", None), ("~", None), ("'12'", "12"), ('"true"', "true"), ("=", "="),
    ],
)  # fmt: skip
def test_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    found = strict_yaml.parse(f"key: {text}", "x.yaml").plain()["key"]
    assert found == value and type(found) is type(value)


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1)
NUMBERS = st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(WORDS, NUMBERS | st.text(max_size=20) | st.lists(NUMBERS)))
def test_what_is_dumped_reads_back_equal(values: dict[str, object]) -> None:
    values.pop("<<", None)
    assert strict_yaml.parse(strict_yaml.dump(values), "x.yaml").plain() == values


@given(st.text(max_size=60))
def test_any_text_is_a_tree_or_a_scenario_error(text: str) -> None:
    try:
        strict_yaml.parse(text, "x.yaml")
    except ScenarioError as error:
        assert str(error).startswith("x.yaml")


def test_lines_are_those_of_the_keys_in_nested_sections_and_flow_style(tmp_path: Path) -> None:
    text = "# story\nchannel:\n  # why\n  loss: {model: bernoulli,\n         rate: 1.5}\n"
    assert refusal(tmp_path, text).startswith("x.yaml:5: channel.loss.rate: ")
    assert refusal(tmp_path, "source:\n  size:\n    - 256\n    - 8\n").startswith("x.yaml:4: source.size.1: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: a scenario is a mapping of keys, this file is empty"),
        ("- 1", "x.yaml: a scenario is a mapping of keys, this file is a list"),
        ("seed: 1\nseed: 2", "x.yaml:2: duplicate key 'seed'; first at x.yaml:1"),
        ("source:\n  fps: 24\n  fps: 30", "x.yaml:3: duplicate key 'fps'; first at x.yaml:2"),
        ("a: [1", "x.yaml:1: not valid YAML (while parsing a flow sequence, expected ',' or ']'"),
        ("a: 1\n---\nb: 2", "x.yaml:2: not valid YAML (expected a single document"),
        ("a: 1\n b: 2", "x.yaml:2: not valid YAML ("),
        ("a: !!python/name:os.system x", "x.yaml:1: not valid YAML (tags are not allowed)"),
        ("a: &a [*a]", "x.yaml:1: an alias contains itself"),
        ("a: *b", "x.yaml:1: not valid YAML (found undefined alias"),
        ("a: &b {x: 1}\nc:\n  <<: *b", "x.yaml:3: YAML 1.2 has no merge keys"),
        ("a: " + "[" * 1500, "x.yaml: nested too deeply"),
        ("? [a]\n: 1", "x.yaml:1: a key must be a word"),
        ("a: \x07", "x.yaml: not valid YAML (unacceptable character"),
        ("source: {fbs: 24}", "x.yaml:1: source.fbs: unknown key. Did you mean fps? Keys here: frames, count, fps"),
        ("deadline: 5", "x.yaml:1: deadline: unknown key. Did you mean playout.deadline?"),
        ("channel: {loss: {model: bernoulli, rate: 0, burst: 3}}", "channel.loss.burst: unknown key. Keys here: model"),
        ("channel: {loss: {model: gilbrt}}", "channel.loss.model: must be one of 'none', 'bernoulli', 'gilbert"),
        ("channel: {loss: {model: gilbrt}}", "got 'gilbrt'. Did you mean gilbert_elliott?"),
        ("channel: {loss: {rate: 0.1}}", "channel.loss: must say which model it is: add the key 'model'"),
        ("channel: {loss: none}", "channel.loss: must be a mapping such as {model: none}, got 'none'"),
        ("channel: {loss: {model: bernoulli}}", "channel.loss.rate: a value is required here"),
        ("channel: {loss: {model: bernoulli, rate: 1.5}}", "channel.loss.rate: a share is a number from 0 to 1"),
        ("channel: {loss: {model: bernoulli, rate: 20 kg}}", "got '20 kg'. Example: 20 %"),
        ("channel: {delay: {model: constant, mean: 1 km}}", "channel.delay.mean: a duration is a number"),
        ("channel: {delay: {model: uniform, mean: 5, jitter: 6}}", "channel.delay.jitter: must not exceed mean"),
        ("channel: {bandwidth: {model: constant, rate: 1 MB/s}}", "channel.bandwidth.rate: a rate is a number"),
        ("channel: {bandwidth: {model: constant, rate: 0}}", "channel.bandwidth.rate: must be more than 0, got 0"),
        ("channel: {queue: {model: droptail}}", "channel.queue: give packets, bytes, or both"),
        ("channel: {queue: {model: droptail, packets: 0}}", "channel.queue.packets: must be at least 1, got 0"),
        ("channel: 5", "x.yaml:1: channel: must be a mapping of keys, got 5"),
        ("codec: vq", "x.yaml:1: codec: must be a mapping of keys, got 'vq'"),
        ("codec: {name: vqq}", "codec.name: no codec of that name; there are toy, vq, jpeg, jpeg2000, webp"),
        ("codec: {name: jpeg, keyframe_interval: 9}", "codec jpeg has no such option; it has bpp, quality"),
        ("codec: {name: vq, bbp: 0.04}", "codec.bbp: codec vq has no such option"),
        ("codec: {bpp: -1}", "x.yaml:1: codec.bpp: must be a number above 0 and at most 1, in bits per pixel, got -1."),
        ("codec: {bpp: 0}", "got 0. Example: 0.04"),
        ("codec: {bpp: .nan}", "codec.bpp: must be a number above 0 and at most 1, in bits per pixel, got nan"),
        ("codec: {bpp: 0.04 bpp}", "got '0.04 bpp'"),
        ("codec: {bpp: true}", "got True"),
        ("codec: {bpp: [0.1]}", "got [0.1]. Example: 0.04"),
        ("codec:\n  name: vq\n  bpp: 2", "x.yaml:3: codec.bpp: must be a number above 0 and at most 1"),
        ("codec: {name: webp, bpp: 25}", "codec.bpp: must be a number above 0 and at most 24, in bits per pixel"),
        ("codec: {name: av1, bpp: -0.1}", "codec.bpp: must be a number above 0 and at most 24"),
        ("codec: {name: av1, keyframe_interval: 0}", "must be a whole number of at least 1, got 0. Example: 24"),
        ("codec: {name: jpeg, quality: 96}", "must be a whole number of at least 1 and at most 95, got 96"),
        ("codec: {name: jpeg, quality: 50, bpp: 1}", "codec.quality: give bpp or quality, not both, got 1 and 50"),
        ("codec: {ratios: [1, 1, 1]}", "codec.ratios: must be three shares of area, fine, medium, coarse, of sum 1"),
        ("codec: {ratios: [0, -1, 2]}", "got [0, -1, 2]. Example: [0.1, 0.3, 0.6]"),
        ("codec: {ratios: [0, 1]}", "must be three shares"),
        ("codec: {ratios: 0.3}", "must be three shares"),
        ("codec: {bpp: 0.1, ratios: [0, 0, 1]}", "codec.ratios: give bpp or ratios, not both"),
        ("codec: {bpp: 0.1, codebook: 8}", "codec.codebook: give bpp or codebook, not both, got 0.1 and 8"),
        ("codec: {codebook: 9}", "codec.codebook: must be one of 8, 16, 32, 64, 128, 256, 512, 1024, got 9. "),
        ("codec: {codebook: -8}", "got -8"),
        ("codec: {entropy: huffman}", "codec.entropy: must be one of static, uniform, context, got 'huffman'"),
        ("codec: {precision: fp16}", "codec.precision: must be one of auto, fp32, bf16, got 'fp16'"),
        ("codec: {weights: 5}", "codec.weights: must name a folder, got 5"),
        ("packetizer: {packets_per_frame: 0}", "packetizer.packets_per_frame: must be at least 1, got 0"),
        ("packetizer: {packets_per_frame: 256}", "packetizer.packets_per_frame: must be at most 255, got 256"),
        ("packetizer: {depth: 0}", "packetizer.depth: must be at least 1, got 0"),
        ("packetizer: {interleave: rastr}", "got 'rastr'. Did you mean raster?"),
        ("protection: {fec: xor}", "protection.fec: must be none, or a mapping such as {code: rs, overhead: 25 %}"),
        ("protection: {nack: maybe}", "protection.nack: must be true, false, or a mapping such as {retries: 3"),
        ("protection: {fec: {code: rs}}", "protection.fec: give either overhead, or k and n"),
        ("protection: {fec: {code: rs, k: 4, n: 6, overhead: 1}}", "protection.fec: give either overhead"),
        ("protection: {fec: {code: rs, k: 4}}", "protection.fec.n: k and n go together"),
        ("protection: {fec: {code: rs, k: 4, n: 4}}", "protection.fec.n: must be k + 1 to k + 128, got k 4 and n 4"),
        ("protection: {fec: {code: xor, k: 4, n: 6}}", "protection.fec.n: code xor has one parity packet a block"),
        ("protection: {fec: {code: rs, overhead: 0}}", "protection.fec.overhead: must be more than 0 somewhere"),
        ("protection: {fec: {code: rs, overhead: 120 %}}", "protection.fec.overhead: a share is a number from 0 to 1"),
        ("protection: {fec: {overhead: 10 %}}", "protection.fec.code: must be xor or rs where other keys are given"),
        ("protection: {fec: {code: rz, k: 1, n: 2}}", "got 'rz'. Did you mean rs?"),
        ("protection: {fec: {code: rs, overhaed: 1}}", "protection.fec.overhaed: unknown key. Did you mean overhead?"),
        ("protection: {nack: {retrys: 1}}", "protection.nack.retrys: unknown key. Did you mean retries?"),
        ("protection: {nack: {retries: 0}}", "protection.nack.retries: must be at least 1, got 0"),
        ("protection: {nack: {margin: 5 m}}", "protection.nack.margin: a duration is a number >= 0"),
        ("rate_control: {model: gcc, start: 5 Mbit/s}", "x.yaml:1: rate_control.start: must lie between min and max"),
        ("rate_control: {model: oracle, min_bpp: 0.6}", "rate_control.min_bpp: must be at least a twelfth"),
        (
            "source: {size: [512, 512]}\nrate_control: {model: gcc}",
            "x.yaml:2: rate_control: at max_bpp a frame has 19661 bytes, but its packets have room for 5816",
        ),
        ("playout: {model: adaptive, min: 1 s}", "x.yaml:1: playout.min: must not exceed deadline"),
        ("playout: {percentile: 90 %}", "x.yaml:1: playout.percentile: unknown key. Keys here: model, deadline"),
        ("rate_control: {model: bbr}", "rate_control.model: must be one of 'fixed', 'gcc', 'oracle', got 'bbr'"),
        ("concealment: {method: expectd}", "concealment.method: no method of that name; there are auto, none"),
        ("output: {frames: yes}", "output.frames: must be a whole number, got 'yes'"),
        ("channel: {delay: {model: normal, mean: 1, jitter: 1, reorder: yes}}", "must be true or false, got 'yes'"),
        ("source: {count: 1.5}", "source.count: must be a whole number, got 1.5"),
        ("source: {count: true}", "source.count: must be a whole number, got True"),
        ("source: {fps: .inf}", "source.fps: must be a finite number"),
        ("source: {fps: 24 fps}", "source.fps: must be a number without unit, got '24 fps'"),
        ("source: {size: 256}", "source.size: must be a list such as [256, 256], got 256"),
        ("source: {size: [256]}", "source.size.1: a value is required here"),
        ("source: {size: [256, 256, 3]}", "source.size: must have 2 items"),
        ("source: {frames: ''}", "source.frames: must not be empty"),
        ("name: ../up", "name: letters, digits, '.', '_' and '-' only"),
        ("seed: -1", "seed: must be at least 0, got -1"),
        ("extends: 5", "x.yaml:1: extends: must name another scenario file, got 5"),
        ("seed: 1\nextends: gone.yaml", "x.yaml:2: extends: no such file, got 'gone.yaml'"),
        ("extends: x.yaml", "extends: the files extend each other in a circle: x.yaml -> x.yaml"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_place_rule_and_value(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_several_problems_are_listed_in_the_order_of_their_lines(tmp_path: Path) -> None:
    said = refusal(tmp_path, "seed: -1\nsource: {count: 0}\nplayout: {deadline: 5 kg}\nchanel: {}\n").splitlines()
    assert said[0] == "x.yaml: 4 problems:"
    assert [line.split(": ")[0] for line in said[1:]] == [f"  x.yaml:{n}" for n in (1, 2, 3, 4)]
    assert "Did you mean channel?" in said[4]


def test_a_missing_file_names_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("{}", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"no such scenario file. Here are: .*real\.yaml"):
        scenario.load(tmp_path / "reel.yaml")


def test_a_folder_or_binary_file_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="this is a folder"):
        scenario.load(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot be read"):
        scenario.load(tmp_path / "x.yaml")


@pytest.mark.parametrize("rate", [0.001, 1, 0.3])
def test_rates_ratios_and_codebooks_that_can_be_had_are_taken(tmp_path: Path, rate: float) -> None:
    assert loaded(tmp_path, f"codec: {{bpp: {rate}}}").codec.options == {"bpp": rate}
    assert loaded(tmp_path, f"codec: {{name: jpeg, bpp: {24 * rate}}}").codec.options == {"bpp": 24 * rate}
    assert loaded(tmp_path, f"codec: {{ratios: [0, {rate}, {1 - rate}], codebook: 8}}").codec.options["codebook"] == 8


def test_codebooks_of_ones_own_weights_are_not_known_ahead(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"codec: {{weights: '{tmp_path}', codebook: 2048}}").codec.options["codebook"] == 2048


def test_an_option_that_is_null_is_not_given(tmp_path: Path) -> None:
    assert loaded(tmp_path, "codec: {bpp: null, ratios: [0, 0, 1]}").codec.options == {"ratios": [0, 0, 1]}
    assert loaded(tmp_path, "codec: {name: 'my.module:Codec', bpp: null}").codec.options == {"bpp": None}


# Gilbert-Elliott


@pytest.mark.parametrize("rate", [0.55, 0.6, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("burst", [1.0, 1.2, 2.0])
def test_both_pairs_named_for_an_impossible_burst_are_accepted(tmp_path: Path, rate: float, burst: float) -> None:
    text = "channel: {{loss: {{model: gilbert_elliott, rate: {}, mean_burst: {}}}}}"
    if burst >= rate / (1 - rate):
        loaded(tmp_path, text.format(rate, burst))
        return
    words = refusal(tmp_path, text.format(rate, burst)).split("Nearest valid: ")[1].split()
    loaded(tmp_path, text.format(rate, words[1]))
    loaded(tmp_path, text.format(words[words.index("rate", 5) + 1], burst))


def test_gilbert_elliott_is_given_by_rate_and_burst_or_by_p_and_r(tmp_path: Path) -> None:
    head = "channel: {loss: {model: gilbert_elliott, "
    for keys in ("rate: 0.1}}", "p: 0.1}}", "rate: 0.1, mean_burst: 2, p: 0.1}}", "rate: 0.1, mean_burst: 2, h: 0.5}}"):
        assert "give either rate and mean_burst, or p and r" in refusal(tmp_path, head + keys)
    assert "p and r are both 0" in refusal(tmp_path, head + "p: 0, r: 0}}")
    found = loaded(tmp_path, head + "p: 1 %, r: 25 %, h: 0.1}}").channel.loss
    assert isinstance(found, scenario.GilbertElliott)
    assert (found.p, found.r, found.h, found.k) == (0.01, 0.25, 0.1, 1.0)


# extends and --set


def test_extends_takes_over_what_is_not_said_again(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    base = "name: base\nsource: {count: 7, fps: 10}\nchannel:\n  loss: {model: bernoulli, rate: 5 %}\n"
    (tmp_path / "below" / "base.yaml").write_text(base, encoding="utf-8")
    found = loaded(tmp_path, "extends: below/base.yaml\nsource: {fps: 20}\nchannel: {loss: {rate: 6 %}}")
    assert (found.source.count, found.source.fps) == (7, 20)
    assert isinstance(found.channel.loss, scenario.Bernoulli) and found.channel.loss.rate == 0.06
    assert found.name == "mine", "a base must not lend its name, or two scenarios share a folder"


def test_a_problem_in_a_base_file_is_reported_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("seed: 1\nsource: {count: 0}\n", encoding="utf-8")
    assert refusal(tmp_path, "extends: base.yaml\n").startswith("base.yaml:2: source.count: ")


def test_files_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "y.yaml").write_text("extends: x.yaml", encoding="utf-8")
    assert "in a circle: x.yaml -> y.yaml -> x.yaml" in refusal(tmp_path, "extends: y.yaml")


def test_a_changed_model_starts_its_section_afresh_in_any_order(tmp_path: Path) -> None:
    text = "codec: {name: vq, bpp: 0.1}\nchannel: {loss: {model: bernoulli, rate: 5 %}}"
    found = loaded(
        tmp_path, text, "channel.loss.mean_burst=3", "channel.loss.model=gilbert_elliott", "channel.loss.rate=9 %",
        "codec.name=toy",
    )  # fmt: skip
    assert isinstance(found.channel.loss, scenario.GilbertElliott)
    assert (found.channel.loss.rate, found.channel.loss.mean_burst) == (0.09, 3.0)
    assert found.codec.options == {}


def test_overrides_are_read_as_yaml(tmp_path: Path) -> None:
    overrides = ("source.size=[64, 48]", "source.count=1e2", "output={frames: 0}", "codec.ratios=[0,0,1]")
    found = loaded(tmp_path, "{}", *overrides)
    assert found.source.size == (64, 48) and found.source.count == 100 and found.output.frames == 0
    assert found.codec.options == {"ratios": [0, 0, 1]}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: an override is key=value. Example: --set channel.loss.rate="),
        ("=1", "--set =1: an override is key=value"),
        ("a..b=1", "--set a..b=1: an override is key=value"),
        ("source.count=[", "--set source.count=[: not valid YAML"),
        ("source.count=0", "--set source.count=0: source.count: must be at least 1, got 0"),
        ("source.cuont=5", "--set source.cuont=5: source.cuont: unknown key. Did you mean count?"),
        ("source.count.x=5", "--set source.count.x=5: source.count: must be a whole number"),
        ("protection.fec=xor", "--set protection.fec=xor: protection.fec: must be none, or a mapping"),
    ],
)
def test_a_wrong_override_is_named(tmp_path: Path, override: str, message: str) -> None:
    assert message in refusal(tmp_path, "seed: 1", override)


def test_the_seed_argument_wins(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("seed: 1", encoding="utf-8")
    assert scenario.load(path, ["seed=2"], seed=3).seed == 3
    with pytest.raises(ScenarioError, match="seed: must be at least 0, got -3"):
        scenario.load(path, seed=-3)


# Anything at all

VALUES = st.recursive(
    NUMBERS | st.none() | st.text(max_size=8) | st.sampled_from([float("inf"), 1e300, -1, "5 ms", "20 %", "none"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "name", "rate"]), inner),
    max_leaves=5,
)
PLACES = [
    [section, key] if key else [section]
    for section, part in scenario.Scenario.model_fields.items()
    for key in ["", *getattr(part.annotation, "model_fields", {})]
]


@settings(max_examples=100, deadline=None)
@given(place=st.sampled_from(PLACES), model=st.sampled_from(["none", "bernoulli", "normal", "droptail"]), value=VALUES)
def test_any_value_anywhere_is_a_scenario_or_a_scenario_error(
    tmp_path_factory: pytest.TempPathFactory, place: list[str], model: str, value: object
) -> None:
    tree = value
    if place[0] == "channel" and len(place) == 2 and not isinstance(value, dict):
        tree = {"model": model, "rate": value, "mean": value}
    for key in reversed(place):
        tree = {key: tree}
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(strict_yaml.dump(tree), encoding="utf-8")
    try:
        found = scenario.load(path)
    except ScenarioError as error:
        assert str(error).startswith(f"{path}") and pickle.loads(pickle.dumps(error)).args == error.args
    else:
        path.write_text(scenario.resolved_yaml(found), encoding="utf-8")  # of one run, so without its section `sweep`
        again = scenario.load(path)
        assert again == found.model_copy(update={"sweep": again.sweep})


@pytest.mark.parametrize(
    ("codec", "method", "temporal"),
    [("vq", "expected", False), ("toy", "neighbour_mean", False), ("jpeg", "copy_previous", True),
     ("av1", "copy_previous", True), ("my.module:Codec", "none", False)],
)  # fmt: skip
def test_auto_is_the_best_concealment_of_its_codec(tmp_path: Path, codec: str, method: str, temporal: bool) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"codec: {{name: '{codec}'}}\nconcealment: {{method: auto}}\n")
    chosen = scenario.load(file).concealment
    assert (chosen.method, chosen.temporal) == (method, temporal)
    file.write_text("concealment: {method: auto}\n")
    assert scenario.load(file).concealment.method == "expected"
