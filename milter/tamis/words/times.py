"""Days, times and numbers as people of each language write them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from gettext import NullTranslations
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tamis.words.catalogue import text

MONTHS = (
    text("January"),
    text("February"),
    text("March"),
    text("April"),
    text("May"),
    text("June"),
    text("July"),
    text("August"),
    text("September"),
    text("October"),
    text("November"),
    text("December"),
)


def zone(name: str) -> tzinfo:
    """Return the time zone of a name; raise ValueError. UTC needs no file of the system's."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'expected a time zone such as "Europe/Paris", got "{name}"') from None


def day(words: NullTranslations, time: int, where: tzinfo = UTC) -> str:
    """Return the day of a Unix time in ms."""
    when = datetime.fromtimestamp(time / 1000, where)
    pattern = text("1 {month} {year}") if when.day == 1 else text("{day} {month} {year}")
    month = words.gettext(MONTHS[when.month - 1])
    return words.gettext(pattern).format(day=when.day, month=month, year=when.year)


def minute(time: int, where: tzinfo) -> str:
    """Return the hour and the minute of a Unix time in ms."""
    return f"{datetime.fromtimestamp(time / 1000, where):%H:%M}"


def moment(words: NullTranslations, time: int, where: tzinfo) -> str:
    """Return the day and the minute of a Unix time in ms, and the zone that they are of."""
    when = datetime.fromtimestamp(time / 1000, where)
    return words.gettext(text("{day}, {time} {zone}")).format(
        day=day(words, time, where), time=minute(time, where), zone=when.tzname()
    )


def date(time: int, where: tzinfo) -> str:
    """Return the day of a Unix time in ms as in ISO 8601, for tables."""
    return f"{datetime.fromtimestamp(time / 1000, where):%Y-%m-%d}"


def tenths(words: NullTranslations, number: float) -> str:
    """Return a number with one decimal."""
    return _decimal(words, f"{number:.1f}")


def seconds(words: NullTranslations, number: float) -> str:
    """Return a time in seconds, to the millisecond."""
    return words.gettext(text("{number} s")).format(number=_decimal(words, f"{number:.3f}"))


def _decimal(words: NullTranslations, number: str) -> str:
    whole, _, decimal = number.partition(".")
    return words.gettext(text("{whole}.{decimal}")).format(whole=whole, decimal=decimal)
