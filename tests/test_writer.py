"""The writer of several workers' tickets: what it commits, and what becomes of tickets without it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec

import pytest
from tests.stores import gives_up_soon, locked, make_config, make_ticket, on_every_store, stored, until

from tamis.config import Config
from tamis.interfaces import StoreUnavailable, Uncounted
from tamis.service import parts
from tamis.store import lane
from tamis.store.thread import Store
from tamis.store.writer import Writer

P = ParamSpec("P")


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on an event loop."""

    @functools.wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class Counted(Uncounted):
    """Counts the tickets of each commit, and what failed."""

    def __init__(self) -> None:
        self.commits: list[int] = []
        self.failed = 0

    def committed(self, tickets: int, seconds: float) -> None:
        """Count a commit."""
        self.commits.append(tickets)

    def store_failed(self) -> None:
        """Count a failure."""
        self.failed += 1


class Running:
    """A writer on a thread."""

    def __init__(
        self, config: Config, *, listener: socket.socket | None = None, user: int | None = None
    ) -> None:
        listener = listener or lane.listen()
        self.address: bytes = listener.getsockname()
        self.metrics = Counted()
        self._control, control = socket.socketpair()
        user = os.geteuid() if user is None else user
        self._writer = Writer(config.store, listener, user, metrics=self.metrics)
        self._writer.watch(control, lambda: self._leave(control))
        self.thread = threading.Thread(target=self._writer.run, daemon=True)
        self.thread.start()

    def _leave(self, control: socket.socket) -> bool:
        control.close()
        self._writer.leave()
        return False

    def leave(self) -> None:
        """Tell it to leave."""
        self._control.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration with an empty store."""
    return make_config(tmp_path)


@pytest.fixture
def writer(config: Config) -> Iterator[Running]:
    """Run a writer of the store."""
    running = Running(config)
    yield running
    running.leave()
    running.thread.join()


@contextlib.asynccontextmanager
async def worker(config: Config, writer: bytes, *, wait: bool = True) -> AsyncIterator[Store]:
    """Run the store of a worker that has had several tickets at once; wait until the writer has greeted."""
    metrics = Counted()
    store = parts.store(config, asyncio.get_running_loop(), writer=writer, metrics=metrics)
    store._crowd.came(2)
    store.start()
    try:
        if wait:
            assert await until(lambda: is_open(store))
        yield store
    finally:
        await asyncio.to_thread(store.close)
        await asyncio.sleep(0)  # to hang up


def is_open(store: Store) -> bool:
    return store._lane is not None and store._lane._is_open


def own(store: Store) -> list[int]:
    """Return the commits that a worker has made by itself."""
    assert isinstance(store._metrics, Counted)
    return store._metrics.commits


def in_store(config: Config) -> set[object]:
    return {row[0] for row in stored(config)}


@on_every_store
@on_a_loop
async def test_tickets_of_all_workers_share_commits(config: Config, writer: Running) -> None:
    given = [make_ticket() for _ in range(60)]
    async with worker(config, writer.address) as one, worker(config, writer.address) as two:
        with locked(config):  # so that all are there before the first one is written
            adding = [*map(one.add, given[:30]), *map(two.add, given[30:])]
            tasks = [asyncio.create_task(some) for some in adding]
            await asyncio.wait(tasks, timeout=0)
        await asyncio.gather(*tasks)

        assert in_store(config) == {ticket.id for ticket in given}
        assert own(one) == own(two) == []
        assert sum(writer.metrics.commits) == 60 and len(writer.metrics.commits) <= 2


@on_a_loop
async def test_ticket_is_in_the_store_when_its_worker_goes_on(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        for _ in range(5):
            ticket = make_ticket()
            await store.add(ticket)

            assert ticket.id in in_store(config)
        assert writer.metrics.commits == [1] * 5


@on_a_loop
async def test_worker_with_one_message_at_a_time_writes_its_ticket(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        for _ in range(20):
            await store.add(make_ticket())
        assert len(own(store)) == 20 - len(writer.metrics.commits) > 0

        await asyncio.gather(*(store.add(make_ticket()) for _ in range(4)))

        assert sum(own(store)) + sum(writer.metrics.commits) == 24
        assert sum(writer.metrics.commits[-3:]) >= 3


@on_a_loop
async def test_ticket_that_is_too_large_is_written_by_the_worker(config: Config, writer: Running) -> None:
    small, large = make_ticket(), make_ticket()
    large = replace(large, recipients=large.recipients * 1_000)
    async with worker(config, writer.address) as store:
        await asyncio.gather(store.add(large), store.add(small))

        assert own(store) == writer.metrics.commits == [1]
    assert in_store(config) == {small.id, large.id}


@on_a_loop
async def test_worker_writes_where_no_writer_answers(config: Config) -> None:
    with contextlib.closing(lane.listen()) as nobody:
        async with worker(config, nobody.getsockname(), wait=False) as store:
            await store.add(make_ticket())

            assert own(store) == [1]


@on_a_loop
async def test_worker_finds_the_writer_that_comes_later(config: Config) -> None:
    calls = lane.listen()
    async with worker(config, calls.getsockname(), wait=False) as store:
        await store.add(make_ticket())
        writer = Running(config, listener=calls)
        assert await until(lambda: is_open(store))
        await store.add(make_ticket())

        assert (own(store), writer.metrics.commits) == ([1], [1])
    writer.leave()
    writer.thread.join()


@on_a_loop
async def test_worker_calls_the_next_writer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "AGAIN", 0.02)
    calls = lane.listen()
    first = Running(config, listener=calls.dup())
    async with worker(config, calls.getsockname()) as store:
        first.leave()
        await asyncio.to_thread(first.thread.join)
        second = Running(config, listener=calls)
        assert await until(lambda: is_open(store))
        await store.add(make_ticket())

        assert (first.metrics.commits, second.metrics.commits) == ([], [1])
    second.leave()
    second.thread.join()


@on_a_loop
async def test_writer_of_another_store_gets_nothing(config: Config, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    writer = Running(make_config(elsewhere))
    async with worker(config, writer.address, wait=False) as store:
        for _ in range(5):
            await store.add(make_ticket())
            await asyncio.sleep(0.02)

        assert own(store) == [1] * 5
    writer.leave()
    writer.thread.join()


@on_every_store
@on_a_loop
async def test_ticket_that_the_database_refuses_fails_alone(config: Config, writer: Running) -> None:
    given = [make_ticket() for _ in range(10)]
    async with worker(config, writer.address) as store:
        await store.add(given[0])
        results = await asyncio.gather(*map(store.add, given), return_exceptions=True)

        assert isinstance(results[0], StoreUnavailable) and results[1:] == [None] * 9
    assert in_store(config) == {ticket.id for ticket in given}


@gives_up_soon
@on_every_store
@on_a_loop
async def test_store_that_is_locked_for_too_long_is_told(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        with locked(config), pytest.raises(StoreUnavailable):
            await store.add(make_ticket())
        await store.add(make_ticket())

    assert (writer.metrics.failed, writer.metrics.commits) == (1, [1])


@on_every_store
@on_a_loop
async def test_ticket_that_nobody_waits_for_is_not_written(config: Config, writer: Running) -> None:
    given_up, kept = make_ticket(), make_ticket()
    async with worker(config, writer.address) as store:
        with locked(config):
            waiting = [asyncio.create_task(store.add(one)) for one in (given_up, kept)]
            await asyncio.sleep(0.05)
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
        await waiting[1]

    assert in_store(config) == {kept.id}


@on_a_loop
async def test_ticket_of_a_worker_that_has_ended_is_not_written(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        with locked(config):
            first = asyncio.create_task(store.add(make_ticket()))
            await asyncio.sleep(0.05)  # the writer waits for the lock
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as ended:
                ended.connect(writer.address)
                ended.send(b'[1, "01ENDED", null, "{}", []]')
        await first
        await store.add(make_ticket())

    assert len(in_store(config)) == 2


@on_every_store
@on_a_loop
async def test_writer_that_leaves_writes_what_it_was_given(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        with locked(config):
            waiting = asyncio.create_task(store.add(make_ticket()))
            await asyncio.sleep(0.05)
            writer.leave()
        await waiting
        assert await until(lambda: not is_open(store))
        await store.add(make_ticket())

        assert (writer.metrics.commits, own(store)) == ([1], [1])
        await asyncio.to_thread(writer.thread.join)


@on_every_store
@on_a_loop
async def test_worker_that_waits_no_more_lets_the_writer_leave(config: Config, writer: Running) -> None:
    async with worker(config, writer.address) as store:
        with locked(config):
            waiting = [asyncio.create_task(store.add(make_ticket())) for _ in range(2)]
            await asyncio.sleep(0.05)
            for one in waiting:
                one.cancel()
            await asyncio.wait(waiting)
            writer.leave()
        await asyncio.to_thread(writer.thread.join)

    assert in_store(config) == set()


@on_a_loop
async def test_writer_takes_no_call_of_other_users(config: Config) -> None:
    writer = Running(config, user=os.geteuid() + 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.connect(writer.address)

        assert other.recv(100) == b""
    writer.leave()
    writer.thread.join()
