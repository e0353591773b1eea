"""Receipts: what each purge has done, in counts. They name nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, delete, func, select

from tamis.store import dialect, driver
from tamis.store.schema import receipt
from tamis.ticket import time_of


def put(connection: Connection, receipt_id: str, body: Mapping[str, object]) -> None:
    """Write a receipt, or write it anew."""
    row = {"id": receipt_id, "body": json.dumps(body)}
    driver.run_many(connection, _put(connection.dialect.name), [row])


@cache
def _put(kind: str) -> Executable:
    add = dialect.insert_or(kind, receipt)
    return add.on_conflict_do_update(index_elements=[receipt.c.id], set_={"body": add.excluded.body})


def find(connection: Connection) -> list[dict[str, Any]]:
    """Return all receipts, oldest first."""
    bodies = connection.execute(select(receipt.c.body).order_by(receipt.c.id)).scalars()
    return [json.loads(body) for body in bodies]


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Delete receipts, never the newest, by which a clock that went wrong is noticed."""
    newest = select(func.max(receipt.c.id)).scalar_subquery()
    connection.execute(delete(receipt).where(receipt.c.id.in_(ids), receipt.c.id < newest))


def last_time(connection: Connection) -> int | None:
    """Return when a purge ran last by its own clock, in Unix ms; None before the first."""
    newest = connection.execute(select(func.max(receipt.c.id))).scalar_one()
    return None if newest is None else time_of(newest)
