"""One HTML page that holds everything and fetches nothing: figures, tables, pictures, provenance."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simulator.report.drawing import Drawing
from simulator.report.pictures import VERSIONS, Clip, Still, Strip
from simulator.report.provenance import address, flat, source
from simulator.report.strips import HEADS
from simulator.report.study import Study
from simulator.report.style import inline
from simulator.report.tables import Table

SECTIONS = (  # start of a figure's name -> id, heading
    (("quality", "arrivals", "difference"), "quality", "Quality"),
    (("rate",), "rate", "Rate and quality"),
    (("tokens", "delay", "freeze", "packet_delay"), "time", "Tokens, delays and freezes"),
)


@dataclass(frozen=True)
class Figure:
    """A figure in the page: its drawing's words, its markup, its files as (kind, address)."""

    drawing: Drawing
    markup: Markup
    files: list[tuple[str, str]]
    wide: bool = field(default=False)


def figure_of(drawing: Drawing, made: Sequence[Path], home: Path) -> Figure:
    """A saved drawing as a part of the page in `home`."""
    markup = Markup(inline(made[0].with_suffix(""), drawing.alt))  # the only text here that is not escaped
    return Figure(drawing, markup, [(path.suffix[1:].upper(), address(path, home)) for path in made])


@dataclass(frozen=True)
class Page:
    """The page of a study.

    Attributes:
        study: The results.
        home: The folder of the page.
        files: Where tables and figures are.
        figures, tables: In the order of the page.
        notes: Sentences in place of figures that would say nothing.
        warnings: What a reader must know of where the results come from.
    """

    study: Study
    home: Path
    files: Path
    figures: Sequence[Figure]
    tables: Sequence[Table]
    notes: Sequence[str]
    warnings: Sequence[str]

    def render(self, strips: Sequence[Strip], strip_files: dict[str, list[Path]], clips: Sequence[Clip]) -> str:
        """The whole page as text."""
        results = self.study.results
        values: dict[str, Any] = {
            "page": self,
            "results": results,
            "source": source(results),
            "provenance": flat(results.provenance),
            "strips": [(strip, address(strip_files[strip.name][0], self.home)) for strip in strips],
            "clips": clips,
            "clip_data": _json([{"cell": c.cell, "stills": [self.told(s) for s in c.stills]} for c in clips]),
            "versions": VERSIONS,
            "heads": HEADS,
            "tables_address": address(self.files / "tables", self.home),
        }
        return self._environment.get_template("page.html").render(values)

    @cached_property
    def sections(self) -> list[tuple[str, str, list[Figure]]]:
        """Figures by section: (id, heading, figures), those that have any."""
        found = [
            (name, heading, [figure for figure in self.figures if figure.drawing.name.startswith(starts)])
            for starts, name, heading in SECTIONS
        ]
        return [section for section in found if section[2]]

    def told(self, still: Still) -> dict[str, Any]:
        """One frame for the viewer: number, words, and its four pictures with their words."""
        return {
            "frame": still.frame,
            "lost": still.lost,
            "pictures": [
                {"uri": still.uri(version), "value": still.values.get(version, ""), "alt": alt(still, version)}
                for version in VERSIONS
            ],
        }

    @cached_property
    def _environment(self) -> Environment:
        made = Environment(
            loader=PackageLoader("simulator.report", "assets"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        made.globals.update(alt=alt, asset=lambda name: Markup(made.get_template(name).render()))
        return made


def alt(still: Still, version: str) -> str:
    """A picture in words."""
    value = f", {still.values[version]}" if version in still.values else ""
    return f"Frame {still.frame}, {HEADS[version]}{value}; {still.lost}"


def _json(values: Any) -> Markup:
    """JSON that is safe inside a script element."""
    return Markup(json.dumps(values, ensure_ascii=True).replace("<", "\\u003c"))
