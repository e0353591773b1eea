"""Purging by the real store: what is due goes, what is not stays, and a receipt tells it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_config, make_ticket, path_of, stored, write_settings

from tamis.config import Config
from tamis.desk import purge, status
from tamis.desk.holds import Request
from tamis.desk.holds import add as hold
from tamis.desk.purge import ClockLeap, Purge
from tamis.desk.status import Act
from tamis.retention.period import DAY
from tamis.store import acts, aliases, copies, forgetting, owners, pace, receipts, sessions, verification
from tamis.store.acts import Kind
from tamis.store.aliases import Alias
from tamis.store.database import Database
from tamis.store.owners import Date
from tamis.store.pace import Pace
from tamis.ticket import Outcome, new_id

ANNA, BOB = "anna@example.org", "bob@example.org"
YEAR = 365 * DAY
PACE = Pace(sleep=lambda _: None)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def purged(database: Database, config: Config, now: int) -> dict[str, int]:
    """Purge at a Unix time in ms; return how many went, by class."""
    work = Purge(database, config.rules, now=now, pace=PACE)
    work.run()
    purge.clean_up(database, PACE)
    return counts(work)


def counts(work: Purge) -> dict[str, int]:
    """Return how many went, by class."""
    found: dict[str, int] = {}
    for line in work.tally.lines():
        kind, count = line["class"], line["count"]
        assert isinstance(kind, str)
        assert isinstance(count, int)
        found[kind] = found.get(kind, 0) + count
    return found


def do(database: Database, address: str, act: Act, now: int) -> None:
    with database.writing() as connection:
        status.carry_out(connection, address, act, actor="root", notify=False, now=now)


def faults(database: Database) -> int:
    return verification.verify(database).faults


# --- By age ----------------------------------------------------------------------------------------


def test_only_what_is_over_its_ceiling_goes(config: Config, database: Database) -> None:
    old, young = (make_ticket(milliseconds=NOON - days * DAY) for days in (363, 361))
    keep(config, [old, young])

    gone = purged(database, config, NOON)

    assert gone == {"ticket": 1}
    assert stored(config) == [(young.id,)]
    assert stored(config, "SELECT ticket FROM ticket_account") == [(young.id,)]
    assert faults(database) == 0


def test_a_purge_for_each_record_of_the_classes(config: Config, database: Database) -> None:
    with database.writing() as connection:
        sessions.sign_in(connection, ANNA, sessions.Kind.SMTP, "192.0.2.1", now=NOON - 40 * DAY)
        acts.add(connection, Kind.READING, {"command": "tickets"}, now=NOON - 7 * YEAR)
        hold(connection, BOB, Request("R1", "court", None), until=NOON - 7 * YEAR, now=NOON - 8 * YEAR)
        copies.remember(connection, [b"1", b"2"], now=NOON - 2 * DAY)
        copies.remember(connection, [b"3"], now=NOON)
        receipts.put(connection, new_id(NOON - 8 * YEAR), {})
        receipts.put(connection, new_id(NOON - DAY), {})

    gone = purged(database, config, NOON)

    assert gone == {"session": 1, "legal_act": 2, "copy_guard": 2, "receipt": 1}
    assert stored(config, "SELECT count(*) FROM hold") == [(0,)]
    assert stored(config, "SELECT key FROM copy_guard") == [(b"3",)]


def test_a_hold_that_lasts_stays_with_its_act(config: Config, database: Database) -> None:
    with database.writing() as connection:
        hold(connection, BOB, Request("R1", "court", None), until=NOON + YEAR, now=NOON - 8 * YEAR)

    assert purged(database, config, NOON) == {}


def test_what_is_held_stays_until_the_hold_ends(config: Config, database: Database) -> None:
    keep(config, [make_ticket(BOB, milliseconds=NOON - 2 * YEAR)])
    with database.writing() as connection:
        hold(connection, BOB, Request("R1", "court", None), until=NOON + 10 * DAY, now=NOON - 3 * YEAR)

    before, after = (purged(database, config, NOON + days * DAY) for days in (9, 10))

    assert (before, after) == ({}, {"ticket": 1})


def test_a_hold_that_comes_between_reading_and_deleting_is_kept(config: Config, database: Database) -> None:
    keep(config, [make_ticket(BOB, milliseconds=NOON - 2 * YEAR - number) for number in range(60)])

    def held(_: float) -> None:  # after the first batch
        with database.writing() as connection:
            hold(connection, BOB, Request("R1", "court", None), until=NOON + DAY, now=NOON)

    Purge(database, config.rules, now=NOON, pace=Pace(sleep=held)).run()

    assert len(stored(config)) == 60 - pace.FIRST


def test_purging_twice_is_purging_once(config: Config, database: Database) -> None:
    keep(config, [make_ticket(milliseconds=NOON - 2 * YEAR)])

    first, second = (purged(database, config, NOON) for _ in range(2))

    assert (first, second) == ({"ticket": 1}, {})


# --- By the dates of accounts ----------------------------------------------------------------------


def test_a_closed_account_goes_with_its_last_record(config: Config, database: Database) -> None:
    write_settings(config, ANNA, antispam="off")
    keep(config, [make_ticket(ANNA, milliseconds=NOON)])
    with database.writing() as connection:
        aliases.put(connection, Alias("team@example.org", (ANNA, BOB)))
        aliases.put(connection, Alias("a@example.org", (ANNA,)))
    do(database, ANNA, Act.CLOSE, NOON)

    closed = purged(database, config, NOON + 26 * DAY)
    month = purged(database, config, NOON + 27 * DAY)
    left = stored(config, "SELECT address FROM account")
    year = purged(database, config, NOON + YEAR)

    assert (closed, month) == ({}, {"account": 1})
    assert left == [(ANNA,)]
    assert year == {"ticket": 1, "setting_change": 1, "account": 1}
    assert stored(config, "SELECT address FROM account") == []
    assert stored(config, "SELECT name, target FROM alias") == [("team@example.org", BOB)]


def test_a_reopened_account_is_whole(tmp_path: Path) -> None:
    config = make_config(tmp_path, more='[retention]\npreset = "mailpro"')
    with contextlib.closing(Database(config.store)) as database:
        write_settings(config, ANNA, antispam="off")
        keep(config, [make_ticket(ANNA)])
        do(database, ANNA, Act.CLOSE, NOON)
        do(database, ANNA, Act.REOPEN, NOON + 50 * DAY)

        assert purged(database, config, NOON + 100 * DAY) == {}


def test_restriction_ends_what_no_floor_keeps(tmp_path: Path) -> None:
    config = make_config(tmp_path, more='[retention]\npreset = "mailo"')
    with contextlib.closing(Database(config.store)) as database:
        write_settings(config, ANNA, antispam="off")
        keep(config, [make_ticket(ANNA, milliseconds=NOON), make_ticket(BOB, milliseconds=NOON)])
        with database.writing() as connection:
            owners.put(connection, ANNA, Date.RESTRICTED, NOON)

        gone = [purged(database, config, NOON + days * DAY) for days in (364, 365)]

        assert gone == [{}, {"ticket": 1}]


def test_a_ticket_stays_for_as_long_as_one_of_its_accounts_may_keep_it(
    config: Config, database: Database
) -> None:
    one = make_ticket(ANNA)
    bobs = replace(one.recipients[0], account=BOB)
    keep(config, [replace(one, recipients=(one.recipients[0], bobs))])
    with database.writing() as connection:
        forgetting.erase(connection, ANNA, now=NOON + DAY)
    first = purged(database, config, NOON + 2 * DAY)
    with database.writing() as connection:
        forgetting.erase(connection, BOB, now=NOON + 3 * DAY)
    planned = Purge(database, config.rules, now=NOON + 4 * DAY, pace=PACE)
    planned.plan()

    second = purged(database, config, NOON + 4 * DAY)

    assert first == {}
    assert second == {"ticket": 1, "account": 2}
    assert counts(planned) == {"ticket": 1}


# --- Receipts, dry runs, clocks --------------------------------------------------------------------


def test_a_receipt_tells_rule_and_times(config: Config, database: Database) -> None:
    keep(config, [make_ticket(milliseconds=NOON - days * DAY) for days in (400, 500)])

    purged(database, config, NOON)

    with database.reading() as connection:
        (receipt,) = receipts.find(connection)
    assert receipt["purged"] == [
        {
            "class": "ticket",
            "rule": 'ticket.age.ceiling = "1 year"',
            "count": 2,
            "oldest": "2025-07-11T12:00:00.000Z",
            "newest": "2025-10-19T12:00:00.000Z",
        }
    ]
    assert receipt["finished"] == receipt["time"] == "2026-11-23T12:00:00.000Z"


def test_a_dry_run_counts_and_changes_nothing(config: Config, database: Database) -> None:
    keep(config, [make_ticket(milliseconds=NOON - 400 * DAY)])
    with database.writing() as connection:
        copies.remember(connection, [b"1"], now=NOON - DAY)
    before = path_of(config).with_name("tamis.db-wal").read_bytes()

    work = Purge(database, config.rules, now=NOON, pace=PACE)
    work.plan()

    assert counts(work) == {"ticket": 1, "copy_guard": 1}
    assert path_of(config).with_name("tamis.db-wal").read_bytes() == before
    assert stored(config, "SELECT id FROM receipt") == []


def test_a_clock_that_leaps_ahead_is_refused(config: Config, database: Database) -> None:
    purged(database, config, NOON)

    assert purge.check_clock(database, NOON + YEAR) is None  # missed for a year
    with pytest.raises(ClockLeap):
        purge.check_clock(database, NOON + 401 * DAY)


def test_a_clock_that_was_set_back_is_told_and_deletes_less(config: Config, database: Database) -> None:
    keep(config, [make_ticket(milliseconds=NOON - 300 * DAY)])
    purged(database, config, NOON)

    warning = purge.check_clock(database, NOON - YEAR)

    assert warning is not None
    assert purged(database, config, NOON - YEAR) == {}
    assert faults(database) == 0


def test_the_oldest_record_stands_against_its_ceiling(config: Config, database: Database) -> None:
    keep(config, [make_ticket(milliseconds=NOON)])

    (oldest,) = purge.oldest(database, config.rules)

    assert (oldest.time, oldest.gone_by) == (NOON, NOON + YEAR)


# --- Over years ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "days"), [("", 362), ("mailo", 393)])
def test_two_years_of_purges_keep_the_promise(tmp_path: Path, preset: str, days: int) -> None:
    config = make_config(tmp_path, more=f'[retention]\npreset = "{preset}"')
    with contextlib.closing(Database(config.store)) as database:
        for day in range(0, 2 * 365, 15):
            now = NOON + day * DAY
            keep(config, [make_ticket(milliseconds=now)])
            if 200 < day < 565:
                continue  # missed for a year
            purged(database, config, now)
            oldest = purge.oldest(database, config.rules)[0]
            assert now - oldest.time <= days * DAY

        assert faults(database) == 0


# --- The command -----------------------------------------------------------------------------------


def test_the_command_prints_what_went(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, [make_ticket(milliseconds=NOON - 4 * YEAR)])

    dry, done, again = (tamis("purge", *more, "--json") for more in (["--dry-run"], [], []))

    assert [one.status for one in (dry, done, again)] == [0, 0, 0]
    assert dry.lines[0]["purged"] == done.lines[0]["purged"]
    assert done.lines[0]["purged"][0]["count"] == 1
    assert again.lines[0]["purged"] == []
    assert dry.lines[0]["dry_run"] is True


def test_a_leap_of_the_clock_needs_a_yes(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, [make_ticket(milliseconds=NOON - 4 * YEAR)])
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        receipts.put(connection, new_id(NOON - 2 * YEAR), {})

    refused, agreed = tamis("purge"), tamis("purge", "--yes")

    assert (refused.status, refused.out, agreed.status) == (1, "", 0)
    assert "nothing is purged" in refused.err
    assert "purged class=ticket count=1" in agreed.out


# --- Deleted is deleted ----------------------------------------------------------------------------


def raw(config: Config) -> bytes:
    """Return all octets of the database's files."""
    return b"".join(one.read_bytes() for one in sorted(path_of(config).parent.glob("tamis.db*")))


def test_nothing_of_what_was_purged_is_left_in_the_files(config: Config, database: Database) -> None:
    source = random.Random(5)  # noqa: S311
    numbers = source.sample(range(1_000_000), 3000)
    given = [
        make_ticket(
            f"user{number:06d}@example.org",
            message_id=f"<mark{number:06d}{'x' * source.randrange(80)}@example.net>",
            milliseconds=NOON - source.choice((400, 100)) * DAY + position,
        )
        for position, number in enumerate(numbers)
    ]
    given.sort(key=lambda one: one.id)
    for start in range(0, len(given), 50):
        keep(config, given[start : start + 50])

    purged(database, config, NOON)

    text = raw(config)
    left = {one for (one,) in stored(config)}
    for one in given:
        (outcome,) = one.recipients
        assert isinstance(outcome, Outcome)
        words = [str(one.message_id).encode(), str(outcome.account).encode(), one.id.encode()]
        assert {word in text for word in words} == {one.id in left}
    assert path_of(config).with_name("tamis.db-wal").stat().st_size == 0
    assert stored(config, "PRAGMA freelist_count") == [(0,)]
