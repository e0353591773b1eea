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
    has_password: bool
    changed: int  # when he was added, or his password was set; Unix ms


def password(connection: Connection, name: str) -> str | None:
    """Return the hash of an operator's password, None for an unknown name, and for one without."""
    return _hash(connection, name) or None


def exists(connection: Connection, name: str) -> bool:
    """Tell whether there is an operator of a name."""
    return _hash(connection, name) is not None


def put(connection: Connection, name: str, digest: str | None, *, now: int) -> None:
    """Add an operator, or set his password anew, None for none; who is signed in by the name is signed out.

    Without one he signs in by a reverse proxy.
    """
    remove(connection, name)
    connection.execute(insert(operator), {"name": name, "hash": digest or "", "changed": now})


def remove(connection: Connection, name: str) -> bool:
    """Remove an operator, and sign him out; tell whether there was one."""
    web_sessions.end_all(connection, name)
    return connection.execute(delete(operator).where(operator.c.name == name)).rowcount > 0


def find(connection: Connection) -> list[Operator]:
    """Return all, by name."""
    rows = connection.execute(select(operator).order_by(operator.c.name))
    return [Operator(row.name, row.hash != "", row.changed) for row in rows]


def _hash(connection: Connection, name: str) -> str | None:
    return connection.execute(select(operator.c.hash).where(operator.c.name == name)).scalar_one_or_none()
