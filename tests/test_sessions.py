"""Sign-ins: those that the milter sees, and `tamis account sessions`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.commands import Tamis
from tests.examples import config as example
from tests.examples import envelope, findings, message
from tests.servers.milter import StartMilter
from tests.stores import (
    NOON,
    gives_up_soon,
    locked,
    make_config,
    make_ticket,
    running,
    stored,
    until,
    write_settings,
)

from tamis import config as configuration
from tamis.config import Config
from tamis.finding import Filter, Findings
from tamis.message import Message
from tamis.pipeline import Pipeline
from tamis.store import sessions
from tamis.store.database import Database
from tamis.store.schema import hold
from tamis.store.sessions import HOUR, Kind

ANNA, BOB = "anna@example.org", "bob@example.org"
ALL = "SELECT account, kind, address FROM session ORDER BY id"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = make_config(tmp_path)
    write_settings(made, ANNA)
    return made


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def record(config: Config, moments: Sequence[int]) -> list[str]:
    """Record sign-ins of Anna; return their IDs."""
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        return [sessions.sign_in(connection, ANNA, Kind.OPTIONS, "192.0.2.7", now=one) for one in moments]


def note(config: Config, given: Sequence[tuple[str, str | None, int]]) -> None:
    """Have a worker's store take note of logins, by a clock of ours, each in a worker of its own."""

    async def story() -> None:
        for login, client, moment in given:
            async with running(config, now=lambda moment=moment: moment) as store:  # type: ignore[misc]
                store.signed_in(login, client)

    asyncio.run(story())


def test_a_sign_in_is_a_record_and_the_accounts_last(config: Config) -> None:
    record(config, [NOON + 5, NOON])

    assert stored(config, ALL) == [(ANNA, "options", "192.0.2.7")] * 2
    assert stored(config, "SELECT last_sign_in FROM account") == [(NOON + 5,)]


def test_each_account_and_client_is_recorded_once_an_hour(config: Config) -> None:
    note(
        config,
        [
            (ANNA, "192.0.2.7", NOON),
            (ANNA, "192.0.2.7", NOON + HOUR - 1),
            (ANNA, "192.0.2.7", NOON + HOUR),
            (ANNA, "192.0.2.8", NOON),
            (ANNA, None, NOON),
            (ANNA, None, NOON + 1),
            ("stranger@example.org", "192.0.2.7", NOON),
        ],
    )

    rows = stored(config, "SELECT account, kind, address FROM session")
    addresses = [row[2] for row in rows]
    assert {row[:2] for row in rows} == {(ANNA, "smtp")}
    assert sorted(addresses, key=str) == ["192.0.2.7", "192.0.2.7", "192.0.2.8", None]


def test_a_worker_asks_the_database_once_for_many_messages(config: Config) -> None:
    async def story() -> None:
        async with running(config, now=lambda: NOON) as store:
            for _ in range(1_000):
                store.signed_in(ANNA, "192.0.2.7")
            assert store._jobs.qsize() <= 1

    asyncio.run(story())

    assert len(stored(config, ALL)) == 1


