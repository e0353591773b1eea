"""What became of an account's own mail: its tickets as its user may see them, a page at a time."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Connection

from tamis.accounts import Accounts
from tamis.config import Config
from tamis.desk.view import answer, reveal, view
from tamis.preferences import THRESHOLD, Value, effective
from tamis.retention.classes import Clock, RecordClass
from tamis.retention.rules import LEAD, Bound
from tamis.store import changes, pseudonyms, settings, tickets
from tamis.store.tickets import Query, Stored, Unreadable
from tamis.ticket import Action, Direction, time_of

log = logging.getLogger(__name__)

PAGE = 25  # tickets
MOST = 300  # that are looked at for a page; where few are wanted the next page goes on
SHADOW = "shadow"
AT_ONCE = 150  # that are fetched for it

Object = Mapping[str, Any]
Fetch: TypeAlias = Callable[[str, int], Sequence[Stored]]
"""Returns so many tickets beyond the last one's ID, which is "" at the start."""


class Kind(StrEnum):
    """What a user may look for: what was done, or found."""

    DELIVERED = "delivered"
    MARKED = "marked"
    FILED = "filed"
    WITHHELD = "withheld"
    PUT_OFF = "put-off"
    SPAM = "spam"
    MALWARE = "malware"
    NEWSLETTER = "newsletter"
    SOCIAL = "social"
    LIST = "list"
    SENT = "sent"


