"""Showing an authority an account's records of some time, on an order that is on record first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from tamis.desk import readings, staff
from tamis.desk.view import view
from tamis.retention.classes import RecordClass
from tamis.store import acts, records, tickets
from tamis.store.acts import Kind
from tamis.store.database import Database
from tamis.ticket import time_of, timestamp

COMMAND = "disclose"
BESIDE_TICKETS = (RecordClass.SESSION, RecordClass.SETTING_CHANGE)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be shown, to whom and why."""

    reference: str
    authority: str
    basis: str
    jurisdiction: str
    account: str
    since: int  # inclusive, Unix ms
    until: int  # exclusive, Unix ms

    def as_json(self) -> dict[str, object]:
        """Return the order with its times in words."""
        return asdict(self) | {"since": timestamp(self.since), "until": timestamp(self.until)}


def enter(database: Database, order: Order, *, now: int) -> str:
    """Return the ID of the act once it is durable that an order is carried out; raise StoreUnavailable."""
    body = order.as_json()
    with database.writing() as connection:
        act_id = acts.add(connection, Kind.DISCLOSURE, {**staff.signature(), **body}, now=now)
        readings.add(connection, COMMAND, {**body, "act": act_id}, now=now)
    return act_id


def carry_out(connection: Connection, order: Order) -> Iterator[tuple[RecordClass, Mapping[str, object]]]:
    """Return the account's own part of its records, a class after the other, each oldest first."""
    query = tickets.Query(order.account, since=order.since, until=order.until)
    for text in tickets.find(connection, query):
        yield RecordClass.TICKET, view(json.loads(text), order.account)
    for kind in BESIDE_TICKETS:
        for record in records.find(connection, kind, order.account, since=order.since, until=order.until):
            yield kind, _readable(record)


def _readable(record: Mapping[str, Any]) -> dict[str, object]:
    """Return a record with its time, and with values instead of their JSON."""
    values = {name: json.loads(record[name]) for name in ("old", "new") if record.get(name) is not None}
    return {"time": timestamp(time_of(record["id"])), **record, **values}
