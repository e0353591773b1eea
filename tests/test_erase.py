"""`tamis account erase`: what goes at once, what stays, and that nothing of it is left in the files."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import keep, make_config, make_ticket, path_of, stored, write_settings

from tamis.config import Config
from tamis.desk import erasure, purge
from tamis.desk.holds import Request
from tamis.desk.holds import add as hold
from tamis.desk.purge import Purge
from tamis.judgement import milliseconds_now
from tamis.retention.period import DAY
from tamis.store import aliases, changes, sessions, verification
from tamis.store.aliases import Alias
from tamis.store.changes import Change
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.store.settings import status
from tamis.ticket import Ticket

ANNA, BOB = "anna@example.org", "bob@example.org"
PACE = Pace(sleep=lambda _: None)
MAILO = '[retention]\npreset = "mailo"'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def to(account: str, number: int) -> Ticket:
    """Return a ticket of mail to an account alone, of yesterday."""
    made = make_ticket(
        account, message_id=f"<{number}.{account}>", milliseconds=milliseconds_now() - DAY + number
    )
    return replace(made, recipients=(replace(made.recipients[0], address=account),))


def settle(config: Config, database: Database) -> None:
    """Record something of all classes about anna, and tickets of bob."""
    now = milliseconds_now() - DAY
    write_settings(config, ANNA, antispam="off", senders_allowed=("friend@example.net",))
    keep(config, [to(ANNA, number) for number in range(120)])
    keep(config, [to(BOB, number) for number in range(30)])
    with database.writing() as connection:
        sessions.sign_in(connection, ANNA, sessions.Kind.SMTP, "192.0.2.77", now=now)
        changes.record(connection, ANNA, [Change("antispam", "on", "off")], actor="root", now=now)
        changes.agree(connection, ANNA, "learning", given=True, actor="user", now=now)
        aliases.put(connection, Alias("a@example.org", (ANNA,)))
        aliases.put(connection, Alias("team@example.org", (ANNA, BOB)))


def raw(config: Config) -> bytes:
    """Return all octets of the database's files."""
    return b"".join(one.read_bytes() for one in sorted(path_of(config).parent.glob("tamis.db*")))


def test_all_goes_at_once_that_nothing_keeps(tamis: Tamis, config: Config, database: Database) -> None:
    settle(config, database)

    done = tamis("account", "erase", ANNA, "--yes", "--json")

    gone = {one["class"]: one["count"] for one in done.lines[0]["erased"]}
    assert done.status == 0
    assert gone == {"ticket": 120, "session": 1, "setting_change": 1, "consent": 1, "account": 1}
    assert (done.lines[0]["kept"], done.lines[0]["status"]) == ([], "none")
    assert stored(config, "SELECT name, target FROM alias") == [("team@example.org", BOB)]
    assert len(stored(config)) == 30
    assert verification.verify(database).faults == 0


def test_nothing_of_it_is_left_in_the_files(tamis: Tamis, config: Config, database: Database) -> None:
    settle(config, database)
    assert ANNA.encode() in raw(config)

    tamis("account", "erase", ANNA, "--yes")

    text = raw(config)
    assert ANNA.encode() not in text
    assert b"192.0.2.77" not in text
    assert BOB.encode() in text


def test_nothing_of_it_is_left_where_rows_have_moved_from(config: Config, database: Database) -> None:
    source = random.Random(4)  # noqa: S311
    accounts = [f"user{number}.{'x' * source.randrange(20)}@example.org" for number in range(10)]
    given = []
    for number in range(600):
        made = to(source.choice(accounts), number)
        message_id = f"<{source.randrange(1 << 64):0{source.randrange(4, 90)}x}@mail.example.net>"
        given.append(replace(made, message_id=message_id))
    for start in range(0, 600, 50):
        keep(config, given[start : start + 50])

    gone = accounts[:7]
    for address in gone:
        erasure.erase(database, address, config.rules, notify=False, now=milliseconds_now(), pace=PACE)
    purge.clean_up(database, PACE)

    text = raw(config)
    words = [*gone, *(str(one.message_id) for one in given if one.recipients[0].account in gone)]
    assert [word for word in words if word.encode() in text] == []


