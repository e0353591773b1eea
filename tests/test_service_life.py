"""`tamis serve` over time: reloading, draining, replacing workers, and what systemd hears of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers.milter import COMMAND, PATIENCE, Milter, StartMilter, children, configuration
from tests.test_service import ENVELOPE, FRONTS, RAW, wait_until

from tamis.message import Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Answer, Connection, Verdict
from tamis.sandbox.wire import Command, InsertField, Steps
from tamis.service.worker import QUIET

# For a longer look: RELOADS=100 RECYCLES=50 python -m pytest tests/test_service_life.py -k mta_sees
RELOADS = int(os.environ.get("RELOADS", "12"))
RECYCLES = int(os.environ.get("RECYCLES", "6"))
ON_CLEAN: dict[str, dict[str, object]] = {"headers": {"on_clean": True}}


def change(milter: Milter, /, **overrides: dict[str, object]) -> None:
    """Write another configuration, and have it taken."""
    milter.config.write_text(configuration(milter.config.parent, overrides, listen=milter.address))
    before = milter.log().count("reloaded")
    milter.reload()
    wait_until(lambda: milter.log().count("reloaded") > before)


def spam_fields(answer: Answer) -> list[bytes]:
    assert answer.verdict is Verdict.ACCEPT
    return [
        one.name
        for one in answer.modifications
        if isinstance(one, InsertField) and one.name.startswith(b"X-Spam")
    ]


def over_one_connection(milter: Milter, *steps: Callable[[Connection], Awaitable[None]]) -> None:
    async def story() -> None:
        async with await Connection.open(milter.address, helo="x") as mta:
            for step in steps:
                await step(mta)

    asyncio.run(story())


@pytest.mark.parametrize("front", FRONTS)
def test_new_settings_count_from_the_next_message_on_also_on_an_open_connection(
    start_milter: StartMilter, front: str
) -> None:
    milter = start_milter({"milter": {"front": front}})
    answers: list[Answer] = []

    async def send(mta: Connection) -> None:
        answers.append(await mta.send(ENVELOPE, RAW))

    async def reload(mta: Connection) -> None:
        await asyncio.to_thread(change, milter, **ON_CLEAN, milter={"front": front})

    over_one_connection(milter, send, reload, send)

    assert spam_fields(answers[0]) == []
    assert b"X-Spam-Status" in spam_fields(answers[1])


@pytest.mark.parametrize("front", FRONTS)
def test_recipients_are_deferred_from_the_next_connection_on(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"front": front}})
    milter.do("account", "set", "dave@example.org", "antispam=off")
    two = replace(ENVELOPE, recipients=(Recipient("bob@example.org"), Recipient("dave@example.org")))
    refused: list[tuple[str, ...]] = []

    async def send(mta: Connection) -> None:
        refused.append(tuple(address for address, _ in (await mta.send(two, RAW)).refused))

    async def defer(mta: Connection) -> None:
        await asyncio.to_thread(change, milter, milter={"front": front, "defer_mixed": True})

    over_one_connection(milter, defer, send)
    over_one_connection(milter, send)

    assert refused == [(), ("dave@example.org",)]


def test_nobody_is_deferred_in_mode_shadow(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": {"mode": "shadow", "defer_mixed": True}})
    milter.do("account", "set", "dave@example.org", "antispam=off")
    two = replace(ENVELOPE, recipients=(Recipient("bob@example.org"), Recipient("dave@example.org")))

    assert milter.send(two, RAW).refused == ()


def test_new_settings_are_those_of_workers_started_later(start_milter: StartMilter) -> None:
    milter = start_milter()
    (first,) = children(milter.pid)
    change(milter, **ON_CLEAN)

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: children(milter.pid) not in ([], [first]))

    assert b"X-Spam-Status" in spam_fields(milter.send(ENVELOPE, RAW))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"headers": {"on_clean": "yes"}}, 'headers.on_clean: expected true or false, got "yes"'),
        ({"antispam": {"weights": {"NO_SUCH_RULE": 1.0}}}, "antispam.weights.NO_SUCH_RULE: unknown"),
        ({"milter": {"socket_group": "no-such-group"}}, "there is no group no-such-group"),
        ({"store": {"url": "sqlite:////no/such/folder/tamis.db"}}, "the folder /no/such/folder of store.url"),
    ],
)
def test_configuration_that_cannot_be_used_changes_nothing(
    start_milter: StartMilter, overrides: dict[str, dict[str, object]], reason: str
) -> None:
    milter = start_milter()
    wrong = {**ON_CLEAN, **overrides}
    milter.config.write_text(configuration(milter.config.parent, wrong, listen=milter.address))

    milter.reload()

    wait_until(lambda: "configuration not reloaded, the former stays: " in milter.log())
    assert reason in milter.log()
    assert spam_fields(milter.send(ENVELOPE, RAW)) == []


def test_file_that_is_away_changes_nothing(start_milter: StartMilter) -> None:
    milter = start_milter()
    milter.config.unlink()

    milter.reload()

    wait_until(lambda: "configuration not reloaded, the former stays: " in milter.log())
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_store_may_be_another_one_from_the_next_message_on(start_milter: StartMilter) -> None:
    milter = start_milter()
    milter.send(ENVELOPE, RAW)
    change(milter, store={"url": f"sqlite:///{milter.config.parent}/other.db"})

    milter.send(ENVELOPE, RAW)

    assert len(milter.tickets()) == 1
    assert (milter.config.parent / "other.db").exists()


def test_address_that_has_changed_needs_a_restart(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter()
    change(milter, milter={"listen": f"unix:{tmp_path}/other.sock"})

    assert "milter.listen has changed: restart to apply that" in milter.log()
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_number_of_workers_follows(start_milter: StartMilter) -> None:
    milter = start_milter()

    change(milter, milter={"workers": 3})
    wait_until(lambda: len(milter.workers()) == 3 and milter.writer() is not None)
    change(milter, milter={"workers": 1})
    wait_until(lambda: len(children(milter.pid)) == 1)
    wait_until(lambda: "writer ended pid=" in milter.log())

    assert "died" not in milter.log()
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_mode_of_the_socket_follows(start_milter: StartMilter) -> None:
    milter = start_milter()

    change(milter, milter={"socket_mode": "0600"})

    assert Path(milter.address.removeprefix("unix:")).stat().st_mode & 0o777 == 0o600


async def keep_sending(address: str, answers: list[Answer], end: asyncio.Event) -> None:
    """Send as Postfix does: some messages over each connection."""
    while not end.is_set():
        async with await Connection.open(address, helo="x") as mta:
            for _ in range(4):
                answers.append(await mta.send(ENVELOPE, RAW))


def under_load(milter: Milter, story: Callable[[], None]) -> list[Answer]:
    """Run a story while eight connections send; return all answers; raise what the MTA calls an error."""

    async def both() -> list[Answer]:
        end = asyncio.Event()
        answers: list[Answer] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(keep_sending(milter.address, answers, end))
            try:
                await asyncio.to_thread(story)
            finally:
                end.set()
        return answers

    return asyncio.run(both())


@pytest.mark.parametrize("front", FRONTS)
def test_mta_sees_no_error_while_settings_are_reloaded(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"front": front, "workers": 2}})

    def reload() -> None:
        for on_clean in itertools.islice(itertools.cycle((True, False)), RELOADS):
            change(milter, milter={"front": front, "workers": 2}, headers={"on_clean": on_clean})

    answers = under_load(milter, reload)

    assert {one.verdict for one in answers} == {Verdict.ACCEPT}
    assert len(milter.tickets()) == len(answers)
    assert "error" not in milter.log()


@pytest.mark.parametrize("front", FRONTS)
def test_mta_sees_no_error_while_workers_are_replaced(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"front": front, "workers": 2, "recycle_messages": 20}})

    answers = under_load(milter, lambda: wait_until(lambda: milter.log().count("worker ended") >= RECYCLES))

    assert {one.verdict for one in answers} == {Verdict.ACCEPT}
    assert len(milter.tickets()) == len(answers)
    assert "error" not in milter.log()
    wait_until(lambda: len(milter.workers()) == 2)


@pytest.mark.parametrize("front", FRONTS)
def test_connection_of_a_worker_that_is_replaced_goes_on(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"front": front, "recycle_messages": 1}})
    answers: list[Answer] = []

    async def send(mta: Connection) -> None:
        answers.append(await mta.send(ENVELOPE, RAW))

    async def replaced(mta: Connection) -> None:
        await asyncio.to_thread(wait_until, lambda: "worker replaced" in milter.log())

    over_one_connection(milter, send, send, replaced, send)
    wait_until(lambda: "worker ended" in milter.log())

    assert {one.verdict for one in answers} == {Verdict.ACCEPT}


async def begin(milter: Milter) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a message on a connection of its own, and wait until Tamis has answered all of that."""
    reader, writer = await asyncio.open_unix_connection(milter.address.removeprefix("unix:"))
    writer.write(wire.negotiate(wire.Options(steps=Steps(0))))  # no step is quiet
    writer.write(wire.connect("mail.example.net", "192.0.2.7", 25) + wire.helo("mail.example.net"))
    writer.write(wire.mail("anna@example.net") + wire.rcpt("bob@example.org"))
    assert await answers(reader, 5) == b"Occcc"
    return reader, writer


