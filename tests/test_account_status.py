"""`tamis account close`, `reopen`, `restrict` and `report`, and the records that changes leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.examples import envelope, findings, message
from tests.stores import NOON, PROMISED, make_config, make_ticket, running, stored, until, write_settings

from tamis import config as configuration
from tamis.config import Config
from tamis.desk import settings as desk
from tamis.desk import status
from tamis.desk.status import Act
from tamis.finding import Filter, Findings
from tamis.message import Message
from tamis.pipeline import Pipeline
from tamis.preferences import Value
from tamis.retention.due import Owner
from tamis.store import owners, settings, tickets
from tamis.store.database import Database
from tamis.store.owners import Date

ANNA, BOB = "anna@example.org", "bob@example.org"
DAY = 86_400_000  # milliseconds


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def do(database: Database, act: Act, *, now: int = NOON) -> bool:
    """Do something to Anna's account; tell whether it changed."""
    with database.writing() as connection:
        return status.carry_out(connection, ANNA, act, actor="root", notify=False, now=now) is not None


def owner(database: Database) -> Owner:
    with database.reading() as connection:
        return owners.owners(connection, [ANNA])[ANNA]


def test_closing_starts_the_clock_and_closing_again_does_not_start_it_anew(
    config: Config, database: Database
) -> None:
    write_settings(config, ANNA)

    changed = do(database, Act.CLOSE), do(database, Act.CLOSE, now=NOON + DAY)

    assert (changed, owner(database).closed) == ((True, False), NOON)


def test_reopening_makes_whole_and_counts_as_a_sign_in(config: Config, database: Database) -> None:
    write_settings(config, ANNA, antispam="off")
    do(database, Act.CLOSE)

    do(database, Act.REOPEN, now=NOON + DAY)

    with database.reading() as connection:
        assert settings.own(connection, [ANNA]) == {ANNA: {"antispam": "off"}}
    assert owner(database) == Owner(last_sign_in=NOON + DAY)


def test_a_sign_in_counts_after_a_warning_though_the_clock_was_set_back(
    config: Config, database: Database
) -> None:
    write_settings(config, ANNA)
    with database.writing() as connection:
        owners.put(connection, ANNA, Date.WARNED, NOON + DAY)
        owners.signed_in(connection, ANNA, now=NOON)

    assert owner(database).last_sign_in == NOON + DAY


def test_each_change_is_a_record_in_the_same_transaction(config: Config, database: Database) -> None:
    write_settings(config, ANNA, antispam="off")
    with pytest.raises(KeyboardInterrupt), database.writing() as connection:
        desk.put(connection, ANNA, {"graymail": "off"}, actor="root", notify=False, now=NOON)
        raise KeyboardInterrupt

    wanted: dict[str, Value] = {"antispam": "on", "senders.blocked": ("@example.net",), "graymail": "on"}
    with database.writing() as connection:
        desk.put(connection, ANNA, wanted, actor="root", notify=False, now=NOON)
        desk.put(connection, ANNA, {"antispam": "on"}, actor="root", notify=False, now=NOON)
    do(database, Act.CLOSE, now=NOON + DAY)
    do(database, Act.REOPEN, now=NOON + 2 * DAY)

    rows = stored(config, "SELECT account, actor, key, old, new FROM setting_change ORDER BY id")
    assert sorted(rows[:3]) == [
        (ANNA, "root", "antispam", '"off"', '"on"'),
        (ANNA, "root", "graymail", None, '"on"'),
        (ANNA, "root", "senders.blocked", None, '["@example.net"]'),
    ]
    assert rows[3:] == [
        (ANNA, "root", "closed", None, '"2026-11-24T12:00:00.000Z"'),
        (ANNA, "root", "closed", '"2026-11-24T12:00:00.000Z"', None),
    ]


def test_learning_on_and_off_are_consents_given_and_withdrawn(config: Config, database: Database) -> None:
    with database.writing() as connection:
        desk.put(connection, ANNA, {"learning": "on"}, actor="user", notify=False, now=NOON)
        desk.put(connection, ANNA, {"learning": "off"}, actor="user", notify=False, now=NOON + 1)

    rows = stored(config, "SELECT account, purpose, given, actor FROM consent ORDER BY id")
    assert rows == [(ANNA, "learning", 1, "user"), (ANNA, "learning", 0, "user")]


