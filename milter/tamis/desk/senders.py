"""Changing single entries of an account's sender lists."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from tamis.desk import settings as desk
from tamis.preferences import parse
from tamis.store import settings


def edit(
    connection: Connection,
    address: str,
    key: str,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    actor: str,
    notify: bool,
    now: int,
) -> bool:
    """Take patterns out of a list (one of preferences.LISTS) and add others; tell whether that changed it.

    Raise ValueError for what is no pattern, or one too many.
    """
    own = settings.own(connection, [address]).get(address, {}).get(key, ())
    before = own if isinstance(own, tuple) else ()
    gone = frozenset(remove)
    after = parse(key, [*(one for one in before if one not in gone), *add])
    if after == before:
        return False
    desk.put(connection, address, {key: after}, actor=actor, notify=notify, now=now)
    return True
