"""Bars of a chart, as rectangles of an SVG of a fixed size that the style sheet stretches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 960  # units
HEIGHT = 200
GAP = 6  # between two bars


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, its parts from below."""

    x: float
    width: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All bars."""

    bars: tuple[Bar, ...]
    highest: float  # the number that the whole height stands for, 0 where there is nothing

    width: int = WIDTH
    height: int = HEIGHT


def stacked(numbers: Sequence[Mapping[str, float]]) -> Chart:
    """Return a bar for each mapping, of numbers by the kinds of its parts."""
    highest = max((sum(one.values()) for one in numbers), default=0)
    width = WIDTH / max(1, len(numbers))
    bars = (
        Bar(round(at * width + GAP / 2, 1), round(width - GAP, 1), _parts(one, highest))
        for at, one in enumerate(numbers)
    )
    return Chart(tuple(bars), highest)


def _parts(numbers: Mapping[str, float], highest: float) -> tuple[Part, ...]:
    found = []
    top = float(HEIGHT)
    for kind, number in numbers.items():
        if number > 0:
            height = max(1.0, number / highest * HEIGHT)  # what there is can be seen
            top -= height
            found.append(Part(kind, round(max(0.0, top), 1), round(height, 1)))
    return tuple(found)
