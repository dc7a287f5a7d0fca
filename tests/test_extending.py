"""docs/extending.md: its code runs as it stands there."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from codec.tokens import with_lost_blocks
from simulator import run, scenario
from simulator.errors import ScenarioError
from simulator.session import SessionResult, run_session
from tests.codec.tiny import photograph, tiny_codec
from tests.simulator.tiny import film

ROOT = Path(__file__).parents[1]
HOLED = with_lost_blocks(tiny_codec().encode(photograph(64, 80)), np.arange(20) % 3 == 1)


@pytest.fixture
def mine() -> Iterator[ModuleType]:
    """All Python on the page, as a module `mine`."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    module = ModuleType("mine")
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.S)), module.__dict__)
    sys.modules["mine"] = module
    yield module
    del sys.modules["mine"]


def test_the_codec_of_the_page_runs_a_scenario(mine: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "flat.yaml"
    file.write_text(
        "codec: {name: 'mine:FlatCodec', levels: 8}\nconcealment: {method: none}\n"
        "source: {count: 6, fps: 6, size: [32, 48]}\noutput: {frames: 0}\n"
        "channel: {loss: {model: bernoulli, rate: 30 %}}\n"
    )
    done = run.run(scenario.load(file), tmp_path)
    assert done.summary["psnr_db_mean"] > 5 and 0 < done.summary["loss_rate"] < 1


CHANNEL = (
    "channel:\n  loss: {{model: 'mine:RushHour', worst: {worst}}}\n  delay: {{model: 'mine:TwoPaths'}}\n"
    "  queue: {{model: 'mine:ShortWait', longest_ms: {longest_ms}}}\n"
)
THIN = "  bandwidth: {model: constant, rate: 100 kbit/s}\n"


def sent_over(tmp_path: Path, worst: float, longest_ms: int, more: str = THIN) -> SessionResult:
    file = tmp_path / "own.yaml"
    file.write_text(CHANNEL.format(worst=worst, longest_ms=longest_ms) + more)
    return run_session(scenario.load(file), film(100))


def test_the_channel_of_the_page_loses_delays_and_drops_as_it_says(mine: ModuleType, tmp_path: Path) -> None:
    result = sent_over(tmp_path, 0.4, 30)
    fates = [packet.fate for packet in result.packets]
    assert 0.1 < fates.count("lost") / (400 - fates.count("queue_drop")) < 0.3 and fates.count("queue_drop") > 50
    assert result.packets == sent_over(tmp_path, 0.4, 30).packets
    waits = [p.time_arrived_ms - p.time_sent_ms for p in result.packets if p.time_arrived_ms is not None]
    assert 10 <= min(waits) < 30 and 60 < max(waits) <= 40 + 30 + 12 and result.reordered > 20
    assert "mine:RushHour" in scenario.resolved_yaml(scenario.load(tmp_path / "own.yaml"))


def test_with_a_loss_of_ones_own_too_repeats_shift_nothing(mine: ModuleType, tmp_path: Path) -> None:
    asking = "protection: {nack: {initial_rtt: 20 ms, reorder_wait: 30 ms}}\nplayout: {deadline: 500 ms}\n"
    plain, asked = (sent_over(tmp_path, 0.4, 10_000, more) for more in ("", asking))
    lost = [[p.fate == "lost" for p in result.packets if p.kind == "media"] for result in (plain, asked)]
    assert lost[0] == lost[1] and any(p.kind == "retransmission" for p in asked.packets)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("loss: {model: 'mine:Nothing'}", "channel.loss.model: module mine has no Nothing"),
        ("loss: {model: 'nowhere_to_be_found:X'}", "channel.loss.model: cannot import nowhere_to_be_found"),
        ("loss: {model: 'mine:RushHour', wurst: 1}", "has no such option; it has chance, worst, period_s"),
        ("loss: {model: 'mine:RushHour', chance: 1}", "channel.loss.chance: is the seed's generator, and no option"),
        ("loss: {model: 'mine:RushHour', period_s: soon}", "channel.loss: mine:RushHour refuses its options"),
        ("delay: {model: 'mine:RushHour'}", "mine:RushHour is no model of this kind: it lacks draw, reorder"),
        ("queue: {model: 'mine:ShortWait'}", "channel.queue.longest_ms: mine:ShortWait needs this option"),
        ("queue: {model: 'mine:Short Wait'}", "own.yaml:2: channel.queue.model: must be package.module:Class"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_before_the_long_work(
    mine: ModuleType, tmp_path: Path, section: str, words: str
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"channel:\n  {section}\n")
    with pytest.raises(ScenarioError, match=words):
        run.run(scenario.load(file), tmp_path)


def test_the_concealment_of_the_page_copies_the_left_neighbour(mine: ModuleType) -> None:
    (filled,) = tiny_codec().conceal([HOLED], "mine:left_neighbour")
    holes = np.flatnonzero(~HOLED.known)
    inside = [hole for hole in holes if hole % 5]
    assert inside and (filled.tokens.index[inside] == HOLED.index[[hole - 1 for hole in inside]]).all()
    assert (filled.confidence[inside] == 0.5).all()


def test_the_concealment_of_the_page_that_looks_back_fades(mine: ModuleType) -> None:
    holes = ~HOLED.known
    sent = tiny_codec().encode(photograph(64, 80))
    whole, first, second = tiny_codec().conceal([sent, HOLED, HOLED], "mine:fading", temporal=True)
    assert np.allclose(second.code[holes], 0.64 * whole.code[holes]) and np.allclose(first.confidence[holes], 0.8)


def test_the_loop_of_the_page_ends_with_every_token_known(mine: ModuleType) -> None:
    done = mine.in_steps(tiny_codec(), HOLED)
    assert done.known.all() and (done.index[HOLED.known] == HOLED.index[HOLED.known]).all()
