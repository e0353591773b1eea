"""Sign-ins: the date, the type and the client's address; each is also the account's last."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select

from tamis.store import owners, settings
from tamis.store.chunks import chunks
from tamis.store.owners import Status
from tamis.store.schema import session
from tamis.ticket import first_id, new_id

HOUR = 3_600_000  # milliseconds


class Kind(StrEnum):
    """What somebody signed in to."""

    OPTIONS = "options"  # the web page
    SMTP = "smtp"  # to send mail


def sign_in(connection: Connection, address: str, kind: Kind, client: str | None, *, now: int) -> str:
    """Record a sign-in to an account, which is made where it is missing; return its ID."""
    settings.make(connection, address, now=now)
    return _record(connection, address, kind, client, now)


def sign_in_to_send(connection: Connection, address: str, client: str | None, *, now: int) -> None:
    """Record a sign-in to send mail likewise, unless that hour (Unix time in ms) has one from the client.

    An account that was erased stays so: its user's programs go on sending, and he wants nothing by that.
    """
    if _is_known(connection, address, client, now):
        return
    if settings.status(connection, address) is not Status.ERASED:
        settings.make(connection, address, now=now)
    _record(connection, address, Kind.SMTP, client, now)


def _record(connection: Connection, address: str, kind: Kind, client: str | None, now: int) -> str:
    owners.signed_in(connection, address, now=now)
    session_id = new_id(now)
    row = {"id": session_id, "account": address, "kind": kind.value, "address": client}
    connection.execute(insert(session), row)
    return session_id


def _is_known(connection: Connection, address: str, client: str | None, now: int) -> bool:
    start = now // HOUR * HOUR
    same = select(session.c.id).where(
        session.c.account == address,
        session.c.kind == Kind.SMTP.value,
        session.c.address.is_not_distinct_from(client),
        session.c.id >= first_id(start),
        session.c.id < first_id(start + HOUR),
    )
    return connection.execute(same.limit(1)).first() is not None


def of(connection: Connection, address: str, ids: Sequence[str]) -> list[str]:
    """Return those IDs that are of sign-ins to an account."""
    mine = select(session.c.id).where(session.c.account == address)
    found = (connection.execute(mine.where(session.c.id.in_(some))).scalars() for some in chunks(ids))
    return [one for some in found for one in some]


def remove(connection: Connection, address: str, ids: Sequence[str]) -> int:
    """Delete sign-ins of an account; return how many there were."""
    mine = delete(session).where(session.c.account == address)
    return sum(connection.execute(mine.where(session.c.id.in_(some))).rowcount for some in chunks(ids))
