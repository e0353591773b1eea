"""Long lists of values, in pieces that the database takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

AT_ONCE = 500  # values in one IN list; SQLite before 3.32 takes 999 variables

One = TypeVar("One")


def chunks(values: Sequence[One]) -> Iterator[Sequence[One]]:
    """Return values in pieces."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
