"""Purges and erasures that are killed at any point: nothing is half done, and the next purge ends it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stores import keep, make_config, make_ticket, stored, write_settings

from tamis.config import Config
from tamis.desk import erasure, purge
from tamis.desk.purge import Purge
from tamis.judgement import milliseconds_now
from tamis.retention.period import DAY
from tamis.store import receipts, verification
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.store.pseudonyms import is_pseudonymous

ANNA, BOB = "anna@example.org", "bob@example.org"
KILLS = int(os.environ.get("TAMIS_KILLS", "10"))  # of each
TICKETS = 60
STEPS = 100  # of SQLite's machine, between two points
NOW = milliseconds_now() + DAY  # after all is made
SEED = 20261128
PACE = Pace(sleep=lambda _: None)

Work = Callable[[Database, Config], None]


def purge_all(database: Database, config: Config) -> None:
    Purge(database, config.rules, now=NOW, pace=PACE).run()
    purge.clean_up(database, PACE)


def erase_anna(database: Database, config: Config) -> None:
    erasure.erase(database, ANNA, config.rules, notify=True, now=NOW, pace=PACE)
    purge.clean_up(database, PACE)


def points(work: Work, config: Config) -> int:
    """Do some work; return at how many points it could have been killed."""
    seen = 0

    def count() -> int:
        nonlocal seen
        seen += 1
        return 0

    with contextlib.closing(Database(config.store)) as database:
        watch(database, count)
        work(database, config)
    return seen


def killed(work: Work, config: Config, point: int) -> bool:
    """Do some work in a process that is killed at a point; tell whether it came so far."""
    child = os.fork()
    if not child:
        left = iter(range(point))

        def strike() -> int:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        database = Database(config.store)
        watch(database, strike)
        work(database, config)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def watch(database: Database, seen: Callable[[], int]) -> None:
    """Have something called at each point."""
    with database.reading() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(seen, STEPS)


def settled(folder: Path, age: int) -> Config:
    """Return a store with tickets of an age in days, and one of bob's."""
    folder.mkdir()
    config = make_config(folder, more='[tickets]\npseudonymise_after = "6 months"')
    write_settings(config, ANNA, antispam="off")
    keep(config, [make_ticket(ANNA, milliseconds=NOW - age * DAY + number) for number in range(TICKETS)])
    keep(config, [make_ticket(BOB, milliseconds=NOW - DAY)])
    return config


@pytest.mark.parametrize(("work", "age"), [(purge_all, 400), (erase_anna, 10)])
def test_killed_at_any_point_nothing_is_half_done(tmp_path: Path, work: Work, age: int) -> None:
    chance = random.Random(SEED)  # noqa: S311
    ends = points(work, settled(tmp_path / "whole", age))
    struck = 0
    for number in range(2 * KILLS):
        if struck >= KILLS:
            break
        config = settled(tmp_path / str(number), age)
        struck += killed(work, config, chance.randrange(ends))
        with contextlib.closing(Database(config.store)) as database:
            is_clean(database, config)
            is_meant = bool(stored(config, "SELECT 1 FROM account WHERE erasure IS NOT NULL"))
            purge_all(database, config)
            is_clean(database, config)
            erasure.finish(database, config.rules, now=NOW)
        is_erased = work is erase_anna and len(stored(config)) == 1
        assert stored(config, "SELECT kind FROM notice") == [("erased",)] * is_erased
        if work is purge_all or is_meant:
            assert len(stored(config)) == 1
        assert work is purge_all or is_meant or len(stored(config)) in (1, TICKETS + 1)

    assert struck == KILLS


def test_killed_while_it_writes_pseudonyms_no_ticket_is_lost_or_double(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311
    ends = points(purge_all, settled(tmp_path / "whole", 200))
    struck = 0
    for number in range(2 * KILLS):
        if struck >= KILLS:
            break
        config = settled(tmp_path / str(number), 200)
        struck += killed(purge_all, config, chance.randrange(ends))
        with contextlib.closing(Database(config.store)) as database:
            has_all(database, config)
            purge_all(database, config)
            assert has_all(database, config) == TICKETS

    assert struck == KILLS


def has_all(database: Database, config: Config) -> int:
    """See that all tickets are there as they are found, and counted; return how many have pseudonyms."""
    bodies = [json.loads(str(body)) for (body,) in stored(config, "SELECT body FROM ticket")]
    hidden = [one for one in bodies if is_pseudonymous(one)]
    with database.reading() as connection:
        receipt = [one for body in receipts.find(connection) for one in body["pseudonymised"]]

    assert verification.verify(database).faults == 0
    assert len(bodies) == len(stored(config, "SELECT ticket FROM ticket_account")) == TICKETS + 1
    assert sum(one["count"] for one in receipt) == len(hidden)
    return len(hidden)


def is_clean(database: Database, config: Config) -> None:
    """See that tickets are there with all that belongs to them, or gone with it, and counted."""
    left = len(stored(config))
    with database.reading() as connection:
        purged = [one for body in receipts.find(connection) for one in body["purged"]]
    gone = sum(one["count"] for one in purged if one["class"] == "ticket")

    assert verification.verify(database).faults == 0
    assert len(stored(config, "SELECT ticket FROM ticket_account")) == left
    assert gone + left == TICKETS + 1
