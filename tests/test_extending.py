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
from tests.codec.tiny import photograph, tiny_codec

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


def test_the_concealment_of_the_page_copies_the_left_neighbour(mine: ModuleType) -> None:
    (filled,) = tiny_codec().conceal([HOLED], "mine:left_neighbour")
    holes = np.flatnonzero(~HOLED.known)
    inside = [hole for hole in holes if hole % 5]
    assert inside and (filled.tokens.index[inside] == HOLED.index[[hole - 1 for hole in inside]]).all()
    assert (filled.confidence[inside] == 0.5).all()


def test_the_loop_of_the_page_ends_with_every_token_known(mine: ModuleType) -> None:
    done = mine.in_steps(tiny_codec(), HOLED)
    assert done.known.all() and (done.index[HOLED.known] == HOLED.index[HOLED.known]).all()
