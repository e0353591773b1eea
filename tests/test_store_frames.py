"""What a worker and the writer say to each other, and what becomes of those who say something else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import locked, make_config, make_ticket, running, stored, until, writing

from tamis.config import Config
from tamis.config import Store as Settings
from tamis.interfaces import StoreUnavailable
from tamis.store import frames, local, tickets
from tamis.store.database import Database
from tamis.store.frames import Addition, Broken, Frames, Opening, Outcome, Withdrawal
from tamis.store.remote import RemoteTickets
from tamis.store.tickets import Row
from tamis.store.writer import UNREAD, Writer

ROWS = st.builds(
    Row, st.text(), st.none() | st.text(), st.lists(st.text()), st.text(st.characters(max_codepoint=127))
)
NUMBERS = st.integers(min_value=0)


def row() -> Row:
    return tickets.row(make_ticket())


@pytest.fixture
def dialled() -> Iterator[Callable[[bytes], socket.socket]]:
    """Connect to a writer as a program may that is no worker."""
    with contextlib.ExitStack() as stack:

        def dial(name: bytes) -> socket.socket:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(10)
            connection.connect(name)
            return connection

        yield dial


async def added(name: bytes, config: Config, *, number: int = 1) -> None:
    """Have tickets written, as a worker does."""
    remote = RemoteTickets(name, config.store, loop=asyncio.get_running_loop())
    remote.start()
    try:
        await asyncio.gather(*(remote.add(make_ticket()) for _ in range(number)))
    finally:
        await remote.close()


@given(numbers=st.lists(NUMBERS), rows=st.lists(ROWS), size=st.integers(1, 70))
def test_what_is_said_arrives_however_it_is_cut(numbers: list[int], rows: list[Row], size: int) -> None:
    settings = Settings(timeout=3.5)
    said = [Opening(settings), *(Addition(7, one) for one in rows), *map(Withdrawal, numbers)]
    octets = b"".join(
        (
            frames.opening(settings),
            *(frames.addition(7, one) for one in rows),
            *map(frames.withdrawal, numbers),
        )
    )
    stream = Frames()

    heard = [
        frames.request(value)
        for start in range(0, len(octets), size)
        for value in stream.take(octets[start : start + size])
    ]

    assert heard == said


@given(numbers=st.lists(NUMBERS), error=st.none() | st.text())
def test_answers_arrive(numbers: list[int], error: str | None) -> None:
    (value,) = Frames().take(frames.outcome(numbers, error))

    assert frames.answer(value) == Outcome(numbers, error)


@given(st.binary())
def test_any_octets_are_frames_or_broken(octets: bytes) -> None:
    with contextlib.suppress(Broken):
        for value in Frames().take(octets):
            frames.request(value)


def framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(frames.LENGTH) + octets


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        framed(b"no JSON"),
        framed(b"[" * 100_000),
        framed(b'[1,"id",null,[5],"{}"]'),
        framed(b'{"url":"nonsense","timeout":1}'),
        frames.addition(1, row()),
        frames.opening(Settings()) * 2,
    ],
)
def test_who_says_something_else_is_let_go_of_and_nobody_else(
    tmp_path: Path, dialled: Callable[[bytes], socket.socket], octets: bytes
) -> None:
    config = make_config(tmp_path)

    with writing() as name:
        stranger = dialled(name)
        stranger.sendall(octets)
        assert stranger.recv(1) == b""
        asyncio.run(added(name, config, number=3))

    assert len(stored(config)) == 3


def test_who_reads_no_answers_is_let_go_of_and_holds_up_nobody(
    tmp_path: Path, dialled: Callable[[bytes], socket.socket]
) -> None:
    config = make_config(tmp_path)
    long = "x" * (UNREAD // 10)

    class Away(Database):
        @contextlib.contextmanager
        def writing(self, pause: object = None) -> Iterator[None]:  # type: ignore[override]
            raise StoreUnavailable(long)
            yield

    with writing(Away(config.store)) as name:
        deaf = dialled(name)
        deaf.sendall(frames.opening(config.store))
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for number in range(1_000_000):
                deaf.sendall(frames.addition(number, row()))
        with pytest.raises(StoreUnavailable, match="xxx"):
            asyncio.run(added(name, config))


def test_another_user_writes_no_tickets(
    monkeypatch: pytest.MonkeyPatch, dialled: Callable[[bytes], socket.socket]
) -> None:
    other = os.geteuid() + 1
    with writing() as name:
        monkeypatch.setattr(os, "geteuid", lambda: other)

        assert dialled(name).recv(1) == b""


def test_another_user_is_given_no_tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(tmp_path)
    other = os.geteuid() + 1
    with writing() as name:
        monkeypatch.setattr(os, "geteuid", lambda: other)

        with pytest.raises(StoreUnavailable, match="another user"):
            asyncio.run(added(name, config))


def test_ticket_of_a_worker_that_ended_meanwhile_is_not_written(
    tmp_path: Path, dialled: Callable[[bytes], socket.socket]
) -> None:
    config = make_config(tmp_path)

    with writing() as name:
        with locked(config):
            worker = dialled(name)
            worker.sendall(frames.opening(config.store) + frames.addition(1, row()))
            worker.close()
            last = dialled(name)  # what came before it has been taken once it has its answer
            last.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert last.recv(1) == b""
        asyncio.run(added(name, config))

    assert len(stored(config)) == 1


def test_writer_that_died_is_unavailable_and_its_successor_is_found(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    listener = local.listen()

    async def act() -> None:
        remote = RemoteTickets(listener.getsockname(), config.store, loop=asyncio.get_running_loop())
        adding = asyncio.create_task(remote.add(make_ticket()))
        await until(lambda: adding.done(), seconds=0.05)
        listener.accept()[0].close()  # a writer takes the connection and dies
        with pytest.raises(StoreUnavailable, match="the writer has ended"):
            await adding
        with writing(listener=listener):
            await remote.add(make_ticket())
            await remote.close()

    asyncio.run(act())

    assert len(stored(config)) == 1


def test_writer_that_is_away_is_unavailable(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with contextlib.closing(local.listen()) as listener:
        name = listener.getsockname()

    with pytest.raises(StoreUnavailable, match="the writer is away: Connection refused"):
        asyncio.run(added(name, config))


def test_each_store_has_its_own_tickets(tmp_path: Path) -> None:
    configs = []
    for number in (1, 2, 3):
        (tmp_path / str(number)).mkdir()
        configs.append(make_config(tmp_path / str(number)))

    async def act(name: bytes) -> None:
        await asyncio.gather(*(added(name, config, number=number) for number, config in enumerate(configs)))

    with writing() as name:
        asyncio.run(act(name))

    assert [len(stored(config)) for config in configs] == [0, 1, 2]


def test_writer_hears_its_supervisor_while_the_database_is_locked(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    settings = config.store.model_copy(update={"timeout": 20.0})
    heard = threading.Event()
    ours, its = socket.socketpair()

    def go_on() -> bool:
        heard.set()
        return bool(its.recv(1))

    async def act(name: bytes) -> bool:
        remote = RemoteTickets(name, settings, loop=asyncio.get_running_loop())
        with locked(config):
            adding = asyncio.create_task(remote.add(make_ticket()))
            await asyncio.wait([adding], timeout=0.1)
            ours.sendall(b"p")
            in_time = await asyncio.to_thread(heard.wait, 5)
        await adding
        await remote.close()
        return in_time

    with ours, its, writing(control=(its, go_on)) as name:
        in_time = asyncio.run(act(name))

    assert in_time
    assert len(stored(config)) == 1


def test_ticket_of_many_recipients_is_written_whole(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    few = make_ticket()
    (one,) = few.recipients
    addresses = [f"{number}@example.org" for number in range(20_000)]
    many = replace(few, recipients=tuple(replace(one, address=to, account=to) for to in addresses))

    async def act() -> None:
        async with running(config) as store:
            await store.tickets.add(many)

    asyncio.run(act())

    assert stored(config, "SELECT count(*) FROM ticket_account") == [(20_000,)]


def test_writer_that_is_told_to_end_goes_on_until_the_last_worker_has_hung_up(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    told = threading.Event()

    async def act(name: bytes) -> bool:
        remote = RemoteTickets(name, config.store, loop=asyncio.get_running_loop())
        await remote.add(make_ticket())
        ours.close()
        assert await asyncio.to_thread(told.wait, 10)
        await remote.add(make_ticket())
        goes_on = thread.is_alive()
        await remote.close()
        return goes_on

    def go_on() -> bool:
        told.set()
        return False

    ours, its = socket.socketpair()
    with contextlib.closing(local.listen()) as listener, its:
        writer = Writer(listener)
        writer.obey(its, go_on)
        thread = threading.Thread(target=writer.run)
        thread.start()
        goes_on = asyncio.run(act(listener.getsockname()))
        thread.join(10)

    assert goes_on
    assert not thread.is_alive()
