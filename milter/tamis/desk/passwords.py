"""Setting an account's local password, or taking it away."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tamis.desk import notices
from tamis.store import changes, credentials, settings, web_sessions
from tamis.store.changes import USER, Change
from tamis.store.web_sessions import WebSession
from tamis.ticket import timestamp

KEY = "password"  # of the record, which holds when it was set and nothing else of it


def put(
    connection: Connection, address: str, digest: str | None, *, actor: str, notify: bool, now: int
) -> bool:
    """Set the hash of an account's password, or take it away (None); tell whether there was one to take.

    Who is signed in is signed out. The account is made where it is missing. Where notices can be sent, its
    user is told of what somebody else has done.
    """
    before = credentials.password_changed(connection, address)
    if digest is None and before is None:
        return False
    if digest is not None:
        settings.make(connection, address, now=now)
    credentials.put_password(connection, address, digest, now=now)
    web_sessions.end_all(connection, address)
    old, new = before, None if digest is None else now
    change = Change(KEY, *(None if one is None else timestamp(one) for one in (old, new)))
    changes.record(connection, address, [change], actor=actor, now=now)
    if notify:
        notices.changed(connection, address, [change], actor=actor, now=now)
    return True


def change(
    connection: Connection, session: WebSession, digest: str, renewed: bytes, *, notify: bool, now: int
) -> None:
    """Set the hash of another password as the user of a session does, whose account has one.

    He alone stays signed in, by another hash of what his browser holds. Where notices can be sent, he is
    told.
    """
    put(connection, session.account, digest, actor=USER, notify=False, now=now)
    web_sessions.add(connection, replace(session, hash=renewed))
    if notify:
        notices.password(connection, session.account, now=now)
