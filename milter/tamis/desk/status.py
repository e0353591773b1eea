"""Closing, reopening and restricting an account."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection

from tamis.desk import notices
from tamis.store import changes, owners, settings
from tamis.store.changes import Change
from tamis.store.owners import Date, Status
from tamis.ticket import timestamp


class Act(StrEnum):
    """What is done to an account."""

    CLOSE = "close"
    REOPEN = "reopen"
    RESTRICT = "restrict"
    LIFT = "lift"  # the restriction


class NoAccount(Exception):
    """There is nothing to be closed or reopened."""


def carry_out(
    connection: Connection, address: str, act: Act, *, actor: str, notify: bool, now: int
) -> Change | None:
    """Do something to an account; return the change, None where it was so already. Raise NoAccount.

    Where notices can be sent, its user is told of what somebody else has done.
    """
    status = settings.status(connection, address)
    if status in (None, Status.ERASED):
        raise NoAccount(f"{address} has no account" if status is None else f"{address} was erased")
    date = Date.RESTRICTED if act in (Act.RESTRICT, Act.LIFT) else Date.CLOSED
    before = owners.owners(connection, [address])[address]
    since = before.restricted if date is Date.RESTRICTED else before.closed
    begins = act in (Act.CLOSE, Act.RESTRICT)
    if begins == (since is not None):
        return None
    owners.put(connection, address, date, now if begins else None)
    if act is Act.REOPEN:
        # Else one that was closed for years would be due for its last sign-in at once.
        owners.signed_in(connection, address, now=now)
    settings.count_change(connection)
    change = Change(
        date.value, *(None if one is None else timestamp(one) for one in (since, now if begins else None))
    )
    changes.record(connection, address, [change], actor=actor, now=now)
    if notify:
        notices.changed(connection, address, [change], actor=actor, now=now)
    return change
