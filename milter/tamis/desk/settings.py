"""Changing an account's settings: each change is a record, and so is each consent."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from tamis.desk import notices
from tamis.preferences import Value
from tamis.store import changes, settings
from tamis.store.changes import Change

CONSENT = "learning"  # the setting by which a user agrees to something


def put(
    connection: Connection,
    address: str,
    values: Mapping[str, Value],
    *,
    actor: str,
    notify: bool,
    now: int,
) -> None:
    """Set values of an account, which is made where it is missing.

    Where notices can be sent, the user of one that was there is told of what somebody else has changed.
    """
    known = settings.own(connection, [address]).get(address)
    before = known or {}
    settings.change(connection, address, values, now=now)
    found = [Change(key, before.get(key), value) for key, value in values.items() if before.get(key) != value]
    changes.record(connection, address, found, actor=actor, now=now)
    if CONSENT in values:
        given = values[CONSENT] == "on"
        changes.agree(connection, address, CONSENT, given=given, actor=actor, now=now)
    if notify and known is not None:
        notices.changed(connection, address, found, actor=actor, now=now)
