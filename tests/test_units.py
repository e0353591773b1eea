"""Durations and sizes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("250ms", 0.25),
        ("10m", 600),
        ("10 min", 600),
        ("2 hours", 7200),
        ("395d", 395 * 86400),
        ("3 days", 3 * 86400),
        ("1 month", 31 * 86400),
        ("2 years", 2 * 366 * 86400),
        ("1.5h", 5400),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "octets"), [("25MB", 25_000_000), ("64KiB", 65_536), ("1 gb", 10**9), ("0.5MiB", 524_288)]
)
def test_sizes_are_read_as_people_write_them(text: str, octets: int) -> None:
    assert units.size(text) == octets


@pytest.mark.parametrize("text", ["", "30", "s", "-3s", "3 fortnights", "25MB", "1e9s", "9" * 400 + "d"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected a duration such as "30s".*got "'):
        units.duration(text)


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert units.size(text) >= 0
