"""What promises mean for a record, worked out anew: until when it must stay, and by when it must be gone.

The figures are written down here once more, from the promises and not from the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ALWAYS = datetime.max.replace(tzinfo=UTC)
NEVER = datetime.min.replace(tzinfo=UTC)
SLACK = timedelta(days=3)  # a purge each day, of which one may be missed and each be late
OWNED = ("account", "ticket", "setting_change", "consent", "correspondent", "personal_model")


@dataclass(frozen=True, slots=True)
class Span:
    """Months or days."""

    months: int = 0
    days: int = 0

    def since(self, start: datetime, *, up: bool) -> datetime:
        """Return the end; a day that there is not becomes the next day or the last one before."""
        if not self.months:
            return start + timedelta(days=self.days)
        month = start.month - 1 + self.months
        year, month = start.year + month // 12, month % 12 + 1
        for back in range(4):
            try:
                end = start.replace(year=year, month=month, day=start.day - back)
            except ValueError:
                continue
            return end + timedelta(days=1) if back and up else end
        raise AssertionError("no month is that short")


@dataclass(frozen=True, slots=True)
class Promise:
    """Spans of a class: from the record's making, the account's closing, the last sign-in."""

    age: tuple[Span | None, Span | None] = (None, None)
    closing: tuple[Span | None, Span | None] = (None, None)
    unseen: Span | None = None


MONTH, YEAR, YEARS = Span(months=1), Span(months=12), Span(months=36)
SITE = {
    "account": Promise(closing=(None, MONTH)),
    "ticket": Promise(age=(None, YEAR)),
    "session": Promise(age=(None, MONTH)),
    "setting_change": Promise(age=(None, YEAR)),
    "consent": Promise(closing=(None, MONTH)),
    "log": Promise(age=(None, MONTH)),
    "legal_act": Promise(age=(Span(months=60), Span(months=72))),
    "correspondent": Promise(age=(None, YEAR), closing=(None, MONTH)),
    "counter": Promise(age=(None, MONTH)),
    "personal_model": Promise(closing=(None, MONTH)),
}


def closing(floor: Span | None, ceiling: Span) -> dict[str, Promise]:
    """Return promises about the closing of accounts, above the site's own figures."""
    return {kind: Promise(SITE[kind].age, (floor, ceiling)) for kind in OWNED}


PROMISES: Mapping[str, Mapping[str, Promise]] = {
    "": SITE,
    "mailo": SITE | dict.fromkeys(("ticket", "setting_change"), Promise(age=(YEAR, Span(months=13)))),
    "mailfence": SITE | closing(Span(days=365), Span(days=395)),
    "mailpro": SITE | closing(Span(days=45), Span(days=60)),
    "imail": SITE
    | {kind: Promise(SITE[kind].age, SITE[kind].closing, YEARS) for kind in OWNED}
    | {"consent": Promise((None, Span(months=13)), (None, MONTH), YEARS)},
    "mailmo": SITE
    | {kind: Promise(SITE[kind].age, (None, Span(months=6))) for kind in ("ticket", "setting_change")},
}
NOTICE = MONTH


@dataclass(slots=True)
class Person:
    """What an account has done."""

    last_sign_in: datetime
    closed: datetime | None = None
    erasure: datetime | None = None
    restricted: datetime | None = None
    warned: datetime | None = None


@dataclass(slots=True)
class Paper:
    """A record, and whether it is there."""

    kind: str
    made: datetime
    people: tuple[Person, ...]
    held_until: datetime | None = None
    hidden: bool = False  # its addresses are replaced
    there: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """From when a record may be touched, and by when it must be gone."""

    guarded_until: datetime
    may_go: datetime
    must_go: datetime


def window(paper: Paper, promises: Mapping[str, Promise]) -> Window:
    """Return the window as things stand."""
    promise = promises[paper.kind]
    guards = [paper.held_until or NEVER]
    if promise.age[0]:
        guards.append(promise.age[0].since(paper.made, up=True))
    for person in paper.people:
        if promise.closing[0] and person.closed:
            guards.append(promise.closing[0].since(person.closed, up=True))
    may, must = ALWAYS, ALWAYS
    if paper.people:
        ends = [_end(paper, person, promise) for person in paper.people]
        may, must = max(one for one, _ in ends), max(one for _, one in ends)
    if promise.age[1]:
        gone = promise.age[1].since(paper.made, up=False)
        may, must = min(may, gone - SLACK), min(must, gone)
    return Window(max(guards), may, must)


def _end(paper: Paper, person: Person, promise: Promise) -> tuple[datetime, datetime]:
    """Return from when one person's hold on a record is gone or going, and by when it must be."""
    found = [(ALWAYS, ALWAYS)]
    if person.erasure and paper.made <= person.erasure:
        found.append((person.erasure, person.erasure + SLACK))
    if person.restricted and paper.kind == "ticket":
        since = max(paper.made, person.restricted)
        found.append((since, since + SLACK))
    if person.closed:
        if promise.closing[1]:
            gone = promise.closing[1].since(person.closed, up=False)
            found.append((gone - SLACK, gone))
    elif promise.unseen and person.warned and person.warned > person.last_sign_in:
        since = max(promise.unseen.since(person.last_sign_in, up=False), NOTICE.since(person.warned, up=True))
        found.append((since, since + SLACK))
    return min(one for one, _ in found), min(one for _, one in found)
