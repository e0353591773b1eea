"""Finds tickets that anything but Tamis has changed, added or removed.

Each day is seen as it was at one moment, so that tickets may come, and go lawfully, meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, false, func, select, true, tuple_

from tamis.store import chains, content, dialect, secrets
from tamis.store.chains import State
from tamis.store.chunks import chunks
from tamis.store.content import Content
from tamis.store.database import Database
from tamis.store.schema import chain, ticket, ticket_account, ticket_gone
from tamis.store.seals import Sealer, Statement
from tamis.ticket import first_id_of

PAGE = 500  # rows
NAMED = 100  # faults that are told one by one


class Kind(StrEnum):
    """What was done to a ticket, or to a chain."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    UNSEALED = "not sealed"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as Tamis left it; without ticket and number it is a chain."""

    fault: Kind
    day: int | None = None  # since 1970-01-01
    chain: int | None = None
    number: int | None = None  # of the ticket in the chain
    last: int | None = None  # of those in a row that are removed; None for tickets: nobody knows how many
    ticket: str | None = None
    after: str | None = None  # the ticket before a removed one, whose own ID nobody knows


@dataclass(slots=True)
class Report:
    """What was found."""

    key: str  # the public one, in hexadecimal digits
    tickets: int = 0
    gone: int = 0  # lawfully, with others of their chain still there
    chains: int = 0
    sealed: int = 0  # chains; purged ones, too
    faults: int = 0
    first: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Count a fault."""
        self.faults += 1
        if len(self.first) < NAMED:
            self.first.append(fault)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A stored ticket."""

    id: str
    leaf: bytes
    link: bytes
    is_sound: bool  # it is found by what it tells: ID, message-ID, accounts
    is_last: bool  # by its mark

    def follows(self, before: bytes | None) -> bool:
        """Tell whether it may stand after a link; None is one that is not known."""
        return before is None or self.link == chains.link(before, self.leaf)


def verify(database: Database) -> Report:
    """Look at all tickets; raise StoreUnavailable."""
    with database.reading() as connection:
        dialect.snapshot(connection)
        sealer = Sealer(secrets.get(connection, secrets.SEALING))
        report = Report(sealer.public)
        _look_at_order(connection, report)
    day: int | None = -1
    while day is not None:
        with database.reading() as connection:
            dialect.snapshot(connection)
            day = _look_at_next(connection, day, report, sealer)
    with database.reading() as connection:
        dialect.snapshot(connection)
        _look_at_accounts(connection, report)
    return report


def _look_at_order(connection: Connection, report: Report) -> None:
    """Find chains that are gone, and those that were to be sealed when a later day began."""
    rows = connection.execute(select(chain.c.id, chain.c.day, chain.c.state).order_by(chain.c.id)).all()
    expected = 1
    for row in rows:
        if row.id != expected:
            report.add(Fault(Kind.REMOVED, chain=expected, last=row.id - 1))
        expected = row.id + 1
    latest = -1  # day of those that began later
    for row in reversed(rows):
        if row.state == State.OPEN.value and row.day < latest:
            report.add(Fault(Kind.UNSEALED, row.day, row.id))
        latest = max(latest, row.day)


def _look_at_next(connection: Connection, day: int, report: Report, sealer: Sealer) -> int | None:
    """Look at the next day that has chains, and for tickets that have none before it; return it."""
    following: int | None = connection.execute(
        select(func.min(chain.c.day)).where(chain.c.day > day)
    ).scalar_one()
    strays = select(dialect.octets(connection, ticket.c.id))
    if day >= 0:
        strays = strays.where(ticket.c.id >= first_id_of(day + 1))
    if following is not None:
        strays = strays.where(ticket.c.id < first_id_of(following))
    for row in _rows(connection, strays):
        report.tickets += 1
        report.add(Fault(Kind.ADDED, ticket=_shown(row.id)))
    if following is not None:
        rows = connection.execute(select(chain).where(chain.c.day == following).order_by(chain.c.id)).all()
        kept = _tickets(connection, following, [row.id for row in rows], report)
        for row in rows:
            statement = Statement(row.id, row.day, row.tickets, row.head, row.state)
            _look_at_seal(statement, row.seal, report, sealer)
            _look_at_chain(connection, statement, kept[row.id], report, sealer)
    return following


def _tickets(
    connection: Connection, day: int, names: Sequence[int], report: Report
) -> Mapping[int, Mapping[int, Sequence[_Kept]]]:
    """Return the tickets of a day, by chain and number."""
    kept: dict[int, dict[int, Sequence[_Kept]]] = {name: {} for name in names}
    text = (ticket.c.id, ticket.c.message_id, ticket.c.body, ticket.c.salt, ticket.c.link)
    columns = [dialect.octets(connection, one) for one in text]
    marks = ((ticket.c.is_last == true()).label("is_last"), (ticket.c.is_last == false()).label("is_not"))
    statement = select(*columns, ticket.c.chain, ticket.c.number, *marks)
    statement = statement.where(ticket.c.id >= first_id_of(day), ticket.c.id < first_id_of(day + 1))
    for page in _pages(connection, statement):
        told = [content.read(row.body) for row in page]
        listed = _accounts(connection, [one for one in told if one is not None])
        for row, one in zip(page, told, strict=True):
            report.tickets += 1
            if row.chain not in kept or not isinstance(row.number, int):
                report.add(Fault(Kind.ADDED, day, ticket=_shown(row.id)))
                continue
            is_sound = one is not None and _is_found(row, one, listed) and (row.is_last or row.is_not)
            leaf = chains.leaf(row.salt, row.body)
            new = _Kept(_shown(row.id), leaf, row.link, is_sound=is_sound, is_last=row.is_last)
            kept[row.chain][row.number] = (*kept[row.chain].get(row.number, ()), new)
    return kept


