"""What was changed about an account, and what its user agreed to: written with the change itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from tamis.store.schema import consent, setting_change
from tamis.ticket import first_id, new_id, time_of

USER = "user"  # the actor where it was the account's own
WEBMAIL = "webmail:"  # before the name of a webmail's server, by which it was
TAMIS = "tamis"  # where nobody was, as when a notice is sent
MOST = 1000  # records that are looked through, as a program may have made very many


@dataclass(frozen=True, slots=True)
class Change:
    """One key of an account: a setting's, "closed", "restricted", or "notice" for what its user was told."""

    key: str
    old: object  # as JSON has it; None where there was none
    new: object


def is_users(actor: str) -> bool:
    """Tell whether an actor is the account's user, at our page or at a webmail that asks for him."""
    return actor == USER or actor.startswith(WEBMAIL)


def record(connection: Connection, address: str, changes: Iterable[Change], *, actor: str, now: int) -> None:
    """Record changes of an account at a Unix time in ms, in the transaction that makes them."""
    rows = [
        {
            "id": new_id(now),
            "account": address,
            "actor": actor,
            "key": one.key,
            "old": _json(one.old),
            "new": _json(one.new),
        }
        for one in changes
    ]
    if rows:
        connection.execute(insert(setting_change), rows)


def octets(connection: Connection, address: str, *, now: int) -> int:
    """Return how long the values are that changes of an account at a Unix time in ms have put on record."""
    values = (func.length(func.coalesce(value, "")) for value in (setting_change.c.old, setting_change.c.new))
    length = select(func.coalesce(func.sum(sum(values)), 0))  # JSON is ASCII here
    made = (setting_change.c.id >= first_id(now), setting_change.c.id < first_id(now + 1))
    return int(connection.execute(length.where(setting_change.c.account == address, *made)).scalar_one())


def agree(connection: Connection, address: str, purpose: str, *, given: bool, actor: str, now: int) -> None:
    """Record that a consent was given, or withdrawn."""
    row = {"id": new_id(now), "account": address, "purpose": purpose, "given": given, "actor": actor}
    connection.execute(insert(consent), row)


def latest(connection: Connection, address: str) -> dict[str, int]:
    """Return when each key of an account was changed last, as far as its newest records tell; Unix ms."""
    newest = select(setting_change.c.id, setting_change.c.key).where(setting_change.c.account == address)
    some = newest.order_by(setting_change.c.id.desc()).limit(MOST).subquery()
    latest = select(some.c.key, func.max(some.c.id).label("id")).group_by(some.c.key)
    return {row.key: time_of(row.id) for row in connection.execute(latest)}


def next_old(connection: Connection, address: str, key: str, *, since: int) -> tuple[object] | None:
    """Return what the first change of a key from a Unix time in ms on has replaced, None where there is none.

    That is a value as JSON has it, None where nothing was set.
    """
    mine = (setting_change.c.account == address, setting_change.c.key == key)
    statement = select(setting_change.c.old).where(*mine, setting_change.c.id >= first_id(since))
    row = connection.execute(statement.order_by(setting_change.c.id).limit(1)).one_or_none()
    return row and (row.old and json.loads(row.old),)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)
