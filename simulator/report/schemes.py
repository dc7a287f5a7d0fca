"""What the varied keys of a sweep mean, and which cells may be compared.

    loss     channel.loss.rate                         the axis of most figures
    rate     codec.bpp and the like                    the axis of rate against quality
    clip     source.frames, with the seed              what is resampled: a (clip, seed) is a *unit*
    method   every other key: concealment, codec, ...  their values together are a *scheme*

Cells of one (scheme, rate, loss) are a *condition*. Cells of one unit met the same pictures and, as
random streams are named, the same losses; so two schemes are compared unit by unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from simulator import units
from simulator.errors import OutputError
from simulator.records import varied_column
from simulator.report.labels import labels
from simulator.report.read import Results

LOSS_KEY = "channel.loss.rate"
RATE_KEYS = ("codec.bpp", "codec.quality", "codec.kbps", "codec.crf", "codec.ratios")
CLIP_KEY = "source.frames"
CONDITION = ["scheme", "rate", "loss"]


@dataclass(frozen=True)
class Roles:
    """Varied keys by what they mean; those with one value only are in none of them.

    Attributes:
        loss, rate: The key, or None if it does not vary.
        method: The others, in the order of the sweep.
    """

    loss: str | None
    rate: str | None
    method: tuple[str, ...]


def roles(results: Results) -> Roles:
    """The meaning of each key that takes more than one value."""
    varied = [key for key in results.keys if results.cells[key].nunique(dropna=False) > 1]
    loss = LOSS_KEY if LOSS_KEY in varied else None
    rate = next((key for key in RATE_KEYS if key in varied), None)
    return Roles(loss, rate, tuple(key for key in varied if key not in (loss, rate, CLIP_KEY)))


def conditions(results: Results, roles: Roles) -> pd.DataFrame:
    """The cells, with what they are: one row a cell.

    Returns:
        results.cells with `scheme`, `network` (the scheme but for its concealment) and `rate`, which
        are categories in the order of the sweep, `loss` (share; nan if it does not vary) and `unit`.
    """
    cells = results.cells.copy()
    network = [key for key in roles.method if not key.startswith("concealment.")]
    cells["scheme"] = _category(_labels(cells, roles.method) if roles.method else _who(results))
    cells["network"] = _category(_labels(cells, network))
    cells["rate"] = _rates(cells, roles.rate)
    cells["loss"] = [_share(results, value) for value in cells[roles.loss]] if roles.loss else float("nan")
    clips = cells[CLIP_KEY].astype(str) + ", " if CLIP_KEY in cells else ""
    cells["unit"] = clips + "seed " + cells["seed"].astype(str)
    return cells


def _rows(cells: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = cells.to_dict("records")
    return rows


def _who(results: Results) -> list[str]:
    first = results.frames.iloc[0]
    return [f"{first['codec']}, {first['concealment']}"] * len(results.cells)


def _labels(cells: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Each cell's values of the keys in words: "expected", "vq, expected", "expected, nack"."""
    spoken = {key: labels(key, cells[key]) for key in keys}
    return [", ".join(spoken[key][str(row[key])] for key in keys) for row in _rows(cells)]


def _rates(cells: pd.DataFrame, key: str | None) -> pd.Categorical:
    if key is None:
        return _category([""] * len(cells))
    values = cells[key]
    ordered = values.sort_values() if pd.api.types.is_numeric_dtype(values) else values
    return pd.Categorical(values.astype(str), categories=list(dict.fromkeys(ordered.astype(str))), ordered=True)


def _category(labels: Sequence[str]) -> pd.Categorical:
    """In order of first appearance."""
    return pd.Categorical(labels, categories=list(dict.fromkeys(labels)), ordered=True)


def _share(results: Results, value: object) -> float:
    try:
        return units.parse_share(str(value))
    except ValueError as error:
        raise OutputError(str(results.folder / "summary.csv"), f"column {LOSS_KEY}: {error}") from error


def baseline_key(roles: Roles, cells: pd.DataFrame, asked: str | None) -> tuple[str, str] | None:
    """The key and value that make a scheme the baseline.

    Args:
        roles: Of the keys.
        cells: The cells.
        asked: "KEY=VALUE", the value as it was given or as figures call it; default: the first varied
            method, at the first value of the sweep.

    Returns:
        None if no method varies, so that there is nothing to compare.

    Raises:
        OutputError: If the key is no varied method, or never has the value.
    """
    if asked is None:
        return (roles.method[0], str(cells[roles.method[0]].iloc[0])) if roles.method else None
    name, _, value = asked.partition("=")
    key = varied_column(name)
    if key not in roles.method:
        known = ", ".join(each.removesuffix(".*") for each in roles.method) or "none"
        raise OutputError("--baseline", f"must be KEY=VALUE of a varied method (here: {known})", asked)
    spoken = labels(key, cells[key])
    found = value if value in spoken else {words: text for text, words in spoken.items()}.get(value)
    if found is None:
        raise OutputError("--baseline", f"{name} has the values {', '.join(spoken)} in this sweep", value)
    return key, found


def pairs(roles: Roles, cells: pd.DataFrame, baseline: tuple[str, str] | None) -> dict[str, str]:
    """Scheme -> the scheme it is compared with: the same but for the baseline's key.

    Schemes that have no such partner in the sweep are left out.
    """
    if baseline is None:
        return {}
    key, value = baseline
    place = roles.method.index(key)
    values = {row["scheme"]: [str(row[k]) for k in roles.method] for row in _rows(cells)}
    by_values = {tuple(parts): str(scheme) for scheme, parts in values.items()}
    found = {}
    for scheme, parts in values.items():
        partner = by_values.get((*parts[:place], value, *parts[place + 1 :]))
        if partner and parts[place] != value:
            found[str(scheme)] = partner
    return found
