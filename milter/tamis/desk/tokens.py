"""Tokens by which programs act for an account, or the webmail's server for all: made, shown and revoked."""

from __future__ import annotations

from sqlalchemy import Connection

from tamis.desk import notices
from tamis.store import api_tokens, changes, settings
from tamis.store.api_tokens import ApiToken, Scope
from tamis.store.changes import Change
from tamis.ticket import new_id, time_of, timestamp

KEY = "token"  # of the record, which holds the name of one that was made or revoked
MOST = 20  # of one account, or of servers
LONGEST = 60  # characters of a name


class TooMany(Exception):
    """There are as many tokens as there may be."""

    def __init__(self) -> None:
        super().__init__(f"there are {MOST} tokens: revoke one first")


def name(given: str) -> str:
    """Return the name of a token without blanks around it; raise ValueError."""
    found = given.strip()
    if not found or len(found) > LONGEST or not found.isprintable():
        raise ValueError(f"expected 1 to {LONGEST} printable characters")
    return found


def make(
    connection: Connection,
    account: str | None,
    called: str,
    scope: Scope,
    digest: bytes,
    *,
    expires: int | None,
    actor: str,
    notify: bool,
    now: int,
) -> ApiToken:
    """Let a program in that holds what a keyed hash stands for, until a Unix time in ms; raise TooMany.

    An account is made where it is missing. Where notices can be sent, its user is told of what somebody else
    has done.
    """
    if len(api_tokens.of(connection, account)) >= MOST:
        raise TooMany
    one = ApiToken(digest, new_id(now), account, called, scope, expires=expires)
    if account is not None:
        settings.make(connection, account, now=now)
        _record(connection, account, Change(KEY, None, called), actor=actor, notify=notify, now=now)
    api_tokens.add(connection, one)
    return one


def revoke(
    connection: Connection, account: str | None, token_id: str, *, actor: str, notify: bool, now: int
) -> bool:
    """Let a program in no more; tell whether it is one of the account's, or of servers."""
    called = next((one.name for one in api_tokens.of(connection, account) if one.id == token_id), None)
    if called is None:
        return False
    if account is not None:
        _record(connection, account, Change(KEY, called, None), actor=actor, notify=notify, now=now)
    return api_tokens.remove(connection, account, token_id)


def as_json(one: ApiToken) -> dict[str, object]:
    """Return what is told of a token: never what it is."""
    return {
        "id": one.id,
        "name": one.name,
        "scope": one.scope.value,
        "created": timestamp(time_of(one.id)),
        "used": None if one.used is None else timestamp(one.used),
        "expires": None if one.expires is None else timestamp(one.expires),
    }


def _record(
    connection: Connection, account: str, change: Change, *, actor: str, notify: bool, now: int
) -> None:
    changes.record(connection, account, [change], actor=actor, now=now)
    if notify:
        notices.changed(connection, account, [change], actor=actor, now=now)
