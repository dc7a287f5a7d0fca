"""Drawing: a figure with its words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from matplotlib.figure import Figure

T = TypeVar("T")

MOST_FACETS = 3  # figures of one metric at most


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Attributes:
        name: Of its files.
        title, caption: Above and below it.
        alt: What it shows, for those who cannot see it.
        figure: The figure, until it is saved.
        cells: The cells it was made of; empty for all.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure | None
    cells: tuple[str, ...] = field(default=())


def spread_out(values: Sequence[T], most: int) -> list[T]:
    """At most `most` of the values, evenly chosen, first and last among them.

    >>> spread_out([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
