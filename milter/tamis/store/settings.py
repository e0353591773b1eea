"""Accounts and what they set themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, select, update

from tamis.preferences import Value
from tamis.store.schema import account, counter, setting

AT_ONCE = 500  # values in one IN list; SQLite before 3.32 takes 999 variables
PAGE = 1000  # rows
ACTIVE = "active"

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Account:
    """One account."""

    address: str
    status: str


def own(connection: Connection, addresses: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Return the settings of those addresses (lower case) that are accounts."""
    columns = select(account.c.address, setting.c.key, setting.c.value).outerjoin_from(account, setting)
    found: dict[str, dict[str, Value]] = {}
    for some in chunks(addresses):
        for address, key, value in connection.execute(columns.where(account.c.address.in_(some))):
            values = found.setdefault(address, {})
            if key is not None:
                values[key] = _value(value)
    return found


def status(connection: Connection, address: str) -> str | None:
    """Return an account's status, None where there is no such account."""
    return connection.execute(
        select(account.c.status).where(account.c.address == address)
    ).scalar_one_or_none()


def change(connection: Connection, address: str, values: Mapping[str, Value]) -> None:
    """Set values of an account, which is made where it is missing."""
    if status(connection, address) is None:
        now = time.time_ns() // 1_000_000
        connection.execute(insert(account), {"address": address, "status": ACTIVE, "created": now})
    if values:
        mine = setting.c.account == address
        connection.execute(delete(setting).where(mine, setting.c.key.in_(list(values))))
        rows = [{"account": address, "key": key, "value": json.dumps(value)} for key, value in values.items()]
        connection.execute(insert(setting), rows)
    count_change(connection)


def accounts(connection: Connection) -> Iterator[Account]:
    """Return all accounts by address, a page at a time."""
    columns = select(account.c.address, account.c.status).order_by(account.c.address).limit(PAGE)
    after = ""
    while rows := connection.execute(columns.where(account.c.address > after)).all():
        for row in rows:
            yield Account(row.address, row.status)
        after = rows[-1].address


def count_change(connection: Connection) -> None:
    """Tell other processes that accounts, settings or aliases have changed."""
    connection.execute(update(counter).where(counter.c.name == "settings").values(value=counter.c.value + 1))


def changes(connection: Connection) -> int:
    """Return how often accounts, settings and aliases have changed."""
    statement = select(counter.c.value).where(counter.c.name == "settings")
    return int(connection.execute(statement).scalar_one())


def chunks(values: Sequence[One]) -> Iterator[Sequence[One]]:
    """Return values in parts that fit in one IN list."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _value(text: str) -> Value:
    value = json.loads(text)
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return float(value) if isinstance(value, int | float) else str(value)
