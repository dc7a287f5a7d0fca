"""The house: its map is true, its contracts hold, its files speak of the project alone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "codec",
    "codec/training",
    "simulator/channel",
    "simulator/report",
)  # simulator: tests/simulator/test_cli.py


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_lists_all_its_modules_and_no_others(package: str) -> None:
    names = set(re.findall(r"^ *([a-z_0-9]+)  +\S", (ROOT / package / "__init__.py").read_text(), re.M))
    modules = {p.stem for p in (ROOT / package).glob("*.py") if not p.stem.startswith("__")}
    folders = {p.name for p in (ROOT / package).iterdir() if (p / "__init__.py").exists()}
    assert names == modules | folders


def test_import_contracts_hold() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", ["simulator", "simulator.cli", "simulator.session", "simulator.scenario"])
def test_the_network_half_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'codec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("module", ["tokens", "bitstream", "entropy", "interleave", "granularity", "images"])
def test_tokens_and_bits_start_without_torch(module: str) -> None:
    code = f"import sys, codec.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_shipped_weights_fit_the_budget() -> None:
    sizes = [path.stat().st_size for path in (ROOT / "codec" / "weights").glob("*.safetensors")]
    assert len(sizes) == 2
    assert sum(sizes) <= 40e6
