"""The store on a real PostgreSQL, where it is not as on SQLite: several who write at once, and a server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.servers.ports import free_port
from tests.servers.postgresql import TEMPLATE, PostgreSQL
from tests.servers.postgresql import running as running_server
from tests.stores import (
    NOON,
    URL,
    gives_up_soon,
    keep,
    locked,
    make_config,
    make_ticket,
    other,
    running,
    stored,
    until,
    write_config,
    write_settings,
)

from tamis import config as configuration
from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.service import parts
from tamis.store import chains, copies, removal, settings, tickets
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.store.verification import Report, verify
from tamis.ticket import DAY, Ticket

# How many wait for a lock.
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
def config(with_tables: PostgreSQL, tmp_path: Path) -> Iterator[Config]:
    """Return a configuration whose store is on PostgreSQL."""
    name = with_tables.new(TEMPLATE)
    (tmp_path / URL).write_text(with_tables.url(name))
    yield make_config(tmp_path)
    with_tables.drop(name)


def checked(config: Config) -> Report:
    with contextlib.closing(Database(config.store)) as database:
        return verify(database)


@contextlib.contextmanager
def writers(config: Config, count: int) -> Iterator[list[Database]]:
    """Lend databases, each with a connection of its own."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Database(config.store))) for _ in range(count)]


def add(database: Database, *given: Ticket) -> None:
    with database.adding() as connection:
        tickets.add(connection, tickets.rows(given))


def together(*acts: threading.Thread) -> None:
    for one in acts:
        one.start()
    for one in acts:
        one.join()


def test_writers_at_the_same_time_write_a_chain_each(config: Config) -> None:
    keep(config, [make_ticket()])
    with writers(config, 2) as (first, second):
        for _ in range(3):
            with first.adding() as one, second.adding() as two:
                tickets.add(one, tickets.rows([make_ticket()]))
                tickets.add(two, tickets.rows([make_ticket(), make_ticket()]))

    found = checked(config)

    assert (found.faults, found.tickets, found.chains) == (0, 10, 2)


def test_tickets_of_writers_in_a_hurry_are_all_chained(config: Config) -> None:
    def write(database: Database, seed: int) -> None:
        for number in range(40):
            day = (seed + number) % 3  # days are sealed while others still write them
            add(database, make_ticket(milliseconds=NOON + day * DAY), make_ticket())

    with writers(config, 4) as databases:
        pairs = enumerate(databases)
        together(*(threading.Thread(target=write, args=(one, seed)) for seed, one in pairs))
    keep(config, [make_ticket(milliseconds=NOON + 4 * DAY)])

    found = checked(config)
    assert (found.first, found.tickets) == ([], 4 * 40 * 2 + 1)
    assert found.chains == found.sealed + 1


def test_writer_does_not_wait_for_the_ticket_that_it_has_written_last(config: Config) -> None:
    with writers(config, 2) as (first, second):
        add(first, make_ticket())
        with second.adding() as connection:
            tickets.add(connection, tickets.rows([make_ticket()]))
            add(first, make_ticket())

    found = checked(config)
    assert (found.faults, found.tickets, found.chains) == (0, 3, 2)


def test_ticket_that_is_given_up_while_its_writer_waits_leaves_chains_whole(config: Config) -> None:
    given_up, *kept = (make_ticket() for _ in range(3))

    async def act() -> None:
        with other(config) as looking:
            async with running(config) as store:
                await store.add(kept[0])
                with locked(config):
                    tasks = [asyncio.create_task(store.add(one)) for one in (given_up, kept[1])]
                    assert await until(lambda: looking.execute(WAITING).fetchone() != (0,))
                    tasks[0].cancel()
                    await asyncio.wait(tasks[:1])
                await tasks[1]

    asyncio.run(act())

    found = checked(config)
    assert (found.faults, found.tickets, found.chains) == (0, 2, 1)


