"""Which copies were accepted: remembered durably, for a while, by all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.stores import (
    NOON,
    FullDatabase,
    gives_up_soon,
    locked,
    make_config,
    make_ticket,
    on_every_store,
    path_of,
    running,
    stored,
    until,
)

from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.store import copies, recent
from tamis.store.thread import Store

KEYS = [bytes([number]) * 32 for number in range(100)]
ANNA, BOB, CAROL = KEYS[:3]
MINUTE = 60_000  # milliseconds
RELAYED = '[resend]\nrelay = "inet:127.0.0.1:10026"\n'


class Clock:
    """Unix time in milliseconds, as a test sets it."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> int:
        """Return it."""
        return self.time


def kept(config: Config) -> Sequence[object]:
    return [key for (key,) in stored(config, "SELECT key FROM copy_guard ORDER BY key")]


@on_every_store
def test_keys_are_in_the_database_when_remember_returns(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> Sequence[object]:
        async with running(config) as store:
            await store.remember([ANNA, BOB])
            return kept(config)

    assert asyncio.run(act()) == [ANNA, BOB]


@pytest.mark.parametrize("about_to_add", [True, False])
@on_every_store
def test_remembered_keys_and_no_others_are_accepted_ones(tmp_path: Path, about_to_add: bool) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store:
            await store.remember([ANNA, CAROL])
            return await store.accepted([ANNA, BOB], about_to_add=about_to_add)

    assert asyncio.run(act()) == {ANNA}
    assert kept(config) == [ANNA, CAROL]


@on_every_store
def test_another_process_knows_what_was_remembered(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> tuple[frozenset[bytes], frozenset[bytes]]:
        async with running(config) as store, running(config) as other:
            await store.remember([ANNA])
            await other.remember([BOB])
            return await other.accepted([ANNA, BOB, CAROL]), await store.accepted([ANNA, BOB, CAROL])

    assert set(asyncio.run(act())) == {frozenset({ANNA, BOB})}


def test_what_another_process_remembers_is_soon_known_without_a_query(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store, running(config) as other:
            assert await until(lambda: not store.remembers)
            await other.remember([ANNA])
            assert await until(lambda: store.remembers)
            path_of(config).unlink()
            return await store.accepted([ANNA, BOB], about_to_add=False)

    assert asyncio.run(act()) == {ANNA}


def test_nothing_is_taken_for_forgotten_before_the_first_look(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> bool:
        async with running(config) as store:
            return store.remembers

    assert asyncio.run(act())


def test_more_than_memory_takes_are_asked_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST", 1)
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store:
            assert await until(lambda: not store.remembers)
            await store.remember([ANNA, BOB])
            return await store.accepted([ANNA, BOB, CAROL], about_to_add=False)

    assert asyncio.run(act()) == {ANNA, BOB}


def test_memory_forgets_what_counts_no_more(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)
    clock = Clock()

    async def act() -> bool:
        async with running(config, now=clock) as store:
            await store.remember([ANNA])
            clock.time += 61 * MINUTE
            return await until(lambda: not store.remembers)

    assert asyncio.run(act())


@on_every_store
def test_next_process_knows_what_was_remembered(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store:
            await store.remember([ANNA])
        async with running(config) as store:
            return await store.accepted([ANNA])

    assert asyncio.run(act()) == {ANNA}


def test_no_keys_are_nothing(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store:
            await store.remember([])
            return await store.accepted([])

    assert asyncio.run(act()) == frozenset()
    assert kept(config) == []


@on_every_store
def test_concurrent_messages_hear_of_their_own_keys_alone(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> Sequence[frozenset[bytes]]:
        async with running(config) as store:
            await asyncio.gather(*(store.remember([key]) for key in KEYS[::2]))
            asked = (store.accepted([key, b"x"], about_to_add=bool(key[0] % 3)) for key in KEYS)
            found, _ = await asyncio.gather(asyncio.gather(*asked), store.add(make_ticket()))
            return found

    assert asyncio.run(act()) == [frozenset({key}.intersection(KEYS[::2])) for key in KEYS]


@on_every_store
def test_two_attempts_at_one_message_may_remember_the_same_copies(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> None:
        async with running(config) as store, running(config) as other:
            some = [store.remember(KEYS), other.remember(KEYS[::-1]), store.remember([ANNA, ANNA])]
            await asyncio.gather(*some)

    asyncio.run(act())

    assert kept(config) == KEYS


@pytest.mark.parametrize("about_to_add", [True, False])
@on_every_store
def test_keys_count_for_as_long_as_is_configured(tmp_path: Path, about_to_add: bool) -> None:
    config = make_config(tmp_path, more=RELAYED + 'remember = "10m"\n')
    clock = Clock()

    async def act() -> list[frozenset[bytes]]:
        async with running(config, now=clock) as store:
            await store.remember([ANNA])
            found = []
            for milliseconds in (10 * MINUTE - 1, 10 * MINUTE):
                clock.time = NOON + milliseconds
                found.append(await store.accepted([ANNA], about_to_add=about_to_add))
            return found

    assert asyncio.run(act()) == [{ANNA}, frozenset()]


@on_every_store
def test_old_keys_are_deleted_when_the_next_copy_is_due(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)
    clock = Clock()

    async def act() -> None:
        async with running(config, now=clock) as store:
            await store.remember([ANNA])
            clock.time += 30 * MINUTE
            await store.remember([BOB])
            clock.time += 30 * MINUTE
            await store.accepted([CAROL])

    asyncio.run(act())

    assert kept(config) == [BOB]


@on_every_store
def test_a_key_that_is_remembered_again_counts_from_then_on(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)
    clock = Clock()

    async def act() -> frozenset[bytes]:
        async with running(config, now=clock) as store:
            await store.remember([ANNA])
            clock.time += 50 * MINUTE
            await store.remember([ANNA])
            clock.time += 50 * MINUTE
            return await store.accepted([ANNA])

    assert asyncio.run(act()) == {ANNA}


@on_every_store
def test_many_old_keys_go_some_at_a_time_and_count_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "FORGOTTEN", 30)
    config = make_config(tmp_path, more=RELAYED)
    clock = Clock()

    async def act() -> list[tuple[frozenset[bytes], int]]:
        async with running(config, now=clock) as store:
            await store.remember(KEYS)
            clock.time += 60 * MINUTE
            found = []
            for _ in range(4):
                found.append((await store.accepted([b"new", *KEYS[-2:]]), len(kept(config))))
            return found

    assert asyncio.run(act()) == [(frozenset(), left) for left in (68, 36, 4, 0)]


async def fails(store: Store, *, about_to_add: bool = True) -> tuple[bool, bool]:
    """Ask and remember; tell for each whether the store was unavailable."""
    found = await asyncio.gather(
        store.accepted(KEYS, about_to_add=about_to_add), store.remember(KEYS), return_exceptions=True
    )
    first, second = (isinstance(one, StoreUnavailable) for one in found)
    return first, second


@gives_up_soon
@on_every_store
def test_locked_database_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> list[tuple[bool, bool]]:
        async with running(config) as store:
            await store.accepted(KEYS)
            with locked(config):
                during = await fails(store)
            return [during, await fails(store)]

    assert asyncio.run(act()) == [(True, True), (False, False)]


@on_every_store
def test_who_adds_no_copy_waits_for_no_lock(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> frozenset[bytes]:
        async with running(config) as store:
            await store.remember([ANNA])
            with locked(config):
                return await store.accepted([ANNA, BOB], about_to_add=False)

    assert asyncio.run(act()) == {ANNA}


def test_full_disk_shows_before_a_copy_is_out_and_comes_back(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)
    database = FullDatabase(config.store)

    async def act() -> list[tuple[bool, bool]]:
        async with running(config, database) as store:
            full = await fails(store)
            database.full = False
            return [full, await fails(store)]

    assert asyncio.run(act()) == [(True, True), (False, False)]


def test_asking_before_a_copy_writes_to_the_disk(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> tuple[int, int, int]:
        async with running(config) as store:
            await store.remember([ANNA])
            log = Path(f"{path_of(config)}-wal")
            sizes = [log.stat().st_size]
            for about_to_add in (False, True):
                await store.accepted([BOB], about_to_add=about_to_add)
                sizes.append(log.stat().st_size)
            return sizes[0], sizes[1], sizes[2]

    before, read, written = asyncio.run(act())

    assert before == read < written


def test_missing_database_is_unavailable(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)
    path_of(config).unlink()

    async def act() -> list[tuple[bool, bool]]:
        async with running(config) as store:
            return [await fails(store, about_to_add=choice) for choice in (True, False)]

    assert asyncio.run(act()) == [(True, True), (True, True)]


@on_every_store
def test_what_is_out_is_remembered_though_nobody_waits_any_more(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> None:
        async with running(config) as store:
            await store.accepted([ANNA])
            with locked(config):
                adding = asyncio.create_task(store.remember([ANNA]))
                await asyncio.wait([adding], timeout=0.05)
                late = asyncio.create_task(store.remember([BOB]))
                await asyncio.wait([late], timeout=0)
                for task in (adding, late):
                    task.cancel()
                await asyncio.wait([adding, late])

    asyncio.run(act())

    assert kept(config) == [ANNA, BOB]


def test_close_writes_what_waits(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> None:
        async with running(config) as store:
            tasks = [asyncio.create_task(store.remember([key])) for key in KEYS]
            await asyncio.wait(tasks, timeout=0)
            store.close()
            await asyncio.gather(*tasks)

    asyncio.run(act())

    assert kept(config) == KEYS


def test_closed_store_is_unavailable(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=RELAYED)

    async def act() -> tuple[bool, bool]:
        async with running(config) as store:
            store.close()
            return await fails(store)

    assert asyncio.run(act()) == (True, True)
