"""Values are compared, hashed and replaced as frozen dataclasses are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamis.values import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A value."""

    x: int
    y: int = 0


def test_equal_values_are_one_in_a_set() -> None:
    assert {Point(1), Point(1, 0)} == {Point(1)}


def test_value_is_replaced_in_part() -> None:
    assert replace(Point(1, 2), y=3) == Point(1, 3)


def test_value_has_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 1  # type: ignore[attr-defined]