def test_commands_say_who_changed(tamis: Tamis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "carol")

    tamis("account", "set", ANNA, "antispam=off")
    tamis("account", "restrict", ANNA)

    config = configuration.load(str(tmp_path / "tamis.toml"))
    rows = stored(config, "SELECT actor, key FROM setting_change ORDER BY key")
    assert rows == [("carol", "antispam"), ("carol", "restricted")]


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        (["close"], "closed"),
        (["close", "close"], "closed"),
        (["close", "reopen"], "active"),
        (["restrict"], "restricted"),
        (["restrict --lift"], "active"),
        (["restrict", "restrict --lift"], "active"),
        (["restrict", "close", "reopen"], "restricted"),
    ],
)
def test_status_is_what_was_done_last(tamis: Tamis, acts: list[str], expected: str) -> None:
    tamis("account", "set", ANNA, "antispam=off")

    done = [tamis("account", *act.split(), ANNA, "--json") for act in acts]

    assert {one.status for one in done} == {0}
    assert done[-1].lines == [{"address": ANNA, "status": expected}]
    assert tamis("account", "show", ANNA, "--json").lines[0]["status"] == expected


@pytest.mark.parametrize("act", ["close", "reopen", "restrict --lift"])
def test_what_is_no_account_is_not_closed(tamis: Tamis, act: str) -> None:
    done = tamis("account", *act.split(), ANNA)

    assert (done.status, tamis("account", "list").out) == (1, "")
    assert done.err == f"tamis: {ANNA} has no account\n"


def test_restricting_makes_an_account_as_set_does(tamis: Tamis) -> None:
    assert tamis("account", "restrict", "Anna@example.org").status == 0
    assert tamis("account", "list").out == f"{ANNA}  restricted\n"


def test_mailbox_that_only_a_file_knows_can_be_closed(tamis: Tamis, tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text(f"{ANNA} {ANNA}\n")
    configuration_file = tmp_path / "tamis.toml"
    more = f'[accounts]\nsources = ["file:{tmp_path}/aliases"]\n'
    configuration_file.write_text(configuration_file.read_text() + more)

    assert tamis("account", "close", ANNA).status == 0
    assert tamis("account", "list").out == f"{ANNA}  closed\n"


def test_no_filter_is_in_force_for_a_restricted_account_whatever_is_set_or_locked(
    tamis: Tamis, tmp_path: Path
) -> None:
    configuration_file = tmp_path / "tamis.toml"
    configuration_file.write_text(configuration_file.read_text() + "[users]\nmay_change = []\n")
    tamis("account", "set", ANNA, "antispam=on", "learning=on")

    tamis("account", "restrict", ANNA)

    (shown,) = tamis("account", "show", ANNA, "--json").lines
    assert [shown["settings"][key] for key in ("antivirus", "antispam", "graymail", "learning")] == [
        "off"
    ] * 4
    assert shown["own"] == {"antispam": "on", "learning": "on"}


class Scans:
    """Finds nothing, and keeps which filters were wanted."""

    def __init__(self) -> None:
        self.wanted: list[frozenset[Filter]] = []

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Note what is wanted."""
        self.wanted.append(wanted)
        return findings()


def test_no_filter_runs_on_mail_of_a_restricted_account_within_a_second(
    config: Config, database: Database
) -> None:
    write_settings(config, ANNA, antispam="on")
    scans = Scans()
    letter = message(around=envelope(ANNA))

    async def story() -> bool:
        async with running(config) as store:
            pipeline = Pipeline(config, store, store, scans)
            await pipeline.handle(letter)
            await asyncio.to_thread(do, database, Act.RESTRICT)

            async def nothing_is_wanted() -> bool:
                await pipeline.handle(letter)
                return not scans.wanted[-1]

            return await until(nothing_is_wanted, seconds=PROMISED)

    assert asyncio.run(story())
    assert scans.wanted[0] == frozenset(Filter)


def test_report_says_what_is_kept_how_many_and_of_when(tamis: Tamis, tmp_path: Path) -> None:
    tamis("account", "set", ANNA, "learning=on")
    config = configuration.load(str(tmp_path / "tamis.toml"))
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        given = [make_ticket(ANNA, milliseconds=NOON + number * DAY) for number in range(3)]
        tickets.add(connection, tickets.rows([*given, make_ticket(BOB, milliseconds=NOON - DAY)]))

    done = tamis("account", "report", ANNA, "--json")

    (told,) = done.lines
    assert (done.status, told["address"], told["status"], told["kept"]) == (0, ANNA, "active", True)
    assert [one["class"] for one in told["records"]] == ["account", "ticket", "setting_change", "consent"]
    assert told["records"][1] == {
        "class": "ticket",
        "count": 3,
        "oldest": "2026-11-23T12:00:00.000Z",
        "newest": "2026-11-25T12:00:00.000Z",
    }
    assert "ticket                3  2026-11-23" in tamis("account", "report", ANNA).out


def test_report_of_nobody_is_a_no(tamis: Tamis) -> None:
    done = tamis("account", "report", ANNA, "--json")

    assert done.status == 1
    assert done.lines == [{"address": ANNA, "status": "none", "kept": False, "records": []}]
