"""*What happened to my mail*: a user's own messages, what was done with each, and how to find one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from http import HTTPStatus
from itertools import groupby
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.desk import own_mail
from tamis.desk.own_mail import Kind, Page, Wanted
from tamis.options.pool import Clerk
from tamis.options.told import Line, Told
from tamis.options.visit import Visit
from tamis.words.catalogue import text

ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")  # a ULID
LONGEST = 254  # characters of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)

WRONG_DAY = text("Enter a day such as 2026-11-23.")
WRONG_KIND = text("Choose one of these.")

# What can be looked for, in groups.
KINDS: Mapping[str, Mapping[Kind, str]] = {
    text("What was done"): {
        Kind.DELIVERED: text("Delivered as it came"),
        Kind.MARKED: text("Delivered and marked"),
        Kind.FILED: text("Put into a folder"),
        Kind.WITHHELD: text("Refused or kept from you"),
        Kind.PUT_OFF: text("Put off"),
    },
    text("What was found"): {
        Kind.SPAM: text("Spam"),
        Kind.MALWARE: text("Malware"),
        Kind.NEWSLETTER: text("Newsletters"),
        Kind.SOCIAL: text("Notices of social networks"),
        Kind.LIST: text("Mailing lists"),
    },
    text("Your own"): {Kind.SENT: text("Sent by you")},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, as it was typed."""

    day: str
    sender: str
    kind: str

    @property
    def is_all(self) -> bool:
        """Whether it asks for everything."""
        return not (self.day or self.sender or self.kind)

    def query(self, **more: str) -> str:
        """Return the address's query, with more."""
        given = {"day": self.day, "sender": self.sender, "kind": self.kind, **more}
        return urlencode({name: value for name, value in given.items() if value})


async def show(visit: Visit) -> Response:
    """Show a page of messages."""
    query = visit.request.query_params
    asked = Asked(
        query.get("day", "").strip(), query.get("sender", "").strip()[:LONGEST], query.get("kind", "").strip()
    )
    before, after = (_cursor(query.get(name, "")) for name in ("before", "after"))
    wanted, wrong = _wanted(visit, asked)
    if wrong:
        return _page(visit, asked, Page(()), wrong, HTTPStatus.UNPROCESSABLE_ENTITY)

    def look(clerk: Clerk) -> Page:
        with clerk.database.reading() as connection:
            return own_mail.look(connection, visit.account, wanted, before=before, after=after)

    return _page(visit, asked, await visit.work(look), {}, HTTPStatus.OK)


def _cursor(given: str) -> str:
    if given and not ID.fullmatch(given):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return given


def _wanted(visit: Visit, asked: Asked) -> tuple[Wanted, dict[str, str]]:
    """Return what is asked for, and what is wrong with it."""
    wrong: dict[str, str] = {}
    since = until = kind = None
    if asked.day:
        try:
            since, until = _bounds(asked.day, visit.site.zone)
        except (ValueError, OverflowError):
            wrong["day"] = visit.say(WRONG_DAY)
    if asked.kind:
        try:
            kind = Kind(asked.kind)
        except ValueError:
            wrong["kind"] = visit.say(WRONG_KIND)
    return Wanted(since, until, asked.sender, kind), wrong


def _bounds(day: str, zone: tzinfo) -> tuple[int, int]:
    """Return the Unix times in ms of a day's beginning and end, which are not always 24 hours apart."""
    first = date.fromisoformat(day)
    begin, end = (datetime.combine(one, time.min, zone) for one in (first, first + timedelta(days=1)))
    return _milliseconds(begin), _milliseconds(end)


def _milliseconds(when: datetime) -> int:
    return round(when.astimezone(UTC).timestamp() * 1000)


def _page(visit: Visit, asked: Asked, page: Page, wrong: Mapping[str, str], status: int) -> Response:
    told = Told(visit.language, visit.site.config)
    lines = [told.line(one) for one in page.seen]
    query = visit.request.query_params
    values = {
        "days": _by_day(lines),
        "kinds": KINDS,
        "asked": asked,
        "wrong": wrong,
        "older": asked.query(before=page.older) if page.older else "",
        "newer": asked.query(after=page.newer) if page.newer else "",
        "newest": asked.query() if "before" in query or "after" in query else None,
        "zone": datetime.fromtimestamp(visit.now / 1000, visit.site.zone).tzname(),
    }
    return visit.page("mail.html", values, status=status)


def _by_day(lines: Sequence[Line]) -> Sequence[tuple[str, Sequence[Line]]]:
    return [(day, list(some)) for day, some in groupby(lines, lambda line: line.day)]
