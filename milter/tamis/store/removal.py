"""Takes tickets out lawfully, by purge or erasure, so that their chains still verify.

Of each stays the hash, which says nothing without the salt, until all of its chain are gone. What shall only
change is taken out and added again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, select, true

from tamis.store import chains, content, dialect, secrets
from tamis.store.chains import End, State
from tamis.store.chunks import chunks
from tamis.store.database import Database
from tamis.store.schema import chain, ticket, ticket_account, ticket_gone
from tamis.store.seals import Sealer, Statement
from tamis.ticket import first_id_of

AT_ONCE = 1000  # rows that are deleted in one transaction: milliseconds in which no ticket can be written

_UNLINK = delete(ticket_account).where(
    ticket_account.c.account == bindparam("about"), ticket_account.c.ticket == bindparam("id")
)


def remove(connection: Connection, ids: Sequence[str]) -> int:
    """Delete tickets, in a transaction that writes; return how many there were."""
    sealer = Sealer(secrets.get(connection, secrets.SEALING))
    return sum(_remove(connection, some, sealer) for some in chunks(ids))


def _remove(connection: Connection, ids: Sequence[str], sealer: Sealer) -> int:
    body, salt = (dialect.octets(connection, one) for one in (ticket.c.body, ticket.c.salt))
    columns = select(ticket.c.id, ticket.c.chain, ticket.c.number, body, salt)
    _close(connection, ids, sealer)
    mine = columns.where(ticket.c.id.in_(ids)).order_by(ticket.c.id).with_for_update()
    found = connection.execute(mine).all()
    if not found:
        return 0
    gone = []
    links = []
    untold = []  # tickets that somebody has made unreadable
    for row in found:
        leaf = chains.leaf(row.salt, row.body)
        proof = sealer.proof(row.chain, row.number, leaf)
        gone.append({"chain": row.chain, "number": row.number, "leaf": leaf, "proof": proof})
        told = content.read(row.body)
        if told is None:
            untold.append(row.id)
        else:
            links += [{"about": account, "id": row.id} for account in told.accounts]
    # Two tickets in one place are not our doing; they are to go all the same.
    connection.execute(dialect.insert_or(connection.dialect.name, ticket_gone).on_conflict_do_nothing(), gone)
    connection.execute(delete(ticket).where(ticket.c.id.in_([row.id for row in found])))
    if links:
        connection.execute(_UNLINK, links)
    if untold:  # reads the whole table
        connection.execute(delete(ticket_account).where(ticket_account.c.ticket.in_(untold)))
    return len(found)


def _close(connection: Connection, ids: Sequence[str], sealer: Sealer) -> None:
    """Seal the chains whose last ticket goes: nothing else would tell where they end."""
    columns = (ticket.c.id, chain.c.day, ticket.c.chain, ticket.c.number, ticket.c.link)
    statement = select(*columns).join(chain, chain.c.id == ticket.c.chain)
    statement = statement.where(
        ticket.c.id.in_(ids), ticket.c.is_last == true(), chain.c.state == State.OPEN.value
    )
    statement = statement.order_by(ticket.c.id).with_for_update(of=ticket)  # none is added after it now
    for row in connection.execute(statement).all():
        chains.close(connection, sealer, End(*row))


def tidy(database: Database) -> None:
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
    for number in numbers:
        while _forget(database, number):
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


def _forget(database: Database, number: int) -> bool:
    """Delete some of what is left of a chain; tell whether there was any."""
    of_chain = ticket_gone.c.chain == number
    some = select(ticket_gone.c.number).where(of_chain).order_by(ticket_gone.c.number).limit(AT_ONCE)
    with database.writing() as connection:
        numbers = connection.execute(some).scalars().all()
        if numbers:
            connection.execute(delete(ticket_gone).where(of_chain, ticket_gone.c.number <= numbers[-1]))
    return bool(numbers)
