"""Spans of time as promises name them: calendar months and years, or days and hours; all in UTC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import cache

from tamis import units

DAY = 86_400_000  # milliseconds
EPOCH = date(1970, 1, 1).toordinal()
LAST = (date(9000, 1, 1).toordinal() - EPOCH) * DAY  # later times count as this one: dates end in 9999
MONTHS = {"month": 1, "year": 12}
MAX_YEARS = 50
EDGES = (1, 28, 29, 30, 31)  # days of a month from which on spans differ
YEARS = range(2000, 2108)  # starts of up to 50 years with as many and as few leap days as there can be


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar months, or milliseconds; the other is 0."""

    months: int = 0
    milliseconds: int = 0

    def at_least_from(self, start: int) -> int:
        """Return the end of a floor that starts at a Unix time in ms.

        A day that the month lacks is the next month's first: 1 year from 29 February ends on 1 March.
        """
        return self._end(start, spill=1)

    def at_most_from(self, start: int) -> int:
        """Return the end of a ceiling that starts at a Unix time in ms.

        A day that the month lacks is its last: 1 month from 31 January ends on 28 February.
        """
        return self._end(start, spill=0)

    def _end(self, start: int, *, spill: int) -> int:
        days, rest = divmod(min(max(start, 0), LAST), DAY)
        if not self.months:
            return days * DAY + rest + self.milliseconds
        begun = date.fromordinal(EPOCH + days)
        year, month = divmod(begun.year * 12 + begun.month - 1 + self.months, 12)
        last = monthrange(year, month + 1)[1]
        end = date(year, month + 1, min(begun.day, last)).toordinal()
        return (end + (spill if begun.day > last else 0) - EPOCH) * DAY + rest

    def may_exceed(self, other: Period, by: int = 0) -> bool:
        """Return whether this floor can end later than some milliseconds before a ceiling."""
        if self.months and other.months:
            return self.months > other.months or (self.months == other.months and by > 0)
        return _span(self, longest=True) + by > _span(other, longest=False)

    def shortest(self) -> int:
        """Return the fewest milliseconds that it can last."""
        return _span(self, longest=False)

    def __str__(self) -> str:
        for months, word in ((12, "year"), (1, "month")):
            if self.months and not self.months % months:
                number = self.months // months
                return f"{number} {word}" + ("s" if number > 1 else "")
        for length, letter in ((DAY, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
            if not self.milliseconds % length:
                return f"{self.milliseconds // length}{letter}"
        return f"{self.milliseconds}ms"


@cache
def _span(period: Period, *, longest: bool) -> int:
    """Return the most milliseconds that a floor of this period can last, or the fewest that a ceiling can."""
    if not period.months:
        return period.milliseconds
    spans = []
    for year in YEARS:
        for month in range(1, 13):
            for day in EDGES:
                if day <= monthrange(year, month)[1]:
                    start = (date(year, month, day).toordinal() - EPOCH) * DAY
                    end = period.at_least_from(start) if longest else period.at_most_from(start)
                    spans.append(end - start)
    return max(spans) if longest else min(spans)


def parse(text: str) -> Period:
    """Return the period in "1 month", "3 years", "395d" or "12h"; raise ValueError."""
    number, unit = units.parted(text)
    seconds = number * units.SECONDS[unit]
    months = MONTHS.get(unit)
    years = seconds / units.SECONDS["year"] if months is None else number * months / 12
    if years > MAX_YEARS:
        raise ValueError(f'expected at most {MAX_YEARS} years, got "{text}"')
    if months is None:
        return Period(milliseconds=round(seconds * 1000))
    if not number.is_integer():
        raise ValueError(f'expected whole months or years, got "{text}"')
    return Period(months=int(number) * months)