DONE: Mapping[str, Kind] = {
    Action.DELIVER: Kind.DELIVERED,
    Action.MARK: Kind.MARKED,
    Action.FILE: Kind.FILED,
    Action.REFUSE: Kind.WITHHELD,
    Action.DISCARD: Kind.WITHHELD,
    Action.TEMPFAIL: Kind.PUT_OFF,
}
FOUND: Mapping[str, Kind] = {
    "spam": Kind.SPAM,
    "infected": Kind.MALWARE,
    "newsletter": Kind.NEWSLETTER,
    "social": Kind.SOCIAL,
    "list": Kind.LIST,
}
# By what a ticket's JSON shows that it may be one of a kind.
WORDS: Mapping[Kind, Sequence[bytes]] = {
    kind: [
        f'"{word}"'.encode()
        for word, one in {**DONE, **FOUND, Direction.OUTGOING: Kind.SENT, SHADOW: Kind.DELIVERED}.items()
        if one is kind
    ]
    for kind in Kind
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets are looked for; those of a time in Unix ms, until exclusive."""

    since: int | None = None
    until: int | None = None
    sender: str = ""  # what the sender's address holds, in any case
    kind: Kind | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing but the time decides."""
        return not self.sender and self.kind is None


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket as its account sees it."""

    ticket: Object
    is_sent: bool  # by the account itself
    answer: Action  # to who sent it: deliver, refuse or tempfail

    @property
    def own(self) -> Sequence[Object]:
        """What became of the account's own copies; none where it only sent the message."""
        return [one for one in self.ticket["recipients"] if "action" in one]

    @property
    def only_watched(self) -> bool:
        """Whether the filters touched nothing, so that what the ticket says did not happen."""
        return bool(self.ticket["mode"] == SHADOW)

    def kinds(self) -> frozenset[Kind]:
        """Return all that the ticket is."""
        found = {Kind.DELIVERED if self.only_watched else DONE[one["action"]] for one in self.own}
        checked = [*self.own, *([self.ticket["outgoing"]] if "outgoing" in self.ticket else [])]
        for one in checked:
            found |= {
                FOUND[word] for name in ("antivirus", "antispam", "graymail") if (word := one[name]) in FOUND
            }
        if self.is_sent:
            found |= {Kind.SENT} | (set() if self.only_watched else {DONE[self.answer]} - {Kind.DELIVERED})
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Page:
    """Some tickets, newest first, and the IDs beside which there are others."""

    seen: Sequence[Seen]
    older: str = ""  # go on before it; "" for the end
    newer: str = ""  # go on after it


@dataclass(frozen=True, slots=True)
class Look:
    """One way through the tickets: those that are wanted, and between which IDs all were looked at."""

    found: Sequence[Seen]
    first: str  # ID, "" where there was none
    last: str
    is_end: bool


def look(connection: Connection, account: str, wanted: Wanted, *, before: str = "", after: str = "") -> Page:
    """Return a page of tickets: the newest, or those before or after an ID."""
    query = Query(account, since=wanted.since, until=wanted.until)
    if after:

        def following(last: str, most: int) -> Sequence[Stored]:
            return tickets.next_ones(connection, query, after=last or after, most=most)

        there = _walk(connection, account, wanted, following)
        if not there.is_end:
            return Page(there.found[::-1], older=there.first, newer=there.last)

    def preceding(last: str, most: int) -> Sequence[Stored]:
        return tickets.newest(connection, query, before=last or ("" if after else before), most=most)

    here = _walk(connection, account, wanted, preceding)
    newer = here.first if before and not after else ""
    return Page(here.found, older="" if here.is_end else here.last, newer=newer)


def one(connection: Connection, account: str, ticket_id: str) -> Seen | None:
    """Return a ticket, None where the account has none of this ID."""
    found = tickets.one(connection, account, ticket_id)
    return None if found is None else _read(found, _view(connection, account))


def threshold(
    connection: Connection, account: str, ticket: Object, *, config: Config, accounts: Accounts, now: int
) -> float | None:
    """Return the points from which on a ticket's message was spam for its account.

    Tickets do not hold that: it follows from the changes of settings since then, None where these are gone.
    """
    time = time_of(ticket["id"])
    kept = config.rules.period(RecordClass.SETTING_CHANGE, Clock.AGE, Bound.CEILING)
    if kept is not None and now - time > kept.shortest() - LEAD:
        return None
    own: dict[str, Value] = dict(settings.own(connection, [account]).get(account, {}))
    replaced = changes.next_old(connection, account, THRESHOLD, since=time)
    if replaced is not None:
        own.pop(THRESHOLD, None)
        if isinstance(replaced[0], int | float):
            own[THRESHOLD] = float(replaced[0])
    applied = effective(accounts.levels(account.rpartition("@")[2], own))[THRESHOLD]
    return applied if isinstance(applied, float) else None


def _walk(connection: Connection, account: str, wanted: Wanted, fetch: Fetch) -> Look:
    show = _view(connection, account)
    at_once = PAGE + 1 if wanted.is_all else AT_ONCE  # one more tells whether it is the end
    found: list[Seen] = []
    first = last = ""
    looked = 0
    while looked < MOST:
        some = fetch(last, at_once)
        for stored in some:
            if len(found) == PAGE:
                return Look(found, first, last, False)
            last = stored.id
            first = first or last
            seen = _read(stored, show) if _may_be_wanted(stored.body, wanted) else None
            if seen is not None and _is_wanted(seen, wanted):
                found.append(seen)
        looked += len(some)
        if len(some) < at_once:
            return Look(found, first, last, True)
    return Look(found, first, last, False)


def _view(connection: Connection, account: str) -> Callable[[Object], Seen]:
    _, pseudonym = pseudonyms.names(connection, account)

    def show(ticket: Object) -> Seen:
        whole = reveal(ticket, account, pseudonym)
        seen = Seen(view(whole, account), whole["sender_account"] == account, answer(whole))
        seen.kinds()  # while it is noticed that something is missing
        return seen

    return show


def _read(stored: Stored, show: Callable[[Object], Seen]) -> Seen | None:
    """Return a ticket, None where somebody has made it unreadable, which must not hide the others."""
    try:
        (seen,) = tickets.read([stored], show)
    except Unreadable as error:
        log.error("%s", error)
        return None
    return seen


def _may_be_wanted(body: bytes, wanted: Wanted) -> bool:
    """Tell at a glance whether a ticket's JSON is worth reading, as of most that is not."""
    if wanted.sender.isascii() and json.dumps(wanted.sender)[1:-1].lower().encode() not in body.lower():
        return False
    return wanted.kind is None or any(word in body for word in WORDS[wanted.kind])


def _is_wanted(seen: Seen, wanted: Wanted) -> bool:
    if wanted.sender and wanted.sender.lower() not in seen.ticket["sender"].lower():
        return False
    return wanted.kind is None or wanted.kind in seen.kinds()
