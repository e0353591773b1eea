"""Erasing an account: all goes at once that no floor and no hold keeps, and the rest as soon as it may.

That it is to be erased is written first: killed at any point after, the next purge goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tamis.desk import notices
from tamis.desk.judging import Judge, Judged
from tamis.desk.purge import KINDS, Purge
from tamis.retention.classes import RecordClass
from tamis.retention.due import Reason
from tamis.retention.rules import Rules
from tamis.store import candidates, forgetting
from tamis.store import notices as waiting
from tamis.store.database import Database
from tamis.store.pace import Pace

OTHERS = "others"  # another account may keep the record
OWN = tuple(kind for kind in KINDS if kind is not RecordClass.LEGAL_ACT)


@dataclass(slots=True)
class Kept:
    """Records of a class that stay, and why."""

    kind: RecordClass
    reason: str
    count: int
    until: int | None  # when the last of them goes, as far as is known; Unix ms


def erase(
    database: Database, address: str, rules: Rules, *, notify: bool, now: int, pace: Pace
) -> list[dict[str, object]]:
    """Erase an account, or what is recorded about an address (lower case); return what went, in counts.

    Its user is told where that is wanted. Raise StoreUnavailable.
    """
    with database.writing() as connection:
        begin(connection, address, notify=notify, now=now)
    return carry_out(database, address, rules, now=now, pace=pace)


def begin(connection: Connection, address: str, *, notify: bool, now: int) -> None:
    """Set that an account is to be erased: from then on it is no account any more, and all are signed out.

    Its user is told, where that is wanted, once it is done.
    """
    forgetting.erase(connection, address, now=now)
    forgetting.untell(connection, address)
    if notify:
        notices.erasing(connection, address, now=now)


def carry_out(
    database: Database, address: str, rules: Rules, *, now: int, pace: Pace
) -> list[dict[str, object]]:
    """Delete what has to go of an account whose erasure has begun; return what went, in counts."""
    purge = Purge(database, rules, now=now, pace=pace)
    for kind in OWN:
        purge.delete(kind, purge.of(kind, address))
    stays = kept(database, address, rules, now=now)
    with database.writing() as connection:
        notices.erased(connection, address, _ends(stays), now=now)
        purge.forget_in(connection, address)
    purge.finish()
    return purge.tally.lines()


def finish(database: Database, rules: Rules, *, now: int) -> None:
    """Have those told whose erasure was killed and a purge has ended; raise StoreUnavailable."""
    with database.reading() as connection:
        addresses = waiting.erasing(connection)
    for address in addresses:
        stays = kept(database, address, rules, now=now)
        with database.writing() as connection:
            notices.erased(connection, address, _ends(stays), now=now)


def kept(database: Database, address: str, rules: Rules, *, now: int) -> list[Kept]:
    """Return what is left of an account that is to be erased."""
    found: dict[tuple[RecordClass, str], Kept] = {}
    for kind, one in _left(database, address, rules, now):
        reason = _reason(one)
        line = found.setdefault((kind, reason), Kept(kind, reason, 0, 0))
        line.count += 1
        until = one.verdict.until
        line.until = None if until is None or line.until is None else max(until, line.until)
    return list(found.values())


def _ends(stays: Sequence[Kept]) -> dict[RecordClass, int]:
    """Return when the last records of each class go, where that is known."""
    ends: dict[RecordClass, int] = {}
    for one in stays:
        if one.until is not None:
            ends[one.kind] = max(one.until, ends.get(one.kind, 0))
    return ends


def _left(database: Database, address: str, rules: Rules, now: int) -> Iterator[tuple[RecordClass, Judged]]:
    judge = Judge(replace(rules, pseudonymise=None), now)  # what gets pseudonyms meanwhile stays
    with database.reading() as connection:
        kind = RecordClass.ACCOUNT
        own = judge.judge(connection, kind, candidates.account_of(connection, address))
        yield from ((kind, one) for one in own if not one.is_due)
    for kind in OWN:
        after = ""
        while True:
            with database.reading() as connection:
                page = candidates.page(connection, kind, address, after=after, before=None)
                judged = judge.judge(connection, kind, page)
            if not page:
                break
            yield from ((kind, one) for one in judged)
            after = page[-1].id


def _reason(one: Judged) -> str:
    reason = one.verdict.reason
    if reason in (Reason.HOLD, Reason.FLOOR) or len(one.record.accounts) < 2:
        return reason.value
    return OTHERS
