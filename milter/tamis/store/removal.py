"""Takes tickets out lawfully, by purge or erasure, so that their chains still verify.

Of each stays the hash, which says nothing without the salt, until all of its chain are gone. What shall only
change is taken out and added again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Executable, bindparam, delete, select, true

from tamis.store import chains, content, dialect, driver, secrets
from tamis.store.chains import End, State
from tamis.store.chunks import chunks
from tamis.store.database import Database
from tamis.store.pace import Pace, Stride
from tamis.store.schema import chain, ticket, ticket_account, ticket_gone
from tamis.store.seals import Sealer, Statement
from tamis.ticket import first_id_of

_UNLINK = delete(ticket_account).where(
    ticket_account.c.account == bindparam("about"), ticket_account.c.ticket == bindparam("id")
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A ticket that is to go, and what is to stay of it."""

    id: str
    link: bytes  # while it has this one it is as it was read
    gone: Mapping[str, object]  # a row
    accounts: frozenset[str] | None  # None where somebody has made it unreadable


def read(connection: Connection, ids: Sequence[str]) -> dict[str, Leaving]:
    """Return tickets by their IDs; as much of remove() as nobody need wait for."""
    sealer = Sealer(secrets.get(connection, secrets.SEALING))
    body, salt = (dialect.octets(connection, one) for one in (ticket.c.body, ticket.c.salt))
    columns = select(ticket.c.id, ticket.c.chain, ticket.c.number, ticket.c.link, body, salt)
    found = {}
    for some in chunks(ids):
        for row in connection.execute(columns.where(ticket.c.id.in_(some))):
            leaf = chains.leaf(row.salt, row.body)
            proof = sealer.proof(row.chain, row.number, leaf)
            gone = {"chain": row.chain, "number": row.number, "leaf": leaf, "proof": proof}
            told = content.read(row.body)
            found[row.id] = Leaving(row.id, row.link, gone, None if told is None else told.accounts)
    return found


def remove(connection: Connection, ids: Sequence[str], known: Mapping[str, Leaving] | None = None) -> int:
    """Delete tickets, in a transaction that writes; return how many there were.

    What is known of them by read() is read again where it is no longer so.
    """
    kind = connection.dialect.name
    chosen = {"ids": dialect.listed(connection, ids)}
    places = driver.run(connection, _places(kind), chosen)
    if any(is_last for _, _, is_last in places):
        _close(connection, ids)
    known = {} if known is None else known
    found = [known[name] for name, link, _ in places if name in known and known[name].link == link]
    changed = {name for name, _, _ in places} - {one.id for one in found}
    if changed:
        found += read(connection, sorted(changed)).values()
    # Two tickets in one place are not our doing; they are to go all the same.
    driver.run_many(connection, _kept(kind), [one.gone for one in found])
    driver.run(connection, _removed(kind), chosen)
    links = [{"about": about, "id": one.id} for one in found for about in one.accounts or ()]
    driver.run_many(connection, _UNLINK, links)
    untold = [one.id for one in found if one.accounts is None]
    if untold:  # reads the whole table
        connection.execute(delete(ticket_account).where(ticket_account.c.ticket.in_(untold)))
    return len(found)


@cache
def _places(kind: str) -> Executable:
    """Return where tickets are, in a transaction in which none is added after them any more."""
    statement = select(ticket.c.id, ticket.c.link, ticket.c.is_last).order_by(ticket.c.id)
    return statement.where(dialect.among(kind, ticket.c.id, "ids")).with_for_update()


@cache
def _kept(kind: str) -> Executable:
    return dialect.insert_or(kind, ticket_gone).on_conflict_do_nothing()


@cache
def _removed(kind: str) -> Executable:
    return delete(ticket).where(dialect.among(kind, ticket.c.id, "ids"))


def _close(connection: Connection, ids: Sequence[str]) -> None:
    """Seal the chains whose last ticket goes: nothing else would tell where they end."""
    sealer = Sealer(secrets.get(connection, secrets.SEALING))
    columns = (ticket.c.id, chain.c.day, ticket.c.chain, ticket.c.number, ticket.c.link)
    statement = select(*columns).join(chain, chain.c.id == ticket.c.chain)
    statement = statement.where(
        ticket.c.id.in_(ids), ticket.c.is_last == true(), chain.c.state == State.OPEN.value
    )
    statement = statement.order_by(ticket.c.id).with_for_update(of=ticket)  # none is added after it now
    for row in connection.execute(statement).all():
        chains.close(connection, sealer, End(*row))


def tidy(database: Database, pace: Pace) -> None:
    """Forget what is left of sealed chains all whose tickets are gone, where nothing is amiss.

    Raise StoreUnavailable.
    """
    with database.reading() as connection:
        dialect.snapshot(connection)
        sealer = Sealer(secrets.get(connection, secrets.SEALING))
        found = _gone(connection, sealer)
    for one in found:
        with database.writing() as connection:
            chains.mark(connection, sealer, one)
    purged = select(chain.c.id).where(chain.c.state == State.PURGED.value)
    with database.reading() as connection:
        left = select(ticket_gone.c.chain).distinct().where(ticket_gone.c.chain.in_(purged))
        numbers = connection.execute(left).scalars().all()
    stride = Stride(pace.clock)
    for number in numbers:
        while _forget(database, number, pace, stride):
            pass


def _gone(connection: Connection, sealer: Sealer) -> Sequence[Statement]:
    """Return the chains that are to be marked as purged."""
    sealed = select(chain).where(chain.c.state == State.SEALED.value).order_by(chain.c.id)
    found = [
        Statement(row.id, row.day, row.tickets, row.head, State.PURGED.value)
        for row in connection.execute(sealed).all()
    ]
    return [one for one in found if _is_gone(connection, one, sealer)]


def _is_gone(connection: Connection, one: Statement, sealer: Sealer) -> bool:
    """Tell whether all tickets of a chain are gone, and it was us who removed them."""
    first, end = first_id_of(one.day), first_id_of(one.day + 1)
    there = select(ticket.c.id).where(ticket.c.id >= first, ticket.c.id < end, ticket.c.chain == one.chain)
    if connection.execute(there.limit(1)).first():
        return False
    link, last = chains.start(one.chain, one.day), 0
    left = select(ticket_gone).where(ticket_gone.c.chain == one.chain).order_by(ticket_gone.c.number)
    for row in connection.execute(left):
        if row.number != last + 1 or row.proof != sealer.proof(one.chain, row.number, row.leaf):
            return False
        link, last = chains.link(link, row.leaf), row.number
    return (last, link) == (one.tickets, one.head)


def _forget(database: Database, number: int, pace: Pace, stride: Stride) -> bool:
    """Delete some of what is left of a chain; tell whether there was any."""
    of_chain = ticket_gone.c.chain == number
    some = select(ticket_gone.c.number).where(of_chain).order_by(ticket_gone.c.number).limit(stride.rows)
    begun = pace.clock()
    with database.reading() as connection:
        numbers = connection.execute(some).scalars().all()
    if numbers:
        with stride.step(database, len(numbers)) as connection:
            connection.execute(delete(ticket_gone).where(of_chain, ticket_gone.c.number <= numbers[-1]))
        pace.after(begun)
    return bool(numbers)
