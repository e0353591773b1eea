"""Acts of the law: disclosures, holds with their release, readings, changes of what is promised to users."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from tamis.store.schema import legal_act
from tamis.ticket import first_id, new_id

PAGE = 1000  # rows


class Kind(StrEnum):
    """What was done."""

    DISCLOSURE = "disclosure"
    HOLD = "hold"
    RELEASE = "release"
    READING = "reading"
    POLICY = "policy"  # other terms than before came into force


@dataclass(frozen=True, slots=True)
class Act:
    """What was done, by whom, and on which basis."""

    id: str  # a ULID, which tells its time
    kind: str
    body: Mapping[str, object]


def add(connection: Connection, kind: Kind, body: Mapping[str, object], *, now: int) -> str:
    """Record an act of a Unix time in ms, in a transaction that writes; return its ID."""
    act_id = new_id(now)
    row = {"id": act_id, "kind": kind.value, "body": json.dumps(body)}
    connection.execute(insert(legal_act), row)
    return act_id


def find(connection: Connection, *, since: int, until: int) -> Iterator[Act]:
    """Return the acts of a time, oldest first: since inclusive, until exclusive, Unix ms."""
    statement = select(legal_act).order_by(legal_act.c.id).limit(PAGE)
    statement = statement.where(legal_act.c.id < first_id(until))
    page = connection.execute(statement.where(legal_act.c.id >= first_id(since))).all()
    while page:
        for row in page:
            yield Act(row.id, row.kind, json.loads(row.body))
        page = connection.execute(statement.where(legal_act.c.id > page[-1].id)).all()


def newest(connection: Connection, kind: Kind) -> Act | None:
    """Return the last act of a kind."""
    statement = (
        select(legal_act).where(legal_act.c.kind == kind.value).order_by(legal_act.c.id.desc()).limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return Act(row.id, row.kind, json.loads(row.body)) if row else None
