"""Dates of accounts, what follows from them, and holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from tests.stores import NOON, make_config, on_every_store

from tamis.retention.due import Owner
from tamis.store import owners, settings
from tamis.store.database import Database
from tamis.store.owners import Life, Status
from tamis.store.schema import account, hold

ANNA, BOB = "anna@example.org", "bob@example.org"
DAY = 86_400_000  # milliseconds


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(Database(make_config(tmp_path).store)) as one:
        yield one


def make(database: Database, **dates: int | None) -> None:
    """Make Bob's account at noon, with dates."""
    with database.writing() as connection:
        connection.execute(insert(account), {"address": BOB, "created": NOON} | dates)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({}, Status.ACTIVE),
        ({"restricted": NOON + 1}, Status.RESTRICTED),
        ({"closed": NOON + 1}, Status.CLOSED),
        ({"closed": NOON + 1, "restricted": NOON + 1}, Status.CLOSED),
        ({"closed": NOON + 1, "erasure": NOON + 2}, Status.ERASED),
        ({"erasure": NOON}, Status.ERASED),
        ({"erasure": NOON - 1}, Status.ACTIVE),
    ],
)
@on_every_store
def test_status_follows_from_dates(
    database: Database, dates: dict[str, int | None], expected: Status
) -> None:
    make(database, **dates)

    with database.reading() as connection:
        found = settings.status(connection, BOB), list(settings.accounts(connection))

    assert found == (expected, [settings.Account(BOB, expected)])


ALIVE, OVER, ANEW = (NOON, None), (NOON, NOON + 1), (NOON + 2, NOON + 1)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, False),
        (None, ALIVE, False),
        (None, OVER, True),  # what was recorded about an address without account
        (ALIVE, ALIVE, False),
        (ALIVE, OVER, True),
        (ALIVE, None, True),
        (ALIVE, ANEW, False),
        (OVER, OVER, False),
        (OVER, None, False),
        (OVER, ANEW, False),
        (ANEW, (NOON + 2, NOON + 3), True),
    ],
)
def test_an_erasure_since_is_told_from_one_before(
    database: Database,
    before: tuple[int, int | None] | None,
    after: tuple[int, int | None] | None,
    expected: bool,
) -> None:
    if after is not None:
        make(database, created=after[0], erasure=after[1])

    with database.reading() as connection:
        found = owners.was_erased(connection, BOB, since=before and Life(*before))

    assert found == expected


@on_every_store
def test_owners_are_those_whose_dates_are_known(database: Database) -> None:
    make(database, closed=NOON + 1, last_sign_in=NOON + 2, warned=NOON + 3)

    with database.reading() as connection:
        found = owners.owners(connection, [ANNA, BOB])

    assert found == {BOB: Owner(closed=NOON + 1, last_sign_in=NOON + 2, warned=NOON + 3)}


@on_every_store
def test_an_erased_account_is_none_until_it_is_made_again(database: Database) -> None:
    make(database, closed=NOON, erasure=NOON + 1, restricted=NOON)

    with database.writing() as connection:
        before = settings.own(connection, [BOB])
        settings.change(connection, BOB, {"antispam": "off"})
        after = settings.own(connection, [BOB])
        dates = owners.owners(connection, [BOB])[BOB]
        status = settings.status(connection, BOB)

    assert (before, after) == ({}, {BOB: {"antispam": "off"}})
    assert (status, dates) == (Status.ACTIVE, Owner(erasure=NOON + 1))


@on_every_store
def test_an_account_made_again_is_there_though_the_clock_was_set_back(database: Database) -> None:
    far = 4 * NOON
    make(database, erasure=far)

    with database.writing() as connection:
        settings.change(connection, BOB, {})

    with database.reading() as connection:
        assert settings.status(connection, BOB) is Status.ACTIVE


@on_every_store
def test_records_are_held_until_the_last_hold_ends(database: Database) -> None:
    with database.writing() as connection:
        for number, (name, until) in enumerate([(BOB, 1), (BOB, 3), (BOB, 2), (ANNA, 5)]):
            row = {"id": str(number), "account": name, "until": NOON + until * DAY}
            connection.execute(insert(hold), row)

    with database.writing() as connection:
        found = owners.held(connection, [BOB, "carol@example.org"])
        connection.execute(update(hold).where(hold.c.id == "1").values(released=NOON))
        released = owners.held(connection, [BOB])

    assert (found, released) == ({BOB: NOON + 3 * DAY}, {BOB: NOON + 2 * DAY})
