"""Counters of the metrics as they were at the beginning and the end of each hour; they name nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, delete, select

from tamis.store import dialect
from tamis.store.schema import hourly_count

HOUR = 3_600_000  # ms
KEPT = 48 * HOUR

Counters: TypeAlias = Mapping[str, float]
"""Numbers by the names of their samples, labels included."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What was read in an hour of one service, which counts from 0 since its start; times are Unix ms."""

    begin: int
    started: int
    first: Counters
    last: Counters


def put(connection: Connection, read: Counters, *, started: int, now: int) -> None:
    """Note what a service that was started at a time counts now, and forget what is too old."""
    add = dialect.insert_or(connection.dialect.name, hourly_count)
    numbers = json.dumps(dict(read))
    row = {"hour": now - now % HOUR, "started": started, "first": numbers, "last": numbers}
    key = [hourly_count.c.hour, hourly_count.c.started]
    connection.execute(add.on_conflict_do_update(index_elements=key, set_={"last": add.excluded.last}), row)
    connection.execute(delete(hourly_count).where(hourly_count.c.hour < now - KEPT))


def since(connection: Connection, time: int) -> list[Hour]:
    """Return the hours that begin at a time or later, in order."""
    mine = select(hourly_count).where(hourly_count.c.hour >= time)
    rows = connection.execute(mine.order_by(hourly_count.c.hour, hourly_count.c.started)).all()
    return [Hour(row.hour, row.started, json.loads(row.first), json.loads(row.last)) for row in rows]