def test_day_that_another_still_writes_is_sealed_soon(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    tomorrow = [make_ticket(milliseconds=NOON + DAY) for _ in range(2)]
    with writers(config, 2) as (first, second):
        add(first, make_ticket())
        with first.adding() as late:
            tickets.add(late, tickets.rows([make_ticket()]))
            add(second, tomorrow[0])
        assert checked(config).sealed == 0
        add(second, tomorrow[1])

    found = checked(config)
    assert (found.faults, found.chains, found.sealed) == (0, 2, 1)
    assert "cannot be sealed" not in caplog.text


def test_last_ticket_is_removed_while_another_follows_it(config: Config) -> None:
    last = make_ticket()
    with writers(config, 2) as (worker, desk):
        add(worker, last)
        ready = threading.Event()

        def remove() -> None:
            with desk.writing() as connection:
                ready.set()
                removal.remove(connection, [last.id])

        removing = threading.Thread(target=remove)
        with worker.adding() as connection:
            tickets.add(connection, tickets.rows([make_ticket()]))
            removing.start()
            ready.wait()
            with other(config) as looking:
                while looking.execute(WAITING).fetchone() == (0,):
                    pass
        removing.join()
        add(worker, make_ticket())

    found = checked(config)
    assert (found.faults, found.tickets, found.gone, found.chains) == (0, 2, 1, 1)


def test_tickets_purged_under_way_leave_chains_whole(config: Config) -> None:
    old = [make_ticket() for _ in range(200)]
    keep(config, old)

    def write(database: Database) -> None:
        for _ in range(60):
            add(database, make_ticket())

    def purge(database: Database) -> None:
        for start in range(0, 200, 20):
            with database.writing() as connection:
                removal.remove(connection, [one.id for one in old[start : start + 20]])
        removal.tidy(database, Pace())

    with writers(config, 3) as (first, second, desk):
        together(
            *(threading.Thread(target=write, args=[one]) for one in (first, second)),
            threading.Thread(target=purge, args=[desk]),
        )

    found = checked(config)
    assert (found.first, found.tickets, found.gone) == ([], 120, 200)


def test_changes_that_rest_on_what_was_read_come_one_after_the_other(config: Config) -> None:
    def append(database: Database, pattern: str) -> None:
        with database.writing() as connection:
            own = settings.own(connection, ["bob@example.org"]).get("bob@example.org", {})
            allowed = own.get("senders.allowed", ())
            assert isinstance(allowed, tuple)
            settings.change(connection, "bob@example.org", {"senders.allowed": (*allowed, pattern)})

    patterns = [f"{number}@example.net" for number in range(8)]
    with writers(config, 8) as databases:
        pairs = zip(databases, patterns, strict=True)
        together(*(threading.Thread(target=append, args=pair) for pair in pairs))
        with databases[0].reading() as connection:
            own = settings.own(connection, ["bob@example.org"])["bob@example.org"]

    found = own["senders.allowed"]
    assert isinstance(found, tuple) and sorted(found) == patterns


def test_worker_waits_for_no_change_of_settings(config: Config) -> None:
    with writers(config, 2) as (worker, desk), desk.writing() as connection:
        settings.change(connection, "bob@example.org", {"antispam": "off"})

        add(worker, make_ticket())

    assert len(stored(config)) == 1


def test_copy_that_is_remembered_again_while_a_purge_runs_stays_remembered(config: Config) -> None:
    keys = [bytes([number]) * 32 for number in range(3)]
    with writers(config, 2) as (worker, desk):
        with worker.adding() as connection:
            copies.remember(connection, keys, now=NOON)
        with worker.adding() as again, desk.writing() as purge:
            copies.remember(again, keys[:2], now=NOON + DAY)
            gone = copies.forget(purge, since=NOON, most=10)
        with worker.reading() as connection:
            found = copies.accepted(connection, keys, since=NOON)

    assert gone == [NOON]
    assert found == set(keys[:2])


def test_sign_in_to_an_account_that_a_command_makes_is_recorded(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bob = "bob@example.org"
    mailboxes = tmp_path / "mailboxes"
    mailboxes.write_text(f"{bob}: {bob}\n")
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["file:{mailboxes}"]')

    async def act() -> None:
        with other(config) as looking, writers(config, 1) as (desk,):
            async with running(config) as store:
                with desk.writing() as connection:
                    settings.make(connection, bob)
                    store.signed_in(bob, "192.0.2.7")
                    assert await until(lambda: looking.execute(WAITING).fetchone() != (0,))

    asyncio.run(act())

    assert stored(config, "SELECT account, address FROM session") == [(bob, "192.0.2.7")]
    assert caplog.messages == []


async def outcomes(store: object, given: Sequence[Ticket]) -> list[bool]:
    found = await asyncio.gather(*(store.add(one) for one in given), return_exceptions=True)  # type: ignore[attr-defined]
    return [one is None for one in found]


def test_server_that_was_killed_comes_back_and_has_all_that_was_taken(tmp_path: Path) -> None:
    with running_server() as server:
        (tmp_path / URL).write_text(server.url(server.new()))
        config = make_config(tmp_path)
        taken = []

        async def act() -> list[bool]:
            async with running(config) as store:
                for _ in range(20):
                    taken.append(make_ticket())
                    await store.add(taken[-1])
                await asyncio.to_thread(server.kill)
                during = await outcomes(store, [make_ticket()])
                with pytest.raises(StoreUnavailable):
                    await store.resolve(["bob@example.org"])
                await asyncio.to_thread(server.start)
                taken.append(make_ticket())
                after = await outcomes(store, taken[-1:])
                await asyncio.to_thread(write_settings, config, "bob@example.org", antispam="off")

                async def is_off() -> bool:
                    (found,) = await store.resolve(["bob@example.org"])
                    return not found.members[0].preferences.antispam

                return [*during, *after, await until(is_off)]

        assert asyncio.run(act()) == [False, True, True]
        assert {row[0] for row in stored(config)} == {one.id for one in taken}
        assert checked(config).faults == 0


def test_server_that_restarts_by_itself_comes_back(tmp_path: Path) -> None:
    with running_server() as server:
        (tmp_path / URL).write_text(server.url(server.new()))
        config = make_config(tmp_path)

        async def act() -> bool:
            async with running(config) as store:
                await store.add(make_ticket())
                await asyncio.to_thread(server.kill_backends)

                async def is_taken() -> bool:
                    return (await outcomes(store, [make_ticket()]))[0]

                return await until(is_taken)

        assert asyncio.run(act())
        assert len(stored(config)) == 2


def test_check_tells_whether_the_way_is_encrypted(tmp_path: Path) -> None:
    port = free_port()
    with running_server(port) as server:
        url = f"postgresql+psycopg://tamis:hunter2@127.0.0.1:{port}/{server.new()}?sslmode="
        found = []
        for mode in ("require&password=hunter2", "disable"):
            (tmp_path / URL).write_text(url + mode)
            found.append(parts.check_store(make_config(tmp_path)))

    assert [" by TLSv1.3, 0 accounts" in found[0], " not encrypted, 0 accounts" in found[1]] == [True, True]
    assert "hunter2" not in "".join(found)


def test_connection_that_the_server_ends_costs_one_ticket(config: Config) -> None:
    # Once it has ended, for which a minute is left.
    end = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'tamis'"

    async def act() -> list[bool]:
        async with running(config) as store:
            await store.add(make_ticket())
            with other(config) as operator:
                operator.execute(end)
            return [*await outcomes(store, [make_ticket()]), *await outcomes(store, [make_ticket()])]

    found = asyncio.run(act())

    assert found[1]


@gives_up_soon
def test_server_that_does_not_answer_is_given_up(config: Config, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / ".s.PGSQL.5432"))
        silent.listen()
        url = f"postgresql+psycopg://tamis@/tamis?host={tmp_path}"
        store = config.store.model_copy(update={"url": url})
        started = time.monotonic()

        with pytest.raises(StoreUnavailable):
            checked(config.model_copy(update={"store": store}))

    assert time.monotonic() - started < 10


@gives_up_soon
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("synchronous_commit = off", "on"),
        ("synchronous_commit = remote_apply", "remote_apply"),
        ("default_transaction_isolation = serializable", None),
    ],
)
def test_ticket_is_durable_and_lock_found_whatever_the_role_is_set_to(
    config: Config, with_tables: PostgreSQL, change: str, expected: str | None
) -> None:
    name = config.store.url.partition("@/")[2].partition("?")[0]
    with_tables.run(f"ALTER ROLE tamis IN DATABASE {name} SET {change}")

    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        found = {
            setting: connection.exec_driver_sql(f"SHOW {setting}").scalar_one()
            for setting in ("synchronous_commit", "transaction_isolation", "lock_timeout")
        }

    assert found == {
        "synchronous_commit": expected or "on",
        "transaction_isolation": "read committed",
        "lock_timeout": "200ms",
    }


