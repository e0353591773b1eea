"""`tamis transparency` and `tamis breach-scope`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_config, make_ticket

from tamis.config import Config
from tamis.desk import transparency
from tamis.desk.transparency import Row
from tamis.store import acts, settings
from tamis.store.acts import Kind
from tamis.store.database import Database
from tamis.store.schema import account, session
from tamis.ticket import new_id

HOUR = 3_600_000  # milliseconds
BREACH = ("breach-scope", "--since", "2026-11-23", "--until", "2026-11-24", "--json")


@pytest.fixture
def config(tamis: Tamis, tmp_path: Path) -> Config:
    return make_config(tmp_path)


def ms(year: int, month: int = 1, day: int = 1) -> int:
    return round(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def act(config: Config, kind: Kind, now: int, **body: object) -> None:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        acts.add(connection, kind, {"operator": "olga", **body}, now=now)


def report(config: Config, year: int) -> list[Row]:
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return list(transparency.report(connection, year))


def test_acts_are_counted_by_kind_authority_and_jurisdiction(config: Config) -> None:
    paris = {"authority": "Tribunal de Paris", "jurisdiction": "FR"}
    for who in ("anna@example.org", "bob@example.org", "bob@example.org"):
        act(config, Kind.DISCLOSURE, ms(2026, 5), account=who, reference="2026/117", **paris)
    act(
        config, Kind.DISCLOSURE, ms(2026, 6), account="bob@example.org", authority="Parket", jurisdiction="BE"
    )
    act(config, Kind.HOLD, ms(2026, 7), account="bob@example.org", authority="Parket")
    act(config, Kind.READING, ms(2026, 8), command="tickets", scope={"account": "bob@example.org"})
    act(config, Kind.READING, ms(2026, 8), command="tickets", scope={})

    assert report(config, 2026) == [
        Row("disclosure", "Parket", "BE", acts=1, accounts=1),
        Row("disclosure", "Tribunal de Paris", "FR", acts=3, accounts=2),
        Row("hold", "Parket", None, acts=1, accounts=1),
        Row("reading", None, None, acts=2, accounts=1),
    ]


def test_a_year_begins_and_ends_at_midnight_utc(config: Config) -> None:
    for now in (ms(2026) - 1, ms(2026), ms(2027) - 1, ms(2027)):
        act(config, Kind.HOLD, now, account="bob@example.org", authority="Parket")

    assert [row.acts for row in report(config, 2026)] == [2]


def test_the_report_names_no_person(config: Config, tamis: Tamis) -> None:
    act(config, Kind.DISCLOSURE, ms(2026), account="bob@example.org", reference="2026/117", authority="A")

    told = tamis("transparency", "--year", "2026"), tamis("transparency", "--year", "2026", "--json")

    assert all(done.status == 0 for done in told)
    assert not any(word in done.out for done in told for word in ("bob", "117", "olga"))
    assert told[1].lines == [
        {"kind": "disclosure", "authority": "A", "jurisdiction": None, "acts": 1, "accounts": 1}
    ]


def test_a_year_without_orders_says_so(tamis: Tamis) -> None:
    assert tamis("transparency", "--year", "2025").out == "2025: disclosure 0, hold 0\n"


@pytest.mark.parametrize("year", ["26", "-2026", "20260", "2026-01", "\u0662\u0660\u0662\u0666", "9" * 5000])
def test_a_year_that_is_none_is_wrong_use(tamis: Tamis, year: str) -> None:
    done = tamis("transparency", "--year", year)

    assert done.status == 2
    assert "expected a year such as 2026" in done.err


def test_who_must_be_told_is_who_had_records_then(config: Config, tamis: Tamis) -> None:
    day = NOON - 12 * HOUR
    times = [day - 1, day, day + 24 * HOUR - 1, day + 24 * HOUR]
    keep(config, [make_ticket(milliseconds=one) for one in times])
    keep(config, [make_ticket("late@example.org", milliseconds=times[-1]), make_ticket(None)])
    sent = replace(make_ticket("carl@example.org", milliseconds=times[0]), sender_account="anna@example.org")
    keep(config, [sent])
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        connection.execute(
            session.insert(),
            {"id": new_id(NOON), "account": "bob@example.org", "kind": "options", "address": None},
        )
        connection.execute(
            account.insert(), {"address": "bob@example.org", "created": times[0], "closed": times[1]}
        )

    done = tamis(*BREACH)

    assert done.status == 0
    assert done.lines == [
        {
            "account": "anna@example.org",
            "status": None,
            "records": {"ticket": {"there": 1, "made": 0}},
        },
        {
            "account": "bob@example.org",
            "status": "closed",
            "records": {
                "account": {"there": 1, "made": 0},
                "session": {"there": 1, "made": 1},
                "ticket": {"there": 3, "made": 2},
            },
        },
        {
            "account": "carl@example.org",
            "status": None,
            "records": {"ticket": {"there": 1, "made": 0}},
        },
    ]


def test_an_account_without_mail_is_told_of_its_settings(config: Config, tamis: Tamis) -> None:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        settings.change(connection, "bob@example.org", {"antispam": "off"})

    done = tamis("breach-scope", "--since", "2000-01-01", "--until", "9999-01-01")

    assert done.out == "bob@example.org  active  account 1 (1 made)\n"


def test_a_breach_without_records_tells_nobody(tamis: Tamis) -> None:
    assert (tamis(*BREACH).status, tamis(*BREACH).out) == (0, "")


@pytest.mark.parametrize("until", ["2026-11-23", "2026-11-22"])
def test_a_time_that_ends_before_it_begins_is_wrong_use(tamis: Tamis, until: str) -> None:
    done = tamis("breach-scope", "--since", "2026-11-23", "--until", until)

    assert (done.status, done.err) == (2, "tamis: --until: expected a time after --since\n")
