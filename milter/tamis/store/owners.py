"""What is known of accounts by which the time of records is counted, and their status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Row, func, or_, select, update

from tamis.retention.due import Owner
from tamis.store import dialect, driver
from tamis.store.schema import account, hold

PAGE = 1000  # rows


class Status(StrEnum):
    """How an account is."""

    ACTIVE = "active"
    RESTRICTED = "restricted"  # no filter runs on its incoming mail, and tickets stay to their floor only
    CLOSED = "closed"
    ERASED = "erased"  # all but what a floor or a hold keeps


@dataclass(frozen=True, slots=True)
class Life:
    """By what it is told later whether an account was erased since; Unix ms."""

    created: int
    erasure: int | None

    @property
    def is_over(self) -> bool:
        """Whether it is erased."""
        return self.erasure is not None and self.erasure >= self.created  # else it was made again since


class Date(StrEnum):
    """What an account's time is counted from, by the name of its column."""

    CLOSED = "closed"
    RESTRICTED = "restricted"
    WARNED = "warned"


COLUMNS = (
    account.c.created,
    account.c.closed,
    account.c.erasure,
    account.c.restricted,
    account.c.last_sign_in,
    account.c.warned,
)

# What was erased is no account any more, though its row is there as long as its tickets are.
IS_THERE = or_(account.c.erasure.is_(None), account.c.erasure < account.c.created)


def status_of(row: Row[*tuple[Any, ...]]) -> Status:
    """Return the status of an account by its COLUMNS."""
    if Life(row.created, row.erasure).is_over:
        return Status.ERASED
    if row.closed is not None:
        return Status.CLOSED
    return Status.ACTIVE if row.restricted is None else Status.RESTRICTED


def owners(connection: Connection, addresses: Sequence[str]) -> dict[str, Owner]:
    """Return what is known of those addresses (lower case) that are accounts, or were."""
    statement = _owners(connection.dialect.name)
    rows = driver.run(connection, statement, {"addresses": dialect.listed(connection, addresses)})
    return {address: Owner(*dates) for address, *dates in rows}


@cache
def _owners(kind: str) -> Executable:
    dates = (account.c[one.name] for one in fields(Owner))
    return select(account.c.address, *dates).where(dialect.among(kind, account.c.address, "addresses"))


def dates(connection: Connection, address: str) -> dict[str, int | None] | None:
    """Return the dates of an account that its user may see, by name; None where there is no account."""
    columns = (account.c.created, account.c.closed, account.c.restricted, account.c.last_sign_in)
    row = connection.execute(select(*columns).where(account.c.address == address)).one_or_none()
    return None if row is None else dict(row._mapping)


def life(connection: Connection, address: str) -> Life | None:
    """Return what was_erased() wants to know; None where there is no account, and no trace of one."""
    columns = select(account.c.created, account.c.erasure).where(account.c.address == address)
    row = connection.execute(columns).one_or_none()
    return None if row is None else Life(*row)


def was_erased(connection: Connection, address: str, *, since: Life | None) -> bool:
    """Tell whether an account was erased since life() was asked, and was not made anew after it."""
    now = life(connection, address)
    if now is None:  # what is erased leaves no trace where nothing is kept
        return since is not None and not since.is_over
    return now.is_over and now.erasure != (since and since.erasure)


def put(connection: Connection, address: str, date: Date, value: int | None) -> None:
    """Set a date of an account: Unix ms, or None."""
    mine = account.c.address == address
    connection.execute(update(account).where(mine).values({account.c[date.value]: value}))


def signed_in(connection: Connection, address: str, *, now: int) -> None:
    """Set when somebody signed in last: never before a warning, though a clock was set back since."""
    known = owners(connection, [address]).get(address, Owner())
    last = max(now, known.last_sign_in or 0, known.warned or 0)
    connection.execute(update(account).where(account.c.address == address).values(last_sign_in=last))


def every(connection: Connection) -> Iterator[tuple[str, Owner]]:
    """Return the accounts that are there, and what is known of them, by address, a page at a time."""
    rows = select(account.c.address).where(IS_THERE).order_by(account.c.address).limit(PAGE)
    after = ""
    while page := connection.execute(rows.where(account.c.address > after)).scalars().all():
        yield from owners(connection, page).items()
        after = page[-1]


def held(connection: Connection, addresses: Sequence[str]) -> dict[str, int]:
    """Return until when the records of those addresses are held that are under a hold; Unix milliseconds."""
    statement = _held(connection.dialect.name)
    return dict(driver.run(connection, statement, {"addresses": dialect.listed(connection, addresses)}))


@cache
def _held(kind: str) -> Executable:
    latest = select(hold.c.account, func.max(hold.c.until)).where(hold.c.released.is_(None))
    return latest.where(dialect.among(kind, hold.c.account, "addresses")).group_by(hold.c.account)
