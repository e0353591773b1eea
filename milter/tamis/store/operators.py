"""Who may see the operator's overview; passwords are kept as hashes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from tamis.store import web_sessions
from tamis.store.schema import operator


@dataclass(frozen=True, slots=True)
class Operator:
    """One of them."""

    name: str
    changed: int  # when the password was set, Unix ms


def password(connection: Connection, name: str) -> str | None:
    """Return the hash of an operator's password, None for an unknown name."""
    return connection.execute(select(operator.c.hash).where(operator.c.name == name)).scalar_one_or_none()


def put(connection: Connection, name: str, digest: str, *, now: int) -> None:
    """Add an operator, or set his password anew; who is signed in by the name is signed out."""
    remove(connection, name)
    connection.execute(insert(operator), {"name": name, "hash": digest, "changed": now})


def remove(connection: Connection, name: str) -> bool:
    """Remove an operator, and sign him out; tell whether there was one."""
    web_sessions.end_all(connection, name)
    return connection.execute(delete(operator).where(operator.c.name == name)).rowcount > 0


def find(connection: Connection) -> list[Operator]:
    """Return all, by name."""
    rows = connection.execute(select(operator.c.name, operator.c.changed).order_by(operator.c.name))
    return [Operator(row.name, row.changed) for row in rows]