@gives_up_soon
def test_mail_goes_on_where_a_sign_in_cannot_be_recorded_which_comes_later(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> bool:
        async with running(config, now=lambda: NOON) as store:
            await store.resolve([ANNA])
            with locked(config):
                store.signed_in(ANNA, "192.0.2.7")
                assert await until(lambda: "sign-in not recorded" in caplog.text)
            await store.add(make_ticket(ANNA))
            store.signed_in(ANNA, "192.0.2.7")
            return await until(lambda: len(stored(config, ALL)) == 1)

    assert asyncio.run(story())


class World:
    """A pipeline's surroundings that keep who signed in."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    def signed_in(self, login: str, client: str | None) -> None:
        """Keep it."""
        self.seen.append((login, client))

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Find nothing."""
        return findings()


@pytest.mark.parametrize(
    ("auth_user", "expected"),
    [
        ("Anna@Example.org", [(ANNA, "192.0.2.25")]),
        ("anna", [(ANNA, "192.0.2.25")]),
        (None, []),
    ],
)
def test_who_signed_in_to_send_a_message_is_noted(
    config: Config, auth_user: str | None, expected: list[tuple[str, str]]
) -> None:
    world = World()

    async def story() -> None:
        async with running(config) as store:
            pipeline = Pipeline(config, store, store, world, sign_ins=world)
            await pipeline.handle(message(around=envelope(BOB, mail_from=ANNA, auth_user=auth_user)))

    asyncio.run(story())

    assert world.seen == expected


def test_a_running_milter_records_who_signs_in_to_send(start_milter: StartMilter) -> None:
    milter = start_milter({"sessions": {"smtp": True}})
    milter.do("account", "set", ANNA, "antispam=on")

    for _ in range(2):
        milter.send(envelope("friend@example.net", mail_from=ANNA, auth_user="anna"), message().raw)
    milter.stop()  # and so writes what waits

    (listed,) = milter.do("account", "sessions", ANNA, "--json").splitlines()
    assert json.loads(listed)["kind"] == "smtp"


def test_smtp_is_off_unless_the_operator_wants_it() -> None:
    assert not example().sessions.smtp


@pytest.fixture
def site(tamis: Tamis, tmp_path: Path) -> Config:
    tamis("account", "set", ANNA, "antispam=off")
    return configuration.load(str(tmp_path / "tamis.toml"))


def test_sessions_are_listed_oldest_first(tamis: Tamis, site: Config) -> None:
    later, earlier = record(site, [NOON + HOUR, NOON])

    done = tamis("account", "sessions", ANNA, "--json")

    assert [one["id"] for one in done.lines] == [earlier, later]
    time = "2026-11-23T12:00:00.000Z"
    assert done.lines[0] == {"id": earlier, "time": time, "kind": "options", "address": "192.0.2.7"}
    assert tamis("account", "sessions", ANNA).out.startswith(f"{time}  options  192.0.2.7  {earlier}\n")


def test_sessions_are_deleted_one_by_one_or_all(tamis: Tamis, site: Config) -> None:
    first, second, *_ = record(site, [NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR])

    some = tamis("account", "sessions", ANNA, "--delete", first, "--delete", second, "--json")
    left = len(stored(site, ALL))
    rest = tamis("account", "sessions", ANNA, "--delete-all", "--json")

    assert some.lines == rest.lines == [{"address": ANNA, "deleted": 2, "kept": 0}]
    assert (some.status, rest.status, left, stored(site, ALL)) == (0, 0, 2, [])


def test_nobody_deletes_anothers_session(tamis: Tamis, site: Config) -> None:
    (one,) = record(site, [NOON])
    tamis("account", "set", BOB, "antispam=off")

    done = tamis("account", "sessions", BOB, "--delete", one)

    assert (done.status, len(stored(site, ALL))) == (1, 1)


def test_what_is_held_is_not_deleted(tamis: Tamis, site: Config) -> None:
    record(site, [NOON])
    with contextlib.closing(Database(site.store)) as database, database.writing() as connection:
        connection.execute(insert(hold), {"id": "1", "account": ANNA, "until": 4 * NOON})

    done = tamis("account", "sessions", ANNA, "--delete-all", "--json")

    assert (done.status, done.lines) == (1, [{"address": ANNA, "deleted": 0, "kept": 1}])
    assert "must stay" in done.err and len(stored(site, ALL)) == 1


def test_listing_is_on_record_as_a_reading(tamis: Tamis, site: Config) -> None:
    tamis("account", "sessions", ANNA)

    ((kind, body),) = stored(site, "SELECT kind, body FROM legal_act")
    assert kind == "reading" and json.loads(str(body))["scope"] == {"account": ANNA}
