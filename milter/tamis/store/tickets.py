"""Tickets: kept as their JSON objects, found by account, message-ID and time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Select, select

from tamis.store import chains, dialect
from tamis.store.chains import Leaf
from tamis.store.schema import ticket, ticket_account
from tamis.ticket import Ticket, day_of, first_id

PAGE = 500  # rows of one query, so that no long one keeps the write-ahead log from being emptied

# ASCII only, so that no line separator of Unicode parts a line, and octets that are no UTF-8 can be written.
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Query:
    """Which tickets are asked for; None for any."""

    account: str | None = None  # lower case
    message_id: str | None = None  # with or without angle brackets
    since: int | None = None  # inclusive, Unix time in milliseconds
    until: int | None = None  # exclusive, Unix time in milliseconds


@dataclass(frozen=True, slots=True)
class Rows:
    """Tickets, ready to be written, so that the lock is held no longer than that takes."""

    tickets: Sequence[dict[str, object]]
    leaves: Sequence[Leaf]  # of each ticket
    accounts: Sequence[Mapping[str, object]]


def rows(given: Sequence[Ticket]) -> Rows:
    """Return the rows of tickets."""
    tickets: list[dict[str, object]] = []
    leaves: list[Leaf] = []
    accounts: list[Mapping[str, object]] = []
    for one in given:
        body = _encode(one.as_json())
        salt = os.urandom(chains.SALT)
        tickets.append({"id": one.id, "message_id": one.message_id, "body": body, "salt": salt})
        leaves.append(Leaf(one.id, day_of(one.id), chains.leaf(salt, body.encode())))
        accounts += ({"account": account, "ticket": one.id} for account in one.accounts())
    return Rows(tickets, leaves, accounts)


def add(connection: Connection, given: Rows) -> None:
    """Write tickets, each into the chain of its day."""
    for day in sorted({one.day for one in given.leaves}):  # the next one seals it, with all of its tickets
        mine = [pair for pair in zip(given.leaves, given.tickets, strict=True) if pair[0].day == day]
        places = chains.extend(connection, [leaf for leaf, _ in mine])
        dialect.insert(
            connection, ticket, [row | place for (_, row), place in zip(mine, places, strict=True)]
        )
    dialect.insert(connection, ticket_account, given.accounts)


def find(connection: Connection, query: Query) -> Iterator[str]:
    """Return the JSON objects of tickets, oldest first, a page at a time."""
    name = ticket.c.id if query.account is None else ticket_account.c.ticket  # whose index answers the query
    statement = _statement(query, name).order_by(name).limit(PAGE)
    page = connection.execute(statement).all()
    while page:
        for row in page:
            yield row.body
        page = connection.execute(statement.where(name > page[-1].id)).all()


def _statement(query: Query, name: Column[str]) -> Select[tuple[str, str]]:
    statement = select(ticket.c.id, ticket.c.body)
    if query.account is not None:
        statement = statement.join(ticket_account, ticket_account.c.ticket == ticket.c.id)
        statement = statement.where(ticket_account.c.account == query.account)
    if query.message_id is not None:
        bare = query.message_id.strip().removeprefix("<").removesuffix(">")
        statement = statement.where(ticket.c.message_id.in_([bare, f"<{bare}>"]))
    if query.since is not None:
        statement = statement.where(name >= first_id(query.since))
    if query.until is not None:
        statement = statement.where(name < first_id(query.until))
    return statement