def test_what_a_floor_keeps_is_told_and_goes_with_a_later_purge(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path, more=MAILO)
    (tmp_path / "mailo.toml").write_text((tmp_path / "tamis.toml").read_text())
    with contextlib.closing(Database(config.store)) as database:
        settle(config, database)

        done = tamis("account", "erase", ANNA, "--json", "--config", str(tmp_path / "mailo.toml"))

        kept = {(one["class"], one["reason"], one["count"]) for one in done.lines[0]["kept"]}
        assert kept == {("ticket", "floor", 120), ("setting_change", "floor", 1)}
        assert all(one["until"] for one in done.lines[0]["kept"])
        with database.reading() as connection:
            assert status(connection, ANNA) == "erased"
        work = Purge(
            database, config.rules, now=milliseconds_now() + 366 * DAY, pace=Pace(sleep=lambda _: None)
        )
        work.run()
        purge.clean_up(database, Pace())
        assert ANNA.encode() not in raw(config)


def test_what_is_held_stays_whole(tamis: Tamis, config: Config, database: Database) -> None:
    settle(config, database)
    with database.writing() as connection:
        now = milliseconds_now()
        hold(connection, ANNA, Request("R1", "court", None), until=now + DAY, now=now)

    done = tamis("account", "erase", ANNA)

    assert done.status == 0
    assert "kept class=ticket count=120 reason=hold" in done.out
    assert len(stored(config)) == 150
    assert len(stored(config, "SELECT key FROM setting")) == 2


def test_an_erased_account_is_shown_as_none(tamis: Tamis, config: Config, database: Database) -> None:
    settle(config, database)
    with database.writing() as connection:
        now = milliseconds_now()
        hold(connection, ANNA, Request("R1", "court", None), until=now + DAY, now=now)
    tamis("account", "erase", ANNA, "--yes")

    shown = tamis("account", "show", ANNA, "--json")

    assert (shown.status, shown.lines[0]["status"], shown.lines[0]["own"]) == (1, "erased", {})
    assert "was erased: these are the defaults" in shown.err


@pytest.mark.parametrize("held", [False, True])
def test_what_an_erased_account_had_set_does_not_come_back_with_its_user(
    tamis: Tamis, tmp_path: Path, held: bool
) -> None:
    config = make_config(tmp_path, more='[retention]\npreset = "mailfence"')
    (tmp_path / "mailfence.toml").write_text((tmp_path / "tamis.toml").read_text())
    chosen = ("--config", str(tmp_path / "mailfence.toml"))
    write_settings(config, ANNA, antispam="off")
    for act in ("close", "erase"):
        tamis("account", act, ANNA, *chosen)
    with contextlib.closing(Database(config.store)) as database:
        now = milliseconds_now()
        assert stored(config, "SELECT key FROM setting") == [("antispam",)]  # a floor keeps it
        with database.writing() as connection:
            if held:
                hold(connection, ANNA, Request("R1", "court", None), until=now + DAY, now=now)
            sessions.sign_in(connection, ANNA, sessions.Kind.OPTIONS, None, now=now)

        shown = tamis("account", "show", ANNA, "--json", *chosen)
        Purge(database, config.rules, now=now, pace=Pace(sleep=lambda _: None)).run()

    assert (shown.lines[0]["status"], shown.lines[0]["own"]) == ("active", {})
    left = stored(config, "SELECT actor, old FROM setting_change WHERE key = 'antispam'")
    assert left == [("tamis", '"off"')] * held
    assert stored(config, "SELECT key FROM setting") == []


def test_a_ticket_shared_with_another_account_stays(tamis: Tamis, config: Config, database: Database) -> None:
    keep(config, [replace(to(ANNA, 1), sender_account=BOB)])

    done = tamis("account", "erase", ANNA, "--json")

    (kept,) = done.lines[0]["kept"]
    assert (done.status, kept["class"], kept["reason"]) == (0, "ticket", "others")


def test_an_unknown_account_is_exit_status_1(tamis: Tamis) -> None:
    assert tamis("account", "erase", ANNA, "--yes").status == 1


def test_a_terminal_is_asked_first(
    tamis: Tamis, config: Config, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(config, database)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)

    assert tamis("account", "erase", ANNA).status == 1
    assert len(stored(config)) == 150


def test_the_user_is_told_what_stays(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=MAILO)
    with contextlib.closing(Database(config.store)) as database:
        settle(config, database)

        pace = Pace(sleep=lambda _: None)
        erasure.erase(database, ANNA, config.rules, notify=True, now=milliseconds_now(), pace=pace)

        ((kind, body),) = stored(config, "SELECT kind, body FROM notice")
        assert kind == "erased"
        assert set(json.loads(str(body))["kept"]) == {"ticket", "setting_change"}
