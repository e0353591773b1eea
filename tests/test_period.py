"""Periods: calendar months and days, in UTC, floors rounded up and ceilings down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.retention import period
from tamis.retention.period import DAY, Period

HOUR = DAY // 24
starts = st.integers(0, 100 * 366 * DAY)
months = st.integers(1, 600).map(lambda number: Period(months=number))
days = st.integers(0, 50 * 366).map(lambda number: Period(milliseconds=number * DAY))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 month", Period(months=1)),
        ("13 months", Period(months=13)),
        ("3 years", Period(months=36)),
        ("599 months", Period(months=599)),
        ("395d", Period(milliseconds=395 * DAY)),
        ("2 weeks", Period(milliseconds=14 * DAY)),
        ("12h", Period(milliseconds=12 * HOUR)),
        ("0d", Period()),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, expected: Period) -> None:
    assert period.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a while", 'expected a duration such as "30s"'),
        ("1.5 months", 'expected whole months or years, got "1.5 months"'),
        ("51 years", 'expected at most 50 years, got "51 years"'),
        ("601 months", 'expected at most 50 years, got "601 months"'),
        ("99999999999d", "expected at most 50 years"),
    ],
)
def test_what_is_no_period_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        period.parse(text)


@pytest.mark.parametrize(
    ("start", "text", "at_most", "at_least"),
    [
        ("2026-01-15T08:30", "1 month", "2026-02-15T08:30", "2026-02-15T08:30"),
        ("2026-01-31T08:30", "1 month", "2026-02-28T08:30", "2026-03-01T08:30"),
        ("2028-01-31T08:30", "1 month", "2028-02-29T08:30", "2028-03-01T08:30"),
        ("2028-02-29T00:00", "1 year", "2029-02-28T00:00", "2029-03-01T00:00"),
        ("2028-02-29T00:00", "4 years", "2032-02-29T00:00", "2032-02-29T00:00"),
        ("2027-02-28T00:00", "1 year", "2028-02-28T00:00", "2028-02-28T00:00"),
        ("2027-12-31T23:59", "2 months", "2028-02-29T23:59", "2028-03-01T23:59"),
        ("2027-03-28T00:30", "365d", "2028-03-27T00:30", "2028-03-27T00:30"),
    ],
)
def test_months_are_the_calendars(start: str, text: str, at_most: str, at_least: str) -> None:
    span = period.parse(text)

    assert span.at_most_from(ms(start)) == ms(at_most)
    assert span.at_least_from(ms(start)) == ms(at_least)


def test_daylight_saving_changes_nothing() -> None:
    """Clocks of Europe went forward on 2026-03-29, 01:00 UTC."""
    assert period.parse("1d").at_most_from(ms("2026-03-28T12:00")) == ms("2026-03-29T12:00")


@given(starts, months | days)
def test_a_floor_ends_with_its_ceiling_or_within_a_day_after_it(start: int, span: Period) -> None:
    assert 0 <= span.at_least_from(start) - span.at_most_from(start) <= DAY


@given(starts, st.integers(1, 600))
def test_months_are_those_of_the_datetime_module(start: int, number: int) -> None:
    begun = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=start)
    month = begun.month - 1 + number
    try:
        named = begun.replace(year=begun.year + month // 12, month=month % 12 + 1)
    except ValueError:
        return

    end = round((named - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    assert Period(months=number).at_most_from(start) == Period(months=number).at_least_from(start) == end


@given(starts, months | days, months | days, st.integers(0, 3 * DAY))
def test_what_cannot_exceed_never_does(start: int, floor: Period, ceiling: Period, by: int) -> None:
    if not floor.may_exceed(ceiling, by):
        assert floor.at_least_from(start) + by <= ceiling.at_most_from(start) + (DAY if not by else 0)


@given(months | days)
def test_a_period_is_written_so_that_it_can_be_read(span: Period) -> None:
    assert period.parse(str(span)) == span


@given(st.integers(-(10**18), 10**18), months | days)
def test_no_time_is_too_strange(start: int, span: Period) -> None:
    assert span.at_least_from(start) >= span.at_most_from(start) >= 0


def test_periods_are_written_as_people_write_them() -> None:
    spans = (Period(months=1), Period(months=24), Period(months=13), Period(milliseconds=90 * DAY), Period())

    assert [str(one) for one in spans] == ["1 month", "2 years", "13 months", "90d", "0d"]
