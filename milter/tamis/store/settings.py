"""Accounts and what they set themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, insert, select, update

from tamis.preferences import RESTRICTED, Value
from tamis.store import driver
from tamis.store.changes import TAMIS, Change, record
from tamis.store.chunks import chunks
from tamis.store.owners import COLUMNS, IS_THERE, Status, status_of
from tamis.store.schema import account, counter, setting

PAGE = 1000  # rows
_CHANGES = select(counter.c.value).where(counter.c.name == "settings")


@dataclass(frozen=True, slots=True)
class Account:
    """One account."""

    address: str
    status: Status


def own(connection: Connection, addresses: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Return the settings of those addresses (lower case) that are accounts, RESTRICTED among them."""
    columns = select(account.c.address, account.c.restricted, setting.c.key, setting.c.value)
    columns = columns.outerjoin_from(account, setting).where(IS_THERE)
    found: dict[str, dict[str, Value]] = {}
    for some in chunks(addresses):
        for address, since, key, value in connection.execute(columns.where(account.c.address.in_(some))):
            values = found.setdefault(address, {})
            if since is not None:
                values[RESTRICTED] = "on"
            if key is not None:
                values[key] = _value(value)
    return found


def status(connection: Connection, address: str) -> Status | None:
    """Return an account's status, None where there is no such account, and never was."""
    row = connection.execute(select(*COLUMNS).where(account.c.address == address)).one_or_none()
    return None if row is None else status_of(row)


def make(connection: Connection, address: str, *, now: int | None = None) -> None:
    """Make an account where it is missing or was erased, now or at a Unix time in ms."""
    before = status(connection, address)
    now = time.time_ns() // 1_000_000 if now is None else now
    if before is None:
        connection.execute(insert(account), {"address": address, "created": now})
    elif before is Status.ERASED:
        mine = account.c.address == address
        _set_aside(connection, address)
        # Beyond the erasure, also where a clock was set back.
        made = {"created": case((account.c.erasure < now, now), else_=account.c.erasure + 1)}
        connection.execute(update(account).where(mine).values(made | {"closed": None, "restricted": None}))
    else:
        return
    count_change(connection)


def _set_aside(connection: Connection, address: str) -> None:
    """Leave what a hold or a floor keeps of an erased account's settings to its records, of that time.

    As settings they would be in force again; as records they go once nothing keeps them.
    """
    mine = setting.c.account == address
    erasure = connection.execute(select(account.c.erasure).where(account.c.address == address)).scalar_one()
    kept = connection.execute(select(setting.c.key, setting.c.value).where(mine)).all()
    found = [Change(row.key, json.loads(row.value), None) for row in kept]
    record(connection, address, found, actor=TAMIS, now=erasure)
    connection.execute(delete(setting).where(mine))


def change(
    connection: Connection, address: str, values: Mapping[str, Value], *, now: int | None = None
) -> None:
    """Set values of an account, which is made where it is missing or was erased, as by make()."""
    make(connection, address, now=now)
    if values:
        mine = setting.c.account == address
        connection.execute(delete(setting).where(mine, setting.c.key.in_(list(values))))
        rows = [{"account": address, "key": key, "value": json.dumps(value)} for key, value in values.items()]
        connection.execute(insert(setting), rows)
    count_change(connection)


def accounts(connection: Connection) -> Iterator[Account]:
    """Return all accounts by address, a page at a time."""
    columns = select(account.c.address, *COLUMNS).order_by(account.c.address).limit(PAGE)
    after = ""
    while rows := connection.execute(columns.where(account.c.address > after)).all():
        for row in rows:
            yield Account(row.address, status_of(row))
        after = rows[-1].address


def count_change(connection: Connection) -> None:
    """Tell other processes that accounts, settings or aliases have changed."""
    connection.execute(update(counter).where(counter.c.name == "settings").values(value=counter.c.value + 1))


def changes(connection: Connection) -> int:
    """Return how often accounts, settings and aliases have changed; each worker asks four times a second."""
    ((value,),) = driver.run(connection, _CHANGES, {})
    return int(value)


def _value(text: str) -> Value:
    value = json.loads(text)
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    return float(value) if isinstance(value, int | float) else str(value)
