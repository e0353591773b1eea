"""What people and programs sign in with, where it is ours to keep: never as it is, but as hashes."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, insert, select, update

from tamis.store.chunks import AT_ONCE
from tamis.store.schema import api_token, local_password, used_link, web_session

OF_ACCOUNTS = (web_session, local_password, api_token)
EXPIRING = (web_session, api_token, used_link)


def password(connection: Connection, address: str) -> str | None:
    """Return the hash of an account's password, None where it has none."""
    mine = select(local_password.c.hash).where(local_password.c.account == address)
    return connection.execute(mine).scalar_one_or_none()


def password_changed(connection: Connection, address: str) -> int | None:
    """Return when an account's password was set, in Unix ms; None where it has none."""
    mine = select(local_password.c.changed).where(local_password.c.account == address)
    return connection.execute(mine).scalar_one_or_none()


def put_password(connection: Connection, address: str, digest: str | None, *, now: int) -> None:
    """Set the hash of an account's password, or take it away."""
    mine = local_password.c.account == address
    if digest is None:
        connection.execute(delete(local_password).where(mine))
        return
    row = {"hash": digest, "changed": now}
    # The role of the web page may do no more than that.
    if connection.execute(update(local_password).where(mine).values(row)).rowcount == 0:
        connection.execute(insert(local_password), {"account": address, **row})


def use_link(connection: Connection, digest: bytes, *, expires: int) -> bool:
    """Take note that a link was used; tell whether it was not before."""
    known = select(exists().where(used_link.c.hash == digest))
    if connection.execute(known).scalar_one():
        return False
    connection.execute(insert(used_link), {"hash": digest, "expires": expires})
    return True


def exist(connection: Connection, address: str) -> bool:
    """Tell whether an account has any."""
    there = (select(exists().where(table.c.account == address)) for table in OF_ACCOUNTS)
    return any(connection.execute(one).scalar_one() for one in there)


def forget(connection: Connection, address: str) -> bool:
    """Delete all of an account, who is signed in to it among them; tell whether there was any."""
    gone = [connection.execute(delete(table).where(table.c.account == address)) for table in OF_ACCOUNTS]
    return any(one.rowcount > 0 for one in gone)


def expired(connection: Connection, *, now: int) -> dict[str, list[int]]:
    """Return when those expired that no longer count, by their tables; Unix ms."""
    found = {}
    for table in EXPIRING:
        over = select(table.c.expires).where(table.c.expires <= now)
        found[table.name] = list(connection.execute(over).scalars())
    return found


def remove_expired(connection: Connection, *, now: int) -> dict[str, list[int]]:
    """Delete some of these; return likewise what went, nothing once there are none."""
    found = {}
    for table in EXPIRING:
        first = select(table.c.hash, table.c.expires).where(table.c.expires <= now)
        rows = connection.execute(first.order_by(table.c.expires).limit(AT_ONCE)).all()
        connection.execute(delete(table).where(table.c.hash.in_([row.hash for row in rows])))
        found[table.name] = [row.expires for row in rows]
    return found
