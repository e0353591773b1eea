"""Takes an account away: passwords, settings, aliases that lead to it, and its row once nothing names it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, or_, select, update

from tamis.store import aliases, credentials, records, settings
from tamis.store.aliases import Alias
from tamis.store.schema import account, alias, notice, setting


def erase(connection: Connection, address: str, *, now: int) -> None:
    """Set that an account is to be erased, and sign all out; make its row where only records name it."""
    created = connection.execute(select(account.c.created).where(account.c.address == address)).scalar()
    if created is None:
        connection.execute(insert(account), {"address": address, "created": now, "erasure": now})
    else:
        mine = update(account).where(account.c.address == address)
        connection.execute(mine.values(erasure=max(now, created)))  # a clock may have been set back
    credentials.forget(connection, address)
    settings.count_change(connection)


def forget(connection: Connection, address: str) -> bool:
    """Delete settings, aliases and passwords of an account, and its row if no record names it.

    Tell whether there was any.
    """
    gone = connection.execute(delete(setting).where(setting.c.account == address)).rowcount > 0
    gone = _unalias(connection, address) or gone
    gone = credentials.forget(connection, address) or gone
    if not records.about(connection, address):
        gone = connection.execute(delete(account).where(account.c.address == address)).rowcount > 0 or gone
    if gone:
        settings.count_change(connection)
    return gone


def untell(connection: Connection, address: str) -> None:
    """Delete what was still to be told to an account's user."""
    connection.execute(delete(notice).where(notice.c.account == address))


def is_due(connection: Connection, address: str) -> bool:
    """Tell whether forget() would delete anything."""
    own = select(setting.c.account).where(setting.c.account == address).limit(1)
    return (
        connection.execute(own).first() is not None
        or bool(_leading(connection, address))
        or credentials.exist(connection, address)
        or not records.about(connection, address)
    )


def _unalias(connection: Connection, address: str) -> bool:
    """Take an address out of all aliases; one that stands for nobody else goes."""
    names = _leading(connection, address)
    for name, targets in aliases.targets(connection, names).items():
        left = () if name == address else tuple(one for one in targets if one != address)
        aliases.put(connection, Alias(name, left))
    return bool(names)


def _leading(connection: Connection, address: str) -> list[str]:
    names = select(alias.c.name).distinct().where(or_(alias.c.target == address, alias.c.name == address))
    return list(connection.execute(names).scalars())
