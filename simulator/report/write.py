r"""The main path of a report: a results folder to tables, figures and one page.

read --> study --> estimates --> FILE_files/tables/*.csv
                            \--> drawings --> FILE_files/figures/*.{png,svg}
                                          \--> FILE.html, which holds all of it and needs nothing else
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from simulator.errors import OutputError
from simulator.records import replacing, write_csv
from simulator.report import curves, estimates, run_figures, spread, strips, tables
from simulator.report.drawing import Drawing
from simulator.report.estimates import DEFAULT_FALLS, Fall
from simulator.report.page import Figure, Page, figure_of
from simulator.report.pictures import Album
from simulator.report.provenance import cell_facts, links, mixed, source
from simulator.report.read import Results, read
from simulator.report.study import Study, study
from simulator.report.style import save, style


@dataclass(frozen=True)
class Written:
    """What a report left: the page, the folder beside it, and what a reader should know."""

    page: Path
    files: Path
    notes: tuple[str, ...]


def write_report(
    folder: Path, out: Path | None = None, baseline: str | None = None, falls: Sequence[Fall] = DEFAULT_FALLS
) -> Written:
    """Make the report of a run or a sweep; an older one of the same name is replaced.

    Args:
        folder: A results folder.
        out: The page; default: report.html in the folder. Tables and figures go beside it, to
            <name>_files.
        baseline: "KEY=VALUE" of the scheme that others are compared with.
        falls: Amounts of quality whose loss rates are wanted.

    Raises:
        OutputError: If the folder holds no results, or torn ones, or `out` cannot be written.
    """
    page = out or folder / "report.html"
    if page.suffix.lower() not in (".html", ".htm"):  # so that no other kind of file is written over
        raise OutputError("--out", "a report is an HTML page", str(page), "Let the name end in .html")
    known = study(read(folder), baseline)
    files = page.with_name(f"{page.stem}_files")
    _make(page.parent, files / "tables", files / "figures")
    numbers = _tables(known, falls)
    facts = cell_facts(known.results)
    for name, table in {**numbers, "cells": _with_facts(known.cells, facts)}.items():
        write_csv(table, files / "tables" / f"{name}.csv")
    with replacing(files / "source.txt") as temporary:
        temporary.write_text(f"{source(known.results)}\n", encoding="utf-8")
    album = Album(known)
    with style():
        drawings, notes = _drawings(known, numbers)
        figures = [_save(known, drawing, files / "figures", page.parent) for drawing in drawings]
        figures += [_run_figure(known.results, path, page.parent) for path in _run_files(known.results, files)]
        shown = album.strips()
        strip_files = {strip.name: strips.write(strip, files / "figures", source(known.results)) for strip in shown}
    warnings = mixed(facts)
    made = Page(known, page.parent, files, figures, _page_tables(known, numbers, facts, page.parent), notes, warnings)
    text = made.render(shown, strip_files, album.clips())
    with replacing(page) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Written(page, files, (*known.results.notes, *warnings))


def _make(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                str(folder), f"cannot be written ({error.strerror})", next_step="Choose a place with --out"
            ) from error


def _with_facts(cells: pd.DataFrame, facts: dict[str, dict[str, str]]) -> pd.DataFrame:
    """The cells with what their own provenance says: columns scenario_hash, version, commit, model_hash."""
    rows = [facts.get(str(cell), {}) for cell in cells["cell"]]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "codec"]
    return cells.assign(**{name.replace(" ", "_"): [row.get(name, "") for row in rows] for name in names})


def _tables(known: Study, falls: Sequence[Fall]) -> dict[str, pd.DataFrame]:
    return {
        "quality": estimates.quality(known),
        "falls": estimates.falls(known, falls),
        "differences": estimates.differences(known),
        "tokens": estimates.tokens(known),
        "transport": estimates.transport(known),
    }


def _drawings(known: Study, numbers: dict[str, pd.DataFrame]) -> tuple[list[Drawing], list[str]]:
    """All figures of estimates and distributions; a single run has only the latter."""
    distributions, notes = spread.spread_drawings(known)
    if not known.results.is_sweep:
        return distributions, notes
    return [
        *curves.quality_drawings(known, numbers["quality"]),
        *curves.difference_drawings(known, numbers["differences"]),
        *curves.rate_drawings(known, numbers["quality"]),
        *curves.token_drawings(known, numbers["tokens"]),
        *distributions,
    ], notes


def _save(known: Study, drawing: Drawing, folder: Path, home: Path) -> Figure:
    assert drawing.figure is not None, drawing.name
    said = {"Title": drawing.title, "Description": drawing.alt, "Source": source(known.results)}
    made = save(drawing.figure, folder / drawing.name, ("png", "svg"), said)
    return figure_of(drawing, made, home)


def _run_files(results: Results, files: Path) -> list[Path]:
    """The figures over time of a single run, made again beside the page."""
    if results.is_sweep:
        return []
    made = run_figures.write_figures(results.folder, files / "figures")
    return [path for path in made if path.suffix == ".png" and path.stem != "strip"]


def _run_figure(results: Results, path: Path, home: Path) -> Figure:
    title, alt = run_figures.WORDS[path.stem]
    drawing = Drawing(path.stem, title, f"{alt}.", alt, None, (results.folder.resolve().name,))
    return dataclasses.replace(figure_of(drawing, [path, path.with_suffix(".svg")], home), wide=True)


def _page_tables(
    known: Study, numbers: dict[str, pd.DataFrame], facts: dict[str, dict[str, str]], home: Path
) -> list[tables.Table]:
    """Those tables that have rows; cells at the end."""
    made = [
        tables.falls_table(known, numbers["falls"]),
        tables.quality_table(known, numbers["quality"]),
        tables.differences_table(known, numbers["differences"]),
        tables.tokens_table(known, numbers["tokens"]),
        tables.transport_table(known, numbers["transport"]),
        tables.cells_table(known, facts, links(known.results, home)),
    ]
    return [table for table in made if table.rows]