def _is_found(row: Row[Any], told: Content, listed: frozenset[tuple[str, str]]) -> bool:
    message_id = None if told.message_id is None else told.message_id.encode()
    named = all((account, told.id) in listed for account in told.accounts)
    return named and row.id == told.id.encode() and row.message_id == message_id


def _accounts(connection: Connection, told: Sequence[Content]) -> frozenset[tuple[str, str]]:
    """Return which accounts of tickets these can be found by, each with the ticket's ID."""
    name = tuple_(ticket_account.c.account, ticket_account.c.ticket)
    wanted = [(account, one.id) for one in told for account in one.accounts]
    found: set[tuple[str, str]] = set()
    for some in chunks(wanted):
        statement = select(ticket_account.c.account, ticket_account.c.ticket).where(name.in_(some))
        found.update((row.account, row.ticket) for row in connection.execute(statement))
    return frozenset(found)


def _look_at_seal(statement: Statement, seal: bytes | None, report: Report, sealer: Sealer) -> None:
    report.chains += 1
    if statement.state == State.OPEN.value:
        return
    if statement.state in set(State) and sealer.has_signed(statement, seal):
        report.sealed += 1
    else:
        report.add(Fault(Kind.CHANGED, statement.day, statement.chain))


def _look_at_chain(
    connection: Connection, of: Statement, kept: Mapping[int, Sequence[_Kept]], report: Report, sealer: Sealer
) -> None:
    """Follow a chain from its start to its head."""
    if of.state == State.PURGED.value:
        for one in itertools.chain.from_iterable(kept.values()):
            report.add(Fault(Kind.ADDED, of.day, of.chain, ticket=one.id))
        return
    gone = _gone(connection, of.chain, sealer)
    is_open = of.state == State.OPEN.value
    end = _marked(kept, gone) if is_open else of.tickets
    link: bytes | None = chains.start(of.chain, of.day)  # None: it is not known
    last, before = 0, None
    for number in sorted(kept.keys() | gone.keys()):
        was_moved = number > last + 1  # by a change of its number
        if was_moved and (link is None or not any(one.follows(link) for one in kept.get(number, ()))):
            report.add(Fault(Kind.REMOVED, of.day, of.chain, last + 1, number - 1, after=before))
            link, was_moved = None, False
        last = number
        if number not in kept:
            if (leaf := gone[number]) is None:
                report.add(Fault(Kind.REMOVED, of.day, of.chain, number, number, after=before))
            else:
                report.gone += 1
            link = None if link is None or leaf is None else chains.link(link, leaf)
            continue
        one, *others = sorted(kept[number], key=lambda one: not one.follows(link))
        for other in others:
            report.add(Fault(Kind.ADDED, of.day, of.chain, number, ticket=other.id))
        if number < 1 or number in gone or (end is not None and number > end):
            report.add(Fault(Kind.ADDED, of.day, of.chain, number, ticket=one.id))
        elif (
            was_moved
            or not one.is_sound
            or not one.follows(link)
            or one.is_last != (is_open and number == end)
        ):
            report.add(Fault(Kind.CHANGED, of.day, of.chain, number, ticket=one.id))
        link, before = one.link, one.id
    if end is None or last < end:
        report.add(Fault(Kind.REMOVED, of.day, of.chain, last + 1, end, after=before))
    elif of.head is not None and last == end and link is not None and link != of.head:
        report.add(Fault(Kind.CHANGED, of.day, of.chain))


def _marked(kept: Mapping[int, Sequence[_Kept]], gone: Mapping[int, bytes | None]) -> int | None:
    """Return where an open chain ends by its mark; of several, the last before which none is missing."""
    marked = [number for number, some in kept.items() if any(one.is_last for one in some)]
    whole = next(number for number in itertools.count(1) if number not in kept and number not in gone)
    return max((number for number in marked if number < whole), default=max(marked, default=None))


def _gone(connection: Connection, number: int, sealer: Sealer) -> Mapping[int, bytes | None]:
    """Return the leaves of tickets that are gone, by number; None where it was not us who removed one."""
    rows = connection.execute(select(ticket_gone).where(ticket_gone.c.chain == number))
    return {
        row.number: row.leaf if row.proof == sealer.proof(number, row.number, row.leaf) else None
        for row in rows
    }


def _look_at_accounts(connection: Connection, report: Report) -> None:
    """Find accounts that tickets are not about."""
    text = (ticket_account.c.account, ticket_account.c.ticket, ticket.c.body)
    statement = select(*(dialect.octets(connection, one) for one in text))
    statement = statement.outerjoin_from(ticket_account, ticket, ticket_account.c.ticket == ticket.c.id)
    for row in _rows(connection, statement):
        if row.body is None:
            report.add(Fault(Kind.REMOVED, ticket=_shown(row.ticket)))
            continue
        told = content.read(row.body)
        accounts = () if told is None else [one.encode() for one in told.accounts]
        if row.account not in accounts:
            report.add(Fault(Kind.CHANGED, ticket=_shown(row.ticket)))


def _pages(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Row[Any]]]:
    """Yield rows, some at a time."""
    yield from connection.execute(statement, execution_options={"yield_per": PAGE}).partitions()


def _rows(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Iterator[Row[Any]]:
    for page in _pages(connection, statement):
        yield from page


def _shown(octets: bytes) -> str:
    """Return an ID; what is none of ours may hold anything, and must not command the terminal."""
    text = octets.decode("ascii", "backslashreplace")
    return text if text.isalnum() else text.encode("unicode_escape").decode("ascii")
