"""Who is behind an address, for one process, and how soon it follows what others change."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.prometheus import Samples
from tests.stores import (
    Store,
    locked,
    make_config,
    make_ticket,
    path_of,
    running,
    stored,
    until,
    write_config,
    write_settings,
)

from tamis.accounts import Accounts
from tamis.interfaces import StoreUnavailable
from tamis.preferences import Resolution
from tamis.service.table import Table
from tamis.service.textfile import exposition
from tamis.store.database import Database
from tamis.store.directory import CachedDirectory
from tamis.store.sources import Tables


async def antispam_of(store: Store, address: str) -> bool:
    (resolution,) = await store.directory.resolve([address])
    return resolution.members[0].preferences.antispam


def test_resolving_goes_on_while_another_writes(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, "bob@example.org", antispam="off")

    async def act() -> bool:
        async with running(config) as store:
            with locked(config):
                return await antispam_of(store, "bob@example.org")

    assert asyncio.run(act()) is False


def test_unreachable_store_fails_lookups(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    path_of(config).unlink()

    async def act() -> None:
        async with running(config) as store:
            with pytest.raises(StoreUnavailable, match="unable to open"):
                await store.directory.resolve(["bob@example.org"])

    asyncio.run(act())


def test_directory_survives_a_fault_of_what_it_watches(tmp_path: Path) -> None:
    class Faulty:
        def changed(self) -> bool:
            raise KeyError("bob@example.org")

    config = make_config(tmp_path)
    database = Database(config.store)
    tables = Tables(database)

    async def act() -> str | None:
        loop = asyncio.get_running_loop()
        accounts = Accounts(config, [tables], tables)
        directory = CachedDirectory(database, accounts, watched=[Faulty()], loop=loop)
        directory.start()
        write_settings(config, "bob@example.org")
        found = await directory.account("bob@example.org")
        directory.close()
        return found

    assert asyncio.run(act()) == "bob@example.org"


def test_directory_survives_a_fault_of_ours_and_counts_it(tmp_path: Path) -> None:
    class Faulty:
        def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
            raise KeyError("bob@example.org")

    config = make_config(tmp_path)
    table = Table()

    async def act() -> None:
        loop, metrics = asyncio.get_running_loop(), table.worker(0)
        directory = CachedDirectory(Database(config.store), Faulty(), watched=[], loop=loop, metrics=metrics)
        directory.start()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="KeyError"):
                await directory.resolve(["bob@example.org"])
        directory.close()

    asyncio.run(act())

    assert Samples(exposition(table, 1))("tamis_store_errors_total") == 2


def test_closed_directory_is_unavailable(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> None:
        async with running(config) as store:
            store.directory.close()
            with pytest.raises(StoreUnavailable, match="closed"):
                await store.directory.resolve(["bob@example.org"])

    asyncio.run(act())


def test_resolution_is_kept_while_nothing_changes(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store:
            first = await store.directory.resolve(["bob@example.org"])
            await store.tickets.add(make_ticket())
            second = await store.directory.resolve(["bob@example.org"])
            return first[0] is second[0]

    assert asyncio.run(act())


def test_tickets_of_other_processes_do_not_empty_the_cache(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store, running(config) as other:
            await antispam_of(store, "bob@example.org")  # looks for the first time
            (first,) = await store.directory.resolve(["bob@example.org"])
            for _ in range(3):
                await other.tickets.add(make_ticket())
                await until(lambda: False, seconds=0.2)
            (second,) = await store.directory.resolve(["bob@example.org"])
            return first is second

    assert asyncio.run(act())


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

            return before, await until(is_off)

    assert asyncio.run(act()) == (True, True)


def test_change_is_in_force_within_a_second_while_tickets_flow(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def act() -> bool:
        async with running(config) as store:
            stop = asyncio.Event()

            async def flow() -> None:
                while not stop.is_set():
                    await store.tickets.add(make_ticket())
                    await antispam_of(store, "bob@example.org")

            flows = [asyncio.create_task(flow()) for _ in range(8)]
            await until(lambda: stored(config))
            await asyncio.to_thread(write_settings, config, "bob@example.org", antispam="off")

            async def is_off() -> bool:
                return not await antispam_of(store, "bob@example.org")

            found = await until(is_off)
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
            before = await store.directory.account("info@example.org")
            file.write_text("info: bob\n")

            async def is_bob() -> bool:
                return await store.directory.account("info@example.org") == "bob@example.org"

            return before, await until(is_bob)

    assert asyncio.run(act()) == ("anna@example.org", True)


def test_query_on_the_operators_tables_is_followed_within_a_second(tmp_path: Path) -> None:
    source = "sql:SELECT target FROM forwardings WHERE source = :name"
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["{source}"]')
    write_settings(config, "anna@example.org")

    def insert(target: str) -> None:
        with contextlib.closing(sqlite3.connect(path_of(config))) as other, other:
            other.execute("CREATE TABLE IF NOT EXISTS forwardings (source TEXT, target TEXT)")
            other.execute("DELETE FROM forwardings")
            other.execute("INSERT INTO forwardings VALUES ('info@example.org', ?)", [target])

    async def act() -> tuple[str | None, bool]:
        insert("Anna@example.org")
        async with running(config) as store:
            before = await store.directory.account("info@example.org")
            insert("x@example.net")

            async def has_left() -> bool:
                return await store.directory.account("info@example.org") is None

            return before, await until(has_left)

    assert asyncio.run(act()) == ("anna@example.org", True)


def test_message_with_a_hundred_recipients_takes_few_queries(tmp_path: Path) -> None:
    class Watching(Database):
        reads = 0

        @contextlib.contextmanager
        def reading(self) -> Iterator[Connection]:
            self.reads += 1
            with super().reading() as connection:
                yield connection

    config = make_config(tmp_path)
    database = Watching(config.store)
    tables = Tables(database)

    async def act() -> None:
        loop = asyncio.get_running_loop()
        directory = CachedDirectory(database, Accounts(config, [tables], tables), watched=[tables], loop=loop)
        directory.start()
        await directory.resolve(["first@example.org"])
        database.reads = 0
        await directory.resolve([f"user{number}+x@example.org" for number in range(100)])
        directory.close()

    asyncio.run(act())

    assert database.reads <= 3  # accounts, aliases and perhaps a look for changes


def test_group_has_no_single_account(tmp_path: Path) -> None:
    file = tmp_path / "aliases"
    file.write_text("team: anna, bob\n")
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["file:{file}"]')
    for address in ("anna@example.org", "bob@example.org"):
        write_settings(config, address)

    async def act() -> str | None:
        async with running(config) as store:
            return await store.directory.account("team@example.org")

    assert asyncio.run(act()) is None
