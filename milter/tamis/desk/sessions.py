"""An account's sign-ins, which its user sees and deletes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.desk.records import sign_ins
from tamis.retention.classes import RecordClass
from tamis.retention.due import Action, Owner, Record, due
from tamis.retention.rules import Rules
from tamis.store import owners, sessions, web_sessions
from tamis.ticket import time_of


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of sign-ins that were to be deleted."""

    gone: int
    kept: int  # by a hold or a floor


def delete(
    connection: Connection, address: str, ids: Sequence[str] | None, rules: Rules, *, now: int
) -> Deleted:
    """Delete sign-ins of an account, or all (None): a request to erase, which holds and floors precede.

    Whoever is still signed in by one of them is signed out, also where its record has to stay.
    """
    if ids is None:
        found = [one["id"] for one in sign_ins(connection, address)]
    else:
        found = sessions.of(connection, address, ids)
    web_sessions.end_all(connection, address, ids)
    held = owners.held(connection, [address]).get(address)
    free = [one for one in found if _may_go(one, held, rules, now)]
    return Deleted(sessions.remove(connection, address, free), len(found) - len(free))


def _may_go(session_id: str, held: int | None, rules: Rules, now: int) -> bool:
    made = min(time_of(session_id), now)  # a clock may have been set back
    record = Record(RecordClass.SESSION, made, (Owner(erasure=now),), held)
    return due(record, rules, now).action is Action.DELETE