async def answers(reader: asyncio.StreamReader, number: int) -> bytes:
    """Return the words of so many answers, or of all until Tamis hangs up."""
    decoder = wire.Decoder()
    words = b""
    while len(words) < number and (received := await reader.read(4096)):
        words += b"".join(word for word, _ in decoder.feed(received))
    return words


@pytest.mark.parametrize("front", FRONTS)
def test_message_that_has_begun_is_taken_to_its_end_when_the_service_stops(
    start_milter: StartMilter, front: str
) -> None:
    milter = start_milter({"milter": {"front": front}})

    async def story() -> bytes:
        reader, writer = await begin(milter)
        os.kill(milter.pid, signal.SIGTERM)
        await asyncio.to_thread(wait_until, lambda: "stopping" in milter.log())
        await asyncio.sleep(2 * QUIET)  # after which a connection without a message is ended
        writer.write(wire.header(b"Subject", b" hello"))
        writer.write(wire.frame(Command.END_OF_HEADER) + wire.frame(Command.END_OF_MESSAGE))
        words = await answers(reader, 3)
        writer.close()
        return words

    words = asyncio.run(story())
    milter.stop()

    assert words == b"ccc"


def test_connection_without_a_message_does_not_hold_up_the_end(start_milter: StartMilter) -> None:
    milter = start_milter()

    async def stop(mta: Connection) -> None:
        await asyncio.to_thread(milter.stop)

    over_one_connection(milter, stop)

    assert "killed" not in milter.log()


