"""The store of one process: tickets, resolutions, and what happens when the database is away."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.prometheus import Samples
from tests.stores import (
    NOON,
    PATIENCE,
    PROMISED,
    FullDatabase,
    gives_up_soon,
    locked,
    make_config,
    make_ticket,
    on_every_store,
    other,
    path_of,
    running,
    stored,
    until,
    write_config,
    write_settings,
)

from tamis.interfaces import StoreUnavailable
from tamis.preferences import Resolution
from tamis.service.table import Table
from tamis.service.textfile import exposition
from tamis.store import thread
from tamis.store.database import Database
from tamis.store.thread import Store


class CountingDatabase(Database):
    """Counts its transactions."""

    commits = 0

    @contextlib.contextmanager
    def adding(self) -> Iterator[Connection]:
        """Lend the connection."""
        with super().adding() as connection:
            yield connection
        self.commits += 1


async def antispam_of(store: Store, address: str) -> bool:
    (resolution,) = await store.resolve([address])
    return resolution.members[0].preferences.antispam


async def outcomes(store: Store, tickets: Sequence[object]) -> list[bool]:
    """Add tickets at once; tell for each whether it was taken."""
    found = await asyncio.gather(*(store.add(one) for one in tickets), return_exceptions=True)  # type: ignore[arg-type]
    assert all(one is None or isinstance(one, StoreUnavailable) for one in found)
    return [one is None for one in found]


@on_every_store
def test_ticket_is_in_the_database_when_add_returns(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    ticket = make_ticket()

    async def act() -> Sequence[tuple[object, ...]]:
        async with running(config) as store:
            await store.add(ticket)
            return stored(config)

    assert asyncio.run(act()) == [(ticket.id,)]


@on_every_store
def test_tickets_of_concurrent_messages_share_commits(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    database = CountingDatabase(config.store)

    async def act() -> None:
        async with running(config, database) as store:
            with locked(config):  # so that all are there before the first one is written
                tasks = [asyncio.create_task(store.add(make_ticket())) for _ in range(200)]
                await asyncio.wait(tasks, timeout=0)
            await asyncio.gather(*tasks)

    asyncio.run(act())

    assert len(stored(config)) == 200
    assert database.commits <= 2


@on_every_store
def test_ticket_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    good = [make_ticket() for _ in range(10)]
    poisoned = make_ticket(message_id="<\udcff@example.net>")

    async def act() -> list[bool]:
        async with running(config) as store:
            return await outcomes(store, [*good[:5], poisoned, *good[5:]])

    taken = asyncio.run(act())

    assert taken == [True] * 5 + [False] + [True] * 5
    assert {row[0] for row in stored(config)} == {one.id for one in good}


@on_every_store
def test_ticket_with_a_used_id_fails_alone(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    first = make_ticket()

    async def act() -> list[bool]:
        async with running(config) as store:
            await store.add(first)
            return await outcomes(store, [make_ticket(), make_ticket(ticket_id=first.id), make_ticket()])

    assert asyncio.run(act()) == [True, False, True]


@gives_up_soon
@on_every_store
def test_locked_database_is_unavailable_after_the_timeout_and_comes_back(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> tuple[list[bool], float, list[bool]]:
        async with running(config) as store:
            await store.add(make_ticket())
            with locked(config):
                started = time.monotonic()
                during = await outcomes(store, [make_ticket()])
                waited = time.monotonic() - started
            return during, waited, await outcomes(store, [make_ticket()])

    during, waited, after = asyncio.run(act())

    assert (during, after) == ([False], [True])
    assert 0.15 < waited < 1.5


@on_every_store
def test_lock_that_ends_in_time_only_delays(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            with locked(config):
                adding = asyncio.create_task(store.add(make_ticket()))
                await asyncio.wait([adding], timeout=0.05)
            await adding

    asyncio.run(act())

    assert len(stored(config)) == 1


@on_every_store
def test_resolving_goes_on_while_another_writes(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, "bob@example.org", antispam="off")

    async def act() -> bool:
        async with running(config) as store:
            with locked(config):
                return await antispam_of(store, "bob@example.org")

    assert asyncio.run(act()) is False


def test_full_disk_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    database = FullDatabase(config.store)
    tickets = [make_ticket(message_id=f"<{'x' * 900}{number}@example.net>") for number in range(100)]

    async def act() -> tuple[list[bool], list[bool]]:
        async with running(config, database) as store:
            full = await outcomes(store, tickets)
            database.full = False
            return full, await outcomes(store, tickets)

    full, after = asyncio.run(act())

    assert not any(full)
    assert all(after)


def test_database_that_was_away_comes_back(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    away = tmp_path / "away"

    async def act() -> tuple[list[bool], list[bool]]:
        async with running(config) as store:
            path_of(config).rename(away)
            during = await outcomes(store, [make_ticket()])
            away.rename(path_of(config))
            return during, await outcomes(store, [make_ticket()])

    during, after = asyncio.run(act())

    assert (during, after) == ([False], [True])
    assert len(stored(config)) == 1


def test_missing_database_is_not_made_anew_by_a_worker(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    path_of(config).unlink()

    async def act() -> list[bool]:
        async with running(config) as store:
            return await outcomes(store, [make_ticket()])

    assert asyncio.run(act()) == [False]
    assert not path_of(config).exists()


def test_restored_backup_is_used_within_a_second(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    backup = tmp_path / "backup"
    shutil.copy(path_of(config), backup)

    async def act() -> bool:
        async with running(config) as store:
            await store.add(make_ticket())
            for suffix in ("-wal", "-shm"):  # first, as a look in between would take them for the backup's
                Path(f"{path_of(config)}{suffix}").unlink()
            backup.rename(path_of(config))

            async def arrives() -> bool:
                with contextlib.suppress(StoreUnavailable):
                    await store.add(make_ticket())
                return bool(stored(config))

            return await until(arrives, seconds=PROMISED)

    assert asyncio.run(act())


def test_unreachable_store_fails_lookups(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    path_of(config).unlink()

    async def act() -> None:
        async with running(config) as store:
            with pytest.raises(StoreUnavailable, match="unable to open"):
                await store.resolve(["bob@example.org"])

    asyncio.run(act())


@on_every_store
def test_errors_do_not_quote_what_was_written(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    poisoned = make_ticket("secret@example.org", message_id="<secret\udcff@example.net>")

    async def act() -> str:
        async with running(config) as store:
            with pytest.raises(StoreUnavailable) as caught:
                await store.add(poisoned)
            return str(caught.value)

    assert "secret" not in asyncio.run(act())


@on_every_store
def test_close_writes_what_waits(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            tasks = [asyncio.create_task(store.add(make_ticket())) for _ in range(50)]
            await asyncio.wait(tasks, timeout=0)
            store.close()
            await asyncio.gather(*tasks)

    asyncio.run(act())

    assert len(stored(config)) == 50


def test_closed_store_is_unavailable(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            store.close()
            with pytest.raises(StoreUnavailable, match="closed"):
                await store.add(make_ticket())

    asyncio.run(act())


@on_every_store
def test_ticket_of_a_caller_who_gave_up_is_not_written(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            await store.add(make_ticket())
            with locked(config):
                held = asyncio.create_task(store.add(make_ticket()))
                await asyncio.wait([held], timeout=0.05)  # the thread waits for the lock with this one
                late = asyncio.create_task(store.add(make_ticket()))
                await asyncio.wait([late], timeout=0)
                late.cancel()
            await asyncio.wait([held, late])

    asyncio.run(act())

    assert len(stored(config)) == 2


@on_every_store
def test_ticket_of_a_caller_who_gave_up_before_the_lock_was_free_is_not_written(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            await store.add(make_ticket())
            with locked(config):
                held = asyncio.create_task(store.add(make_ticket()))
                await asyncio.wait([held], timeout=0.05)  # the thread waits for the lock with this one
                held.cancel()
                await asyncio.wait([held])
            await store.add(make_ticket())

    asyncio.run(act())

    assert len(stored(config)) == 2


@on_every_store
def test_store_thread_survives_a_fault_of_what_it_watches(tmp_path: Path) -> None:
    class Faulty:
        def changed(self) -> bool:
            raise KeyError("bob@example.org")

        def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
            return []

    config = make_config(tmp_path)

    async def act() -> None:
        loop = asyncio.get_running_loop()
        store = Store(Database(config.store), Faulty(), watched=[Faulty()], remember=60.0, loop=loop)
        store.start()
        await store.add(make_ticket())
        store.close()

    asyncio.run(act())

    assert len(stored(config)) == 1


def test_worker_thread_survives_a_fault_of_ours(tmp_path: Path) -> None:
    class Faulty:
        def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
            raise KeyError("bob@example.org")

    config = make_config(tmp_path)

    async def act() -> None:
        store = Store(
            Database(config.store), Faulty(), watched=[], remember=60.0, loop=asyncio.get_running_loop()
        )
        store.start()
        with pytest.raises(StoreUnavailable, match="KeyError"):
            await store.resolve(["bob@example.org"])
        await store.add(make_ticket())
        store.close()

    asyncio.run(act())

    assert len(stored(config)) == 1


def test_commits_and_failures_are_counted(tmp_path: Path) -> None:
    class Faulty:
        def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
            raise StoreUnavailable("database is locked")

    config = make_config(tmp_path)
    table = Table()

    async def act() -> None:
        loop, metrics = asyncio.get_running_loop(), table.worker(0)
        store = Store(Database(config.store), Faulty(), watched=[], remember=60.0, loop=loop, metrics=metrics)
        store.start()
        with pytest.raises(StoreUnavailable):
            await store.resolve(["bob@example.org"])
        await asyncio.gather(*(store.add(make_ticket(milliseconds=NOON + one)) for one in range(3)))
        store.close()

    asyncio.run(act())

    counted = Samples(exposition(table, 1))
    assert counted("tamis_store_errors_total") == 1
    assert counted("tamis_store_tickets_total") == 3


@on_every_store
def test_resolution_is_kept_while_nothing_changes(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store:
            first = await store.resolve(["bob@example.org"])
            await store.add(make_ticket())
            second = await store.resolve(["bob@example.org"])
            return first[0] is second[0]

    assert asyncio.run(act())


@on_every_store
def test_tickets_of_other_processes_do_not_empty_the_cache(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store, running(config) as other:
            await antispam_of(store, "bob@example.org")  # looks for the first time
            (first,) = await store.resolve(["bob@example.org"])
            for _ in range(3):
                await other.add(make_ticket())
                await until(lambda: False, seconds=0.2)
            (second,) = await store.resolve(["bob@example.org"])
            return first is second

    assert asyncio.run(act())


def test_who_looks_for_changes_follows_them_within_a_second() -> None:
    assert 2 * thread.POLL < 1  # a look may begin just before the change, and the next one takes its time
    assert thread.POLL + thread.HEARING <= 1


@on_every_store
def test_change_by_another_process_is_in_force_within_a_second(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    path = write_config(tmp_path)
    tamis = [sys.executable, "-m", "tamis", "account", "set", "bob@example.org", "antispam=off"]

    async def act() -> tuple[bool, bool]:
        async with running(config) as store:
            before = await antispam_of(store, "bob@example.org")
            process = await asyncio.create_subprocess_exec(*tamis, "--config", str(path))
            assert await process.wait() == 0

            async def is_off() -> bool:
                return not await antispam_of(store, "bob@example.org")

            return before, await until(is_off, seconds=PROMISED)

    assert asyncio.run(act()) == (True, True)


@on_every_store
def test_change_is_in_force_within_a_second_while_tickets_flow(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store:
            stop = asyncio.Event()

            async def flow() -> None:
                while not stop.is_set():
                    await store.add(make_ticket())
                    await antispam_of(store, "bob@example.org")

            flows = [asyncio.create_task(flow()) for _ in range(8)]
            await until(lambda: stored(config))
            await asyncio.to_thread(write_settings, config, "bob@example.org", antispam="off")

            async def is_off() -> bool:
                return not await antispam_of(store, "bob@example.org")

            found = await until(is_off, seconds=PROMISED)
            stop.set()
            await asyncio.gather(*flows)
            return found

    assert asyncio.run(act())


def test_changed_alias_file_is_in_force_within_a_second(tmp_path: Path) -> None:
    file = tmp_path / "aliases"
    file.write_text("info: anna\n")
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["table", "file:{file}"]')
    for address in ("anna@example.org", "bob@example.org"):
        write_settings(config, address)

    async def act() -> tuple[str | None, bool]:
        async with running(config) as store:
            before = await store.account("info@example.org")
            file.write_text("info: bob\n")

            async def is_bob() -> bool:
                return await store.account("info@example.org") == "bob@example.org"

            return before, await until(is_bob, seconds=PROMISED)

    assert asyncio.run(act()) == ("anna@example.org", True)


@on_every_store
def test_query_on_the_operators_tables_is_followed_within_a_second(tmp_path: Path) -> None:
    source = "sql:SELECT target FROM forwardings WHERE source = :name"
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["{source}"]')
    write_settings(config, "anna@example.org")

    def insert(target: str) -> None:
        with other(config) as operator:
            operator.execute("CREATE TABLE IF NOT EXISTS forwardings (source TEXT, target TEXT)")
            operator.execute("DELETE FROM forwardings")
            operator.execute("INSERT INTO forwardings VALUES ('info@example.org', ?)", [target])

    async def act() -> tuple[str | None, bool]:
        insert("Anna@example.org")
        async with running(config) as store:
            before = await store.account("info@example.org")
            insert("x@example.net")

            async def has_left() -> bool:
                return await store.account("info@example.org") is None

            return before, await until(has_left, seconds=PROMISED)

    assert asyncio.run(act()) == ("anna@example.org", True)


@on_every_store
def test_message_with_a_hundred_recipients_takes_few_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "POLL", 3_600.0)  # no look for changes comes between

    class Watching(Database):
        reads = 0

        @contextlib.contextmanager
        def reading(self) -> Iterator[Connection]:
            self.reads += 1
            with super().reading() as connection:
                yield connection

    config = make_config(tmp_path)
    database = Watching(config.store)

    async def act() -> None:
        async with running(config, database) as store:
            await store.resolve(["first@example.org"])
            database.reads = 0
            await store.resolve([f"user{number}+x@example.org" for number in range(100)])

    asyncio.run(act())

    assert database.reads <= 2  # accounts and aliases


def test_group_has_no_single_account(tmp_path: Path) -> None:
    file = tmp_path / "aliases"
    file.write_text("team: anna, bob\n")
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["file:{file}"]')
    for address in ("anna@example.org", "bob@example.org"):
        write_settings(config, address)

    async def act() -> str | None:
        async with running(config) as store:
            return await store.account("team@example.org")

    assert asyncio.run(act()) is None


def test_deleted_tickets_leave_nothing_in_the_file(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            await store.add(make_ticket(message_id="<marker-7f3a@example.net>", milliseconds=NOON))

    asyncio.run(act())
    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM ticket")
        with database.reading() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    assert b"marker-7f3a" not in b"".join(one.read_bytes() for one in tmp_path.glob("tamis.db*"))


@on_every_store
def test_store_survives_the_fork(tmp_path: Path) -> None:
    # As `tamis serve` does: prepared in the parent, opened in the children only.
    code = """
import asyncio, os, sys
from tamis import config as configuration
from tamis.service import parts
from tests.stores import make_ticket, running
config = configuration.load(sys.argv[1])
parts.prepare_store(config)
opened = [os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")]
assert not [one for one in opened if "tamis.db" in one]
async def act():
    async with running(config) as store:
        await asyncio.gather(*(store.add(make_ticket()) for _ in range(20)))
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        asyncio.run(act())
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
    path = write_config(tmp_path)
    root = Path(__file__).parents[1]

    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, timeout=PATIENCE, check=False)

    assert done.returncode == 0
    assert len(stored(make_config(tmp_path))) == 40