def test_what_the_url_says_of_the_connection_goes_first(config: Config) -> None:
    url = f"{config.store.url}&application_name=mx1"
    store = config.store.model_copy(update={"url": url})

    with contextlib.closing(Database(store)) as database, database.reading() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "mx1"


def test_check_tells_version_and_way(config: Config) -> None:
    write_settings(config, "bob@example.org")

    found = parts.check_store(config)

    assert found.startswith(f"{config.store.url.partition('?')[0]}?host=")
    assert found.endswith(" on a unix socket, 1 accounts") and " schema 7, PostgreSQL 15." in found


def test_check_finds_a_database_that_takes_no_writes(config: Config, with_tables: PostgreSQL) -> None:
    name = config.store.url.partition("@/")[2].partition("?")[0]
    with_tables.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    with pytest.raises(StoreUnavailable, match="takes no writes"):
        parts.check_store(config)


def test_database_of_another_encoding_is_refused(postgresql: PostgreSQL, tmp_path: Path) -> None:
    given = "OWNER tamis TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    postgresql.run(f"CREATE DATABASE latin {given}")
    (tmp_path / URL).write_text(postgresql.url("latin"))
    config = configuration.load(str(write_config(tmp_path)))

    with pytest.raises(StoreUnavailable, match="encoding is SQL_ASCII: make it anew with ENCODING UTF8"):
        parts.prepare_store(config)


def test_nodes_that_start_together_migrate_once(postgresql: PostgreSQL, tmp_path: Path) -> None:
    name = postgresql.new()
    (tmp_path / URL).write_text(postgresql.url(name))
    config = configuration.load(str(write_config(tmp_path)))

    together(*(threading.Thread(target=parts.prepare_store, args=[config]) for _ in range(4)))

    assert stored(config, "SELECT * FROM counter") == [("settings", 0)]
    assert len(parts.installation_key(config)) == 32
    postgresql.drop(name)


def test_numbers_of_chains_have_no_gap_after_a_commit_that_failed(config: Config) -> None:
    with writers(config, 2) as (first, second):
        with contextlib.suppress(StoreUnavailable), first.adding() as connection:
            tickets.add(connection, tickets.rows([make_ticket(), make_ticket(message_id="\udcff")]))
        add(second, make_ticket())
        add(first, make_ticket())

    assert stored(config, "SELECT id, state FROM chain") == [(1, chains.State.OPEN.value)]
    assert checked(config).faults == 0
