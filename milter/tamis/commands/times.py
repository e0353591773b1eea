"""Times as they are typed on the command line."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from tamis.ticket import DATE_TIME, timestamp

DATE = re.compile(r"\d{4}-\d\d-\d\d")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY = 86_400_000  # milliseconds
LATEST = 253_402_300_799_999  # Unix ms; the end of the year 9999, after which RFC 3339 tells no time


def moment(text: str) -> int:
    """Return the first millisecond of Unix time that is not before a time; a date is its start in UTC."""
    whole = f"{text}T00:00:00Z" if DATE.fullmatch(text) else text
    try:
        if not DATE_TIME.fullmatch(whole):
            raise ValueError
        when = datetime.fromisoformat(whole.upper())
    except ValueError:
        expected = "expected YYYY-MM-DD or RFC 3339 such as 2026-11-23T09:14:05Z"
        raise argparse.ArgumentTypeError(f'{expected}, got "{text}"') from None
    return min(-((EPOCH - when) // MILLISECOND), LATEST)


def end(text: str) -> int:
    """Return the same, but of a date its end: what lasts until a day lasts for all of it."""
    return min(moment(text) + (DAY if DATE.fullmatch(text) else 0), LATEST)


def written(milliseconds: int | None) -> str | None:
    """Return a Unix time in ms as RFC 3339; None for none."""
    return None if milliseconds is None else timestamp(milliseconds)


def period(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add --since and --until to a command's parser."""
    for name, word in (("--since", "inclusive"), ("--until", "exclusive")):
        about = f"{word}; RFC 3339 or YYYY-MM-DD (UTC)"
        parser.add_argument(name, metavar="T", type=moment, required=required, help=about)
