"""The chains that tickets are hashed into, so that none can be changed, added or removed unseen.

A leaf is the SHA-256 of a ticket's salt and body, a link that of the link before and of the leaf. Each day
(by the tickets' IDs) has a chain, and a further one where that is sealed, or in another writer's hands.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, bindparam, false, func, literal_column, select, true, update

from tamis.store import dialect, driver, secrets
from tamis.store.schema import chain, ticket
from tamis.store.seals import Sealer, Statement, name_of
from tamis.ticket import first_id_of
from tamis.values import dataclass

log = logging.getLogger(__name__)

SALT = 16  # octets; without them who guesses an erased ticket could tell by its hash that he is right


class State(StrEnum):
    """How far a chain has come."""

    OPEN = "open"  # tickets are added
    SEALED = "sealed"  # signed; none is added any more
    PURGED = "purged"  # signed; all its tickets have lawfully gone, and what was left of them


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a chain takes of a ticket."""

    ticket: str
    day: int  # since 1970-01-01
    hash: bytes


@dataclass(slots=True)
class End:
    """Where an open chain ends."""

    ticket: str  # "" before the first one
    day: int
    chain: int
    number: int
    link: bytes


_KEPT = "end of a chain"  # in Connection.info, as the next
_LEFT = "day before which chains are open that were in another writer's hands"
_OPEN = select(chain.c.id).where(
    chain.c.day == bindparam("of"), chain.c.state == literal_column(f"'{State.OPEN}'")
)
# Who waited for a ticket while he has another could wait for ever. A further node, which cannot have the
# last one at once, makes a chain of its own.
_FREE = (
    select(ticket.c.id)
    .where(ticket.c.id == bindparam("ticket"), ticket.c.chain == bindparam("of"), ticket.c.is_last == true())
    .with_for_update(skip_locked=True)
)
_FOLLOWED = update(ticket).where(ticket.c.id == _FREE.scalar_subquery()).values(is_last=false())
_MARKED = (
    select(ticket.c.id, ticket.c.chain, ticket.c.number, ticket.c.link)
    .where(ticket.c.id >= bindparam("first"), ticket.c.id < bindparam("end"), ticket.c.is_last == true())
    .order_by(ticket.c.id.desc())
    .limit(1)
)
_LAST = _MARKED.where(ticket.c.chain.in_(_OPEN)).with_for_update(skip_locked=True)
# Of open chains, in one statement, as between two another could begin one.
_LASTS = _OPEN.add_columns(
    _MARKED.with_only_columns(ticket.c.id).where(ticket.c.chain == chain.c.id).scalar_subquery()
)


def leaf(salt: bytes, body: bytes) -> bytes:
    """Return the hash of a ticket."""
    return hashlib.sha256(salt + body).digest()


def link(before: bytes, hashed: bytes) -> bytes:
    """Return the link of a leaf."""
    return hashlib.sha256(before + hashed).digest()


def start(number: int, day: int) -> bytes:
    """Return what stands before a chain's first link."""
    return hashlib.sha256(f"tamis chain {number} day {day}".encode()).digest()


def extend(connection: Connection, leaves: Sequence[Leaf]) -> Sequence[dict[str, object]]:
    """Add leaves to their days' chains, in a transaction that writes; return each one's place and link."""
    ends: dict[int, End] = {}
    places: list[dict[str, object]] = []
    last: dict[int, dict[str, object]] = {}
    for one in leaves:
        end = ends.get(one.day)
        if end is None:
            end = ends[one.day] = _take_end(connection, one.day)
        end.ticket = one.ticket
        end.number += 1
        end.link = link(end.link, one.hash)
        place = {"chain": end.chain, "number": end.number, "is_last": False, "link": end.link}
        last[one.day] = place
        places.append(place)
    for place in last.values():
        place["is_last"] = True
    if ends:
        connection.info[_KEPT] = end
    return places


def _take_end(connection: Connection, day: int) -> End:
    """Return the end of a chain that is open, and no longer its end in the database."""
    left: int | None = connection.info.pop(_LEFT, None)
    if left is not None:
        seal(connection, before=left)
    # What is kept may be long past: another has written, or our last transaction was undone.
    kept: End | None = connection.info.pop(_KEPT, None)
    if kept is not None and kept.day == day and _follow(connection, kept):
        return kept
    found = _end(connection, day) if _is_open(connection, day) else None
    if found is not None and _follow(connection, found):
        return found
    return _begin(connection, day)


def _follow(connection: Connection, end: End) -> bool:
    """Take the mark off a last ticket; tell whether it had it."""
    return driver.run_many(connection, _FOLLOWED, [{"ticket": end.ticket, "of": end.chain}]) == 1


def _is_open(connection: Connection, day: int) -> bool:
    """Tell whether a day has an open chain, as it takes long to find none by the day's tickets."""
    return bool(driver.run(connection, _OPEN, {"of": day}))


def _end(connection: Connection, day: int) -> End | None:
    found = driver.run(connection, _LAST, _values(day))
    return End(found[0][0], day, *found[0][1:]) if found else None


def _values(day: int) -> dict[str, object]:
    return {"of": day, "first": first_id_of(day), "end": first_id_of(day + 1)}


def _begin(connection: Connection, day: int) -> End:
    """Begin a chain, and seal those of the days before it."""
    dialect.lock(connection, dialect.CHAIN_LOCK)
    seal(connection, before=day)
    number = (connection.execute(select(func.max(chain.c.id))).scalar_one() or 0) + 1
    row = {"day": day, "id": number, "state": State.OPEN.value, "tickets": None, "head": None, "seal": None}
    driver.insert(connection, chain, [row])
    return End("", day, number, 0, start(number, day))


def seal(connection: Connection, *, before: int) -> None:
    """Seal the open chains of the days before a day, in a transaction that writes."""
    statement = select(chain.c.day).distinct().where(chain.c.day < before, chain.c.state == State.OPEN.value)
    days = connection.execute(statement.order_by(chain.c.day)).scalars().all()
    if not days:
        return
    key = secrets.find(connection, secrets.SEALING)
    if key is None:  # no reason to lose mail; `tamis tickets verify` tells it, too
        log.error("days cannot be sealed: the sealing key is missing: restart")
        return
    sealer = Sealer(key)
    for day in days:
        while (end := _end(connection, day)) is not None:
            close(connection, sealer, end)
        lasts = [last for _, last in driver.run(connection, _LASTS, _values(day))]
        if any(lasts):  # its writer has it at the moment
            connection.info[_LEFT] = before
        elif lasts:
            log.error("day cannot be sealed, its last ticket is missing day=%s", name_of(day))


def seal_past(connection: Connection) -> None:
    """Seal all open chains but those of the last day, in a transaction that writes."""
    seal(connection, before=connection.execute(select(func.max(chain.c.day))).scalar_one() or 0)


def close(connection: Connection, sealer: Sealer, end: End) -> None:
    """Seal an open chain."""
    _follow(connection, end)
    mark(connection, sealer, Statement(end.chain, end.day, end.number, end.link, State.SEALED.value))


def mark(connection: Connection, sealer: Sealer, statement: Statement) -> None:
    """Write a chain's new state with its signature."""
    changed = update(chain).where(chain.c.day == statement.day, chain.c.id == statement.chain)
    signature = sealer.sign(statement)
    connection.execute(
        changed.values(state=statement.state, tickets=statement.tickets, head=statement.head, seal=signature)
    )
    # Kept elsewhere, this line binds us: who has the key, too, cannot take it back.
    log.info("%s seal=%s key=%s", statement, signature.hex(), sealer.public)
