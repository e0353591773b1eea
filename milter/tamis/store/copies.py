"""The copy guard's keys, by which a copy that was accepted does not go out twice when the MTA tries again.

Times are Unix times in milliseconds. Keys are written in their order, so that nodes on one PostgreSQL that
write the same ones do not wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, select

from tamis.store import dialect
from tamis.store.recent import MOST
from tamis.store.schema import copy_guard
from tamis.store.settings import chunks

# Old keys that are deleted at once: more than come meanwhile, and few enough that nobody waits for the lock.
FORGOTTEN = 1000
LONG_AGO = 1 << 32  # in 1970; takes as many octets as a time of today


def accepted(connection: Connection, keys: Iterable[bytes], *, since: int) -> frozenset[bytes]:
    """Return those keys that were remembered after a time."""
    known = select(copy_guard.c.key).where(copy_guard.c.time > since)
    found: set[bytes] = set()
    for some in chunks(_sorted(keys)):
        found.update(connection.execute(known.where(copy_guard.c.key.in_(some))).scalars())
    return frozenset(found)


def latest(connection: Connection, *, since: int) -> dict[bytes, int]:
    """Return keys that were remembered after a time, and when: the oldest first, one more than is kept."""
    known = select(copy_guard.c.key, copy_guard.c.time).where(copy_guard.c.time > since)
    rows = connection.execute(known.order_by(copy_guard.c.time).limit(MOST + 1))
    return {row.key: row.time for row in rows}


def rehearse(connection: Connection, keys: Iterable[bytes], *, since: int) -> None:
    """Write what remember() would, and delete it again, with others that were remembered up to a time.

    So a full disk shows before a copy has gone out, not after.
    """
    rows = _rows(keys, LONG_AGO)
    connection.execute(dialect.insert_or(connection, copy_guard).on_conflict_do_nothing(), rows)
    old = select(copy_guard.c.key).where(copy_guard.c.time <= since)
    some = old.order_by(copy_guard.c.time).limit(len(rows) + FORGOTTEN)  # oldest first: these rows among them
    connection.execute(delete(copy_guard).where(copy_guard.c.key.in_(some.with_for_update(skip_locked=True))))


def remember(connection: Connection, keys: Iterable[bytes], *, now: int) -> None:
    """Keep keys, those that are kept already from now on."""
    add = dialect.insert_or(connection, copy_guard)
    put = add.on_conflict_do_update(index_elements=[copy_guard.c.key], set_={"time": add.excluded.time})
    connection.execute(put, _rows(keys, now))


def _rows(keys: Iterable[bytes], time: int) -> Sequence[Mapping[str, object]]:
    return [{"key": key, "time": time} for key in _sorted(keys)]


def _sorted(keys: Iterable[bytes]) -> Sequence[bytes]:
    return sorted(set(keys))
