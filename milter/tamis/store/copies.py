"""The copy guard's keys, by which a copy that was accepted does not go out twice when the MTA tries again.

Times are Unix times in milliseconds. Keys are written in their order, so that nodes on one PostgreSQL that
write the same ones do not wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from sqlalchemy import Connection, Executable, Integer, bindparam, delete, select

from tamis.store import dialect, driver
from tamis.store.recent import MOST
from tamis.store.schema import copy_guard

# Old keys that are deleted at once: more than come meanwhile, and few enough that nobody waits for the lock.
FORGOTTEN = 1000
LONG_AGO = 1 << 32  # in 1970; takes as many octets as a time of today


KNOWN = select(copy_guard.c.key).where(
    copy_guard.c.key == bindparam("key"), copy_guard.c.time > bindparam("since")
)
LATEST = (
    select(copy_guard.c.key, copy_guard.c.time)
    .where(copy_guard.c.time > bindparam("since"))
    .order_by(copy_guard.c.time)
    .limit(bindparam("most", type_=Integer))
)
OLDEST = (
    select(copy_guard.c.key)
    .where(copy_guard.c.time <= bindparam("since"))
    .order_by(copy_guard.c.time)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
FORGET = delete(copy_guard).where(copy_guard.c.key.in_(OLDEST))


def accepted(connection: Connection, keys: Iterable[bytes], *, since: int) -> frozenset[bytes]:
    """Return those keys that were remembered after a time."""
    asked = frozenset(keys)
    return frozenset(key for key in asked if driver.run(connection, KNOWN, {"key": key, "since": since}))


def latest(connection: Connection, *, since: int) -> dict[bytes, int]:
    """Return keys that were remembered after a time, and when: the oldest first, one more than is kept."""
    return {
        bytes(key): time for key, time in driver.run(connection, LATEST, {"since": since, "most": MOST + 1})
    }


def rehearse(connection: Connection, keys: Iterable[bytes], *, since: int) -> None:
    """Write what remember() would, and delete it again, with others that were remembered up to a time.

    So a full disk shows before a copy has gone out, not after.
    """
    rows = _rows(keys, LONG_AGO)
    driver.run_many(connection, _added(connection.dialect.name), rows)
    # The oldest first: these rows among them.
    driver.run(connection, FORGET, {"since": since, "most": len(rows) + FORGOTTEN})


def old(connection: Connection, *, since: int) -> list[int]:
    """Return when those keys were remembered that are remembered since no later than a time."""
    times = select(copy_guard.c.time).where(copy_guard.c.time <= since)
    return list(connection.execute(times).scalars())


def forget(connection: Connection, *, since: int, most: int) -> list[int]:
    """Delete at most so many of those keys; return when they were remembered, nothing once there are none."""
    first = select(copy_guard.c.key, copy_guard.c.time).where(copy_guard.c.time <= since)
    first = first.order_by(copy_guard.c.time).limit(most)
    # Who has one in hand at the moment remembers it from now on, or deletes it himself.
    rows = connection.execute(first.with_for_update(skip_locked=True)).all()
    connection.execute(delete(copy_guard).where(copy_guard.c.key.in_([row.key for row in rows])))
    return [row.time for row in rows]


def remember(connection: Connection, keys: Iterable[bytes], *, now: int) -> None:
    """Keep keys, those that are kept already from now on."""
    driver.run_many(connection, _put(connection.dialect.name), _rows(keys, now))


@cache
def _added(kind: str) -> Executable:
    return dialect.insert_or(kind, copy_guard).on_conflict_do_nothing()


@cache
def _put(kind: str) -> Executable:
    add = dialect.insert_or(kind, copy_guard)
    return add.on_conflict_do_update(index_elements=[copy_guard.c.key], set_={"time": add.excluded.time})


def _rows(keys: Iterable[bytes], time: int) -> Sequence[Mapping[str, object]]:
    return [{"key": key, "time": time} for key in sorted(set(keys))]