def test_message_that_never_ends_holds_up_the_end_no_longer_than_it_may(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": {"drain": "1s"}})

    async def story() -> bytes:
        reader, writer = await begin(milter)
        await asyncio.to_thread(milter.stop)
        rest = await reader.read(4096)
        writer.close()
        return rest

    assert asyncio.run(story()) == b""
    assert "killed" not in milter.log()


def test_worker_that_hangs_is_replaced(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": {"deadline": "1s"}})
    (first,) = children(milter.pid)

    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: children(milter.pid) not in ([], [first]))
    change(milter)  # the next one may have more time

    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT
    assert f"worker hangs and is killed pid={first}" in milter.log()


class Notified:
    """A process under a service manager that is ours: what it was told so far."""

    def __init__(self, process: subprocess.Popen[bytes], receiver: socket.socket) -> None:
        self.process = process
        self.states: list[str] = []
        self._receiver = receiver

    def wait_for(self, pattern: str) -> None:
        """Take what comes until a state matches."""
        while not self.states or not re.fullmatch(pattern, self.states[-1]):
            self.states.append(self._receiver.recv(4096).decode())


@contextmanager
def notified(folder: Path, **environment: str) -> Iterator[Notified]:
    """Run `tamis serve` as systemd does with Type=notify-reload."""
    config = folder / "tamis.toml"
    config.write_text(configuration(folder, listen=f"unix:{folder}/s"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0tamis-{os.getpid()}-{folder.name}")
        receiver.settimeout(PATIENCE)
        process = subprocess.Popen(
            [*COMMAND, "serve", "--config", str(config)],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": "@" + receiver.getsockname()[1:].decode(), **environment},
        )
        try:
            yield Notified(process, receiver)
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def test_systemd_hears_when_a_reload_begins_and_ends(tmp_path: Path) -> None:
    with notified(tmp_path) as service:
        service.wait_for("READY=1")

        service.process.send_signal(signal.SIGHUP)
        service.wait_for(r"RELOADING=1\nMONOTONIC_USEC=\d+")
        service.wait_for("READY=1")


def test_systemd_hears_the_end_of_a_reload_that_failed(tmp_path: Path) -> None:
    with notified(tmp_path) as service:
        service.wait_for("READY=1")
        (tmp_path / "tamis.toml").write_text("nonsense")

        service.process.send_signal(signal.SIGHUP)
        service.wait_for(r"RELOADING=1\nMONOTONIC_USEC=\d+")
        service.wait_for("READY=1")


def test_systemd_s_watchdog_hears_signs_of_life(tmp_path: Path) -> None:
    with notified(tmp_path, WATCHDOG_USEC="4000000") as service:
        service.wait_for("READY=1")
        service.wait_for("WATCHDOG=1")
