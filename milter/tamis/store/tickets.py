"""Tickets: kept as their JSON objects, found by account, message-ID and time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Executable, Select, UnaryExpression, asc, desc, select, union_all

from tamis.store import chains, dialect, driver, pseudonyms
from tamis.store.chains import Leaf
from tamis.store.schema import ticket, ticket_account
from tamis.ticket import Ticket, day_of, first_id
from tamis.values import dataclass

PAGE = 500  # rows of one query, so that no long one keeps the write-ahead log from being emptied

NAMED = 10  # tickets that an error names
One = TypeVar("One")

# ASCII only, so that no line separator of Unicode parts a line, and octets that are no UTF-8 can be written.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Query:
    """Which tickets are asked for; None for any."""

    account: str | None = None  # lower case
    message_id: str | None = None  # with or without angle brackets
    since: int | None = None  # inclusive, Unix time in milliseconds
    until: int | None = None  # exclusive, Unix time in milliseconds


Order: TypeAlias = Callable[[Any], UnaryExpression[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a query: some beside an ID, in an order of the IDs."""

    after: str = ""  # exclusive
    before: str = ""  # exclusive, "" for no bound
    order: Order = asc
    most: int = PAGE


@dataclass(frozen=True, slots=True)
class Stored:
    """A ticket as it stands in the store."""

    id: str
    body: bytes  # its JSON object, unless somebody else has changed it


class Unreadable(Exception):
    """Tickets are not as Tamis has written them, and cannot be shown."""

    def __init__(self, ids: Sequence[str]) -> None:
        named = ", ".join(ids[:NAMED]) + ", ..." * (len(ids) > NAMED)
        super().__init__(f"{len(ids)} tickets cannot be read, see `tamis tickets verify`: {named}")


@dataclass(frozen=True, slots=True)
class Rows:
    """Tickets, ready to be written, so that the lock is held no longer than that takes."""

    tickets: Sequence[dict[str, object]]
    leaves: Sequence[Leaf]  # of each ticket
    accounts: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is written of a ticket, but for what ties it to others."""

    id: str
    message_id: str | None
    body: str  # JSON
    accounts: Sequence[str]


def draft(ticket: Ticket) -> Draft:
    """Return what is written of a ticket."""
    return Draft(ticket.id, ticket.message_id, _encode(ticket.as_json()), tuple(ticket.accounts()))


def rows(given: Sequence[Ticket]) -> Rows:
    """Return the rows of tickets."""
    return rows_of(draft(one) for one in given)


def rewritten(given: Sequence[dict[str, Any]]) -> Rows:
    """Return the rows of tickets that were taken out to be changed, as JSON objects."""
    return rows_of(Draft(one["id"], one["message_id"], _encode(one), tuple(_accounts(one))) for one in given)


def _accounts(one: Mapping[str, Any]) -> frozenset[str]:
    found = {one["sender_account"], *(outcome["account"] for outcome in one["recipients"])}
    return frozenset(found - {None})


def rows_of(drafts: Iterable[Draft]) -> Rows:
    """Return the rows of tickets."""
    tickets: list[dict[str, object]] = []
    leaves: list[Leaf] = []
    accounts: list[Mapping[str, object]] = []
    for one in drafts:
        salt = os.urandom(chains.SALT)
        tickets.append({"id": one.id, "message_id": one.message_id, "body": one.body, "salt": salt})
        leaves.append(Leaf(one.id, day_of(one.id), chains.leaf(salt, one.body.encode())))
        accounts += ({"account": account, "ticket": one.id} for account in one.accounts)
    return Rows(tickets, leaves, accounts)


def add(connection: Connection, given: Rows) -> None:
    """Write tickets, each into the chain of its day."""
    for day in sorted({one.day for one in given.leaves}):  # the next one seals it, with all of its tickets
        mine = [pair for pair in zip(given.leaves, given.tickets, strict=True) if pair[0].day == day]
        places = chains.extend(connection, [leaf for leaf, _ in mine])
        driver.insert(connection, ticket, [row | place for (_, row), place in zip(mine, places, strict=True)])
    driver.insert(connection, ticket_account, given.accounts)


def find(connection: Connection, query: Query) -> Iterator[Stored]:
    """Return tickets, oldest first, a page at a time; also those with pseudonyms."""
    part = Part()
    while page := connection.execute(_page(connection, query, part)).all():
        for row in page:
            yield Stored(row.id, row.body)
        part = Part(page[-1].id)


def read(found: Iterable[Stored], show: Callable[[dict[str, Any]], One]) -> Iterator[One]:
    """Return what is shown of tickets; raise Unreadable at the end for those of which nothing can be."""
    unreadable = []
    for one in found:
        try:
            shown = show(json.loads(one.body))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            unreadable.append(one.id)
        else:
            yield shown
    if unreadable:
        raise Unreadable(unreadable)


def newest(connection: Connection, query: Query, *, before: str, most: int) -> Sequence[Stored]:
    """Return the newest tickets before an ID ("": of all), newest first."""
    return _stored(connection, _page(connection, query, Part(before=before, order=desc, most=most)))


def next_ones(connection: Connection, query: Query, *, after: str, most: int) -> Sequence[Stored]:
    """Return the tickets that follow an ID likewise, oldest first."""
    return _stored(connection, _page(connection, query, Part(after, most=most)))


def _stored(connection: Connection, page: Executable) -> Sequence[Stored]:
    return [Stored(row.id, row.body) for row in connection.execute(page)]


def one(connection: Connection, account: str, ticket_id: str) -> Stored | None:
    """Return a ticket, None where there is none of this ID that is about an account (lower case)."""
    statement = select(ticket.c.id, dialect.octets(connection, ticket.c.body))
    statement = statement.join(ticket_account, ticket_account.c.ticket == ticket.c.id)
    mine = ticket_account.c.account.in_(pseudonyms.names(connection, account))
    return next(iter(_stored(connection, statement.where(mine, ticket_account.c.ticket == ticket_id))), None)


def about(
    statement: Select[*tuple[Any, ...]], names: Sequence[str], *, order: Order = asc, most: int = PAGE
) -> Executable:
    """Return a statement's first rows of tickets about an account by one of its names, by ID.

    Each name is looked up for itself, as an index gives only one name's tickets in their order.
    """
    joined = statement.join(ticket_account, ticket_account.c.ticket == ticket.c.id)
    joined = joined.order_by(order(ticket_account.c.ticket)).limit(most)
    pages = (joined.where(ticket_account.c.account == name).subquery() for name in names)
    return union_all(*map(select, pages)).order_by(order("id")).limit(most)


def _page(connection: Connection, query: Query, part: Part) -> Executable:
    name = ticket.c.id if query.account is None else ticket_account.c.ticket  # whose index answers the query
    # One bound on each side: of two SQLite may take the wider, and go through all between them.
    since = first_id(query.since) if query.since is not None else ""
    statement = select(ticket.c.id, dialect.octets(connection, ticket.c.body)).where(
        name > part.after if part.after >= since else name >= since
    )
    until = first_id(query.until) if query.until is not None else part.before
    if until:
        statement = statement.where(name < min(until, part.before or until))
    if query.message_id is not None:
        bare = pseudonyms.bare(query.message_id)
        hidden = pseudonyms.get(connection).of_message(bare)
        statement = statement.where(ticket.c.message_id.in_([bare, f"<{bare}>", hidden]))
    if query.account is not None:
        names = pseudonyms.names(connection, query.account)
        return about(statement, names, order=part.order, most=part.most)
    return statement.order_by(part.order(name)).limit(part.most)
