"""Who is signed in to the web page, by the keyed hash of what the browser holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from tamis.store.chunks import chunks
from tamis.store.schema import web_session


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser; times are Unix ms."""

    hash: bytes
    account: str
    sign_in: str  # the ID of its record
    made: int
    used: int
    expires: int
    language: str | None = None  # where its user has chosen one


def add(connection: Connection, one: WebSession) -> None:
    """Let somebody be signed in."""
    connection.execute(insert(web_session), asdict(one))


def find(connection: Connection, digest: bytes, *, now: int) -> WebSession | None:
    """Return a session that has not expired."""
    mine = select(web_session).where(web_session.c.hash == digest, web_session.c.expires > now)
    row = connection.execute(mine).one_or_none()
    return None if row is None else WebSession(**row._mapping)


def use(connection: Connection, digest: bytes, *, now: int, expires: int, language: str | None) -> None:
    """Let a session last until a time, and set its language."""
    mine = update(web_session).where(web_session.c.hash == digest)
    connection.execute(mine.values(used=now, expires=expires, language=language))


def end(connection: Connection, digest: bytes) -> None:
    """Sign somebody out."""
    connection.execute(delete(web_session).where(web_session.c.hash == digest))


def count_others(connection: Connection, address: str, digest: bytes, *, now: int) -> int:
    """Return how many more are signed in to an account than the one of a hash."""
    others = select(func.count()).where(
        web_session.c.account == address, web_session.c.hash != digest, web_session.c.expires > now
    )
    return int(connection.execute(others).scalar_one())


def end_others(connection: Connection, address: str, digest: bytes) -> None:
    """Sign all out who are signed in to an account, but for the one of a hash."""
    mine = delete(web_session).where(web_session.c.account == address)
    connection.execute(mine.where(web_session.c.hash != digest))


def living(connection: Connection, address: str, sign_ins: Sequence[str], *, now: int) -> frozenset[str]:
    """Return those sign-ins to an account by which somebody is still signed in."""
    mine = select(web_session.c.sign_in).where(web_session.c.account == address, web_session.c.expires > now)
    found = (connection.execute(mine.where(web_session.c.sign_in.in_(some))) for some in chunks(sign_ins))
    return frozenset(row.sign_in for rows in found for row in rows)


def end_all(connection: Connection, address: str, sign_ins: Sequence[str] | None = None) -> None:
    """Sign all out who are signed in to an account, or those of some sign-ins."""
    mine = delete(web_session).where(web_session.c.account == address)
    if sign_ins is None:
        connection.execute(mine)
        return
    for some in chunks(sign_ins):
        connection.execute(mine.where(web_session.c.sign_in.in_(some)))
