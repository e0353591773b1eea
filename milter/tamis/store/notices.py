"""What users are still to be told: a row for each mail, gone once it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from tamis.store.schema import notice
from tamis.ticket import new_id

ERASING = "erasing"  # no mail yet: the account is being erased, and its user to be told once that is done


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told to the user of an account."""

    id: str
    account: str
    kind: str
    body: Mapping[str, Any]  # what the words need


def add(connection: Connection, address: str, kind: str, body: Mapping[str, object], *, now: int) -> None:
    """Have something told to the user of an account, in the transaction that it is about."""
    row = {"id": new_id(now), "account": address, "kind": kind, "body": json.dumps(body)}
    connection.execute(insert(notice), row)


def waits(connection: Connection, address: str, kind: str) -> bool:
    """Tell whether such a notice is still to be sent."""
    same = select(notice.c.id).where(notice.c.account == address, notice.c.kind == kind)
    return connection.execute(same.limit(1)).first() is not None


def waiting(connection: Connection, *, tried_before: int) -> Sequence[str]:
    """Return the IDs of notices that nobody has tried to send since a Unix time in ms, oldest first."""
    statement = select(notice.c.id).where(_is_free(tried_before)).order_by(notice.c.id)
    return connection.execute(statement).scalars().all()


def take(connection: Connection, notice_id: str, *, tried_before: int, now: int) -> Notice | None:
    """Return a notice that is now to be tried; None where another process has taken it."""
    mine = update(notice).where(notice.c.id == notice_id, _is_free(tried_before))
    if connection.execute(mine.values(tried=now)).rowcount != 1:
        return None
    row = connection.execute(select(notice).where(notice.c.id == notice_id)).one()
    return Notice(row.id, row.account, row.kind, json.loads(row.body))


def remove(connection: Connection, notice_id: str) -> None:
    """Forget a notice."""
    connection.execute(delete(notice).where(notice.c.id == notice_id))


def erasing(connection: Connection) -> Sequence[str]:
    """Return the accounts whose users are to be told of an erasure once it is done."""
    statement = select(notice.c.account).where(notice.c.kind == ERASING).order_by(notice.c.id)
    return connection.execute(statement).scalars().all()


def end(connection: Connection, address: str) -> bool:
    """Forget that an account's erasure is to be told; tell whether it was still to be."""
    mine = delete(notice).where(notice.c.account == address, notice.c.kind == ERASING)
    return connection.execute(mine).rowcount > 0


def _is_free(tried_before: int) -> ColumnElement[bool]:
    free = or_(notice.c.tried.is_(None), notice.c.tried <= tried_before)
    return and_(notice.c.kind != ERASING, free)
