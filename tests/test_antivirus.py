"""The antivirus filter: clamd's answers, its absence, and what becomes of the message's octets."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import gc
import io
import logging
import os
import resource
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from tests.servers.clamd import PATIENCE, Behaviour, Clamd, CountingClamd
from tests.servers.mail import eicar
from tests.test_service import wait_until

from tamis import config as configuration
from tamis.checks import clamd_wire
from tamis.checks.antivirus import REMINDER, REST, Antivirus
from tamis.checks.clamd_wire import LONGEST_NAME, ScannerUnavailable
from tamis.finding import Filter, VirusFinding, VirusStatus
from tamis.message import Envelope, Message
from tamis.service import parts

CLEAN = VirusFinding(VirusStatus.CLEAN)
UNSCANNABLE = VirusFinding(VirusStatus.UNSCANNABLE)
ERROR = VirusFinding(VirusStatus.ERROR)
FOUND = VirusFinding(VirusStatus.INFECTED, "Eicar-Test-Signature.UNOFFICIAL")

MIME = ((b"MIME-Version", b" 1.0"), (b"Content-Type", b" multipart/mixed; boundary=outer"))
ATTACHED = b"--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--%s--\r\n"


def message(body: bytes = b"Hello\r\n", *fields: tuple[bytes, bytes]) -> Message:
    return Message(Envelope(), ((b"Subject", b" Lunch"), *fields), body)


def attachment(
    content: bytes, *, kind: bytes = b"application/octet-stream", boundary: bytes = b"outer"
) -> bytes:
    return ATTACHED % (boundary, kind, base64.encodebytes(content).replace(b"\n", b"\r\n"), boundary)


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("test.txt", content)
    return archive.getvalue()


def encrypted_zip() -> bytes:
    """Return an archive whose file is marked as encrypted (APPNOTE.TXT 4.4.4, bit 0), as zipfile cannot."""
    plain = bytearray(zipped(os.urandom(64)))
    plain[6] |= 1
    plain[plain.index(b"PK\1\2") + 8] |= 1
    return bytes(plain)


def nested_zip(depth: int) -> bytes:
    content = b"deep"
    for _ in range(depth):
        content = zipped(content)
    return content


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def scan(*addresses: str, of: Message | None = None, timeout: float = PATIENCE) -> VirusFinding:
    return uvloop.run(Antivirus(addresses, timeout, 10**6).run(of or message()))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made: asyncio.AbstractEventLoop = request.param()
    yield made
    made.close()


# --- A real clamd ----------------------------------------------------------------------------------


def test_clean_mail_is_clean(clamd: Clamd, loop: asyncio.AbstractEventLoop) -> None:
    antivirus = Antivirus([clamd.address], PATIENCE, 10**6)

    assert loop.run_until_complete(antivirus.run(message())) == CLEAN


@pytest.mark.parametrize(
    "infected",
    [
        message(eicar() + b"\r\n"),
        message(attachment(zipped(eicar()), kind=b"application/zip"), *MIME),
        message(
            b"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"
            + attachment(eicar(), boundary=b"inner")
            + b"--outer--\r\n",
            *MIME,
        ),
    ],
    ids=["plain", "zip", "base64 in a nested multipart"],
)
def test_malware_is_found(clamd: Clamd, infected: Message) -> None:
    assert scan(clamd.address, of=infected) == FOUND


def test_a_message_without_octets_is_clean(clamd: Clamd) -> None:
    assert scan(clamd.address, of=Message(Envelope(), (), b"")) == CLEAN


def test_malware_at_the_end_of_a_large_message_is_found(clamd: Clamd) -> None:
    large = message(attachment(os.urandom(20 * 10**6) + eicar()), *MIME)

    assert uvloop.run(Antivirus([clamd.address], PATIENCE, 50 * 10**6).run(large)) == FOUND


def test_many_messages_at_once_get_each_their_answer(clamd: Clamd) -> None:
    async def story() -> list[VirusFinding]:
        antivirus = Antivirus([clamd.address], PATIENCE, 10**6)
        bodies = [eicar() if number % 3 == 0 else b"%d\r\n" % number for number in range(300)]
        return await asyncio.gather(*(antivirus.run(message(body)) for body in bodies))

    findings = uvloop.run(story())

    assert findings == [FOUND if number % 3 == 0 else CLEAN for number in range(300)]


def test_an_encrypted_archive_cannot_be_scanned(clamd: Clamd) -> None:
    archive = message(attachment(encrypted_zip(), kind=b"application/zip"), *MIME)

    assert scan(clamd.address, of=archive) == UNSCANNABLE


def test_an_archive_beyond_clamds_limits_cannot_be_scanned(clamd: Clamd) -> None:
    archive = message(attachment(nested_zip(30), kind=b"application/zip"), *MIME)

    assert scan(clamd.address, of=archive) == UNSCANNABLE


def test_clamd_keeps_nothing_of_a_message(clamd: Clamd) -> None:
    scan(clamd.address, of=message(attachment(zipped(b"a secret")), *MIME))

    assert [path for path in clamd.temporary_directory.rglob("*") if path.is_file()] == []


def test_clamd_logs_nothing_of_a_message(clamd: Clamd) -> None:
    secret = b"a-secret-file-name.txt"
    fields = (*MIME, (b"X-Secret", b" " + secret))

    scan(clamd.address, of=message(secret + attachment(zipped(eicar() + secret)), *fields))

    assert secret.decode() not in clamd.log


def test_a_scanner_over_tcp_gets_the_message_as_a_stream(
    clamd: Clamd, loop: asyncio.AbstractEventLoop
) -> None:
    antivirus = Antivirus([f"inet:127.0.0.1:{clamd.port}"], PATIENCE, 10**6)
    infected = message(attachment(os.urandom(600_000) + eicar()), *MIME)

    assert loop.run_until_complete(antivirus.run(infected)) == FOUND


def test_a_message_over_the_length_of_a_stream_cannot_be_scanned(clamd: Clamd) -> None:
    antivirus = Antivirus([f"inet:127.0.0.1:{clamd.port}"], PATIENCE, 10**8)

    assert uvloop.run(antivirus.run(message(bytes(20 * 10**6)))) == UNSCANNABLE


# --- What leaves us --------------------------------------------------------------------------------


def test_clamd_gets_the_message_byte_for_byte() -> None:
    sent = message(b"\0\xff\r\n.\r\n" * 100_000, (b"X-Folded", b" one\n\ttwo"))

    with CountingClamd() as clamd:
        scan(clamd.address, of=sent)

    assert clamd.messages == [sent.raw]


def test_clamd_gets_a_descriptor_that_nobody_can_write_to() -> None:
    with CountingClamd() as clamd:
        scan(clamd.address)

    assert clamd.seals == fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def test_a_message_over_the_limit_is_not_sent() -> None:
    with CountingClamd() as clamd:
        finding = scan(clamd.address, of=message(bytes(10**6 + 1)))

    assert (finding, clamd.connections) == (UNSCANNABLE, 0)


def test_a_message_of_which_a_part_was_not_kept_is_not_sent() -> None:
    with CountingClamd() as clamd:
        finding = scan(clamd.address, of=replace(message(b"hello\r\n"), omitted=1))

    assert (finding, clamd.connections) == (UNSCANNABLE, 0)


def test_no_descriptor_stays_open() -> None:
    gc.collect()  # what other tests left behind
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    with CountingClamd() as answers, CountingClamd(Behaviour.CLOSE) as closes:
        scan(answers.address)
        scan(closes.address)
    scan("unix:/nonexistent")

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_no_descriptor_stays_open_where_there_is_only_one(loop: asyncio.AbstractEventLoop) -> None:
    async def story() -> VirusFinding:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free() + 1, before[1]))
        try:
            return await Antivirus(["unix:/nonexistent"], PATIENCE, 10**6).run(message())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def lowest_free() -> int:
        os.close(found := os.dup(0))
        return found

    free = lowest_free()
    finding = loop.run_until_complete(story())

    assert finding == ERROR
    assert lowest_free() == free


def test_connection_of_a_message_that_is_given_up_ends_with_clamds_end(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def story() -> None:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        with CountingClamd(Behaviour.HANG) as clamd:
            asked = asyncio.create_task(Antivirus([clamd.address], PATIENCE, 10**6).run(message()))
            while not clamd.asked.is_set():
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: PTH208
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(story(), PATIENCE))


def test_clamd_keeps_no_message_that_was_given_up_before_it_looked(
    loop: asyncio.AbstractEventLoop, clamd: Clamd
) -> None:
    def kept() -> bool:
        command = [
            "find",
            f"/proc/{clamd.pid}/fd",
            "-lname",
            "*memfd*",
        ]  # complains of those that go meanwhile
        return bool(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)

    async def story() -> VirusFinding:
        os.kill(clamd.pid, signal.SIGSTOP)
        try:
            given_up = await Antivirus([clamd.address], 0.2, 10**6).run(message())
        finally:
            os.kill(clamd.pid, signal.SIGCONT)
        assert given_up == ERROR
        return await Antivirus([clamd.address], PATIENCE, 10**6).run(message())

    assert loop.run_until_complete(story()) == CLEAN
    wait_until(lambda: not kept())


# --- Who is asked ----------------------------------------------------------------------------------


def test_the_first_clamd_is_asked() -> None:
    with CountingClamd() as first, CountingClamd() as second:
        scan(first.address, second.address)

    assert (first.connections, second.connections) == (1, 0)


@pytest.mark.parametrize(
    "reply",
    [
        Behaviour.CLOSE,
        Behaviour.HANG,
        b"",
        b"nonsense\0",
        b"OK",
        b"x" * 10_000,
        b"fd[7]: Can't create temporary file ERROR\0",
        b"COMMAND READ TIMED OUT\0",
        b"UNKNOWN COMMAND\0",
    ],
)
def test_a_clamd_in_trouble_leaves_the_message_to_the_next(reply: bytes | Behaviour) -> None:
    # One that hangs takes its half of the time.
    timeout = 5.0 if reply is Behaviour.HANG else PATIENCE
    with CountingClamd(reply) as first, CountingClamd() as second:
        finding = scan(first.address, second.address, timeout=timeout)

    assert (finding, second.connections) == (CLEAN, 1)


def test_a_clamd_that_is_not_there_leaves_the_message_to_the_next() -> None:
    with CountingClamd() as second:
        assert scan("inet:127.0.0.1:1", "unix:/nonexistent", second.address) == CLEAN


def test_without_an_answer_it_is_an_error() -> None:
    with CountingClamd(Behaviour.HANG) as first, CountingClamd(b"nonsense\0") as second:
        assert scan(first.address, second.address, timeout=0.2) == ERROR


def test_the_next_clamd_is_reached_before_the_deadline() -> None:
    async def story(first: CountingClamd, second: CountingClamd) -> VirusFinding | None:
        text = f"""
            milter.deadline = "5s"
            mail.domains = ["example.org"]
            antivirus.clamd = ["{first.address}", "{second.address}"]
            """
        config = configuration.parse(text, "tamis.toml")
        scanner = parts.scanner(config, parts.filters(config))
        return (await scanner.scan(message(), frozenset({Filter.ANTIVIRUS}))).antivirus

    with CountingClamd(Behaviour.HANG) as first, CountingClamd() as second:
        assert uvloop.run(story(first, second)) == CLEAN


def test_a_clamd_that_failed_is_asked_last_for_a_while() -> None:
    async def story(antivirus: Antivirus) -> None:
        for _ in range(5):
            await antivirus.run(message())

    with CountingClamd(b"nonsense\0") as first, CountingClamd() as second:
        uvloop.run(story(Antivirus([first.address, second.address], PATIENCE, 10**6, clock=Clock())))

    assert (first.connections, second.connections) == (1, 5)


def test_a_clamd_that_is_back_is_asked_first_again() -> None:
    async def story(antivirus: Antivirus, first: CountingClamd, clock: Clock) -> None:
        await antivirus.run(message())
        first.reply = b"fd[7]: OK\0"
        clock.now += REST
        await antivirus.run(message())
        await antivirus.run(message())

    clock = Clock()
    with CountingClamd(b"nonsense\0") as first, CountingClamd() as second:
        uvloop.run(
            story(Antivirus([first.address, second.address], PATIENCE, 10**6, clock=clock), first, clock)
        )

    assert (first.connections, second.connections) == (3, 1)


def test_one_message_alone_tries_whether_a_clamd_is_back() -> None:
    async def story(antivirus: Antivirus, first: CountingClamd, clock: Clock) -> None:
        await antivirus.run(message())
        first.reply = Behaviour.HANG
        clock.now += REST
        asked = {asyncio.create_task(antivirus.run(message())) for _ in range(10)}
        while len(asked) > 1:
            _, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        first.let_go()
        await asyncio.wait(asked)

    clock = Clock()
    with CountingClamd(b"nonsense\0") as first, CountingClamd() as second:
        antivirus = Antivirus([first.address, second.address], PATIENCE, 10**6, clock=clock)
        uvloop.run(story(antivirus, first, clock))

    assert (first.connections, second.connections) == (2, 11)


def test_a_full_queue_of_connections_is_waited_for(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    path = str(tmp_path / "clamd.sock")

    async def story(listener: socket.socket) -> VirusFinding:
        asked = asyncio.create_task(Antivirus([f"unix:{path}"], PATIENCE, 10**6).run(message()))
        await asyncio.sleep(0)
        (await asyncio.to_thread(listener.accept))[0].close()
        connection, _ = await asyncio.to_thread(listener.accept)
        with connection:
            connection.sendall(b"fd[7]: OK\0")
            return await asked

    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(path)
        listener.listen(0)
        other.connect(path)
        assert loop.run_until_complete(story(listener)) == CLEAN


# --- What is logged --------------------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def story(antivirus: Antivirus) -> None:
        for _ in range(20):
            await antivirus.run(message())

    uvloop.run(story(Antivirus(["unix:/nonexistent"], PATIENCE, 10**6, clock=Clock())))

    assert warnings(caplog) == [
        "clamd does not answer address=unix:/nonexistent error=FileNotFoundError away=0s",
        "no clamd answers away=0s",
    ]


def test_an_outage_that_lasts_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story(antivirus: Antivirus, clock: Clock) -> None:
        await antivirus.run(message())
        clock.now += REMINDER
        await antivirus.run(message())

    clock = Clock()
    uvloop.run(story(Antivirus(["unix:/nonexistent"], PATIENCE, 10**6, clock=clock), clock))

    assert "no clamd answers away=60s" in warnings(caplog)


def test_the_end_of_an_outage_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story(antivirus: Antivirus, clamd: CountingClamd, clock: Clock) -> None:
        await antivirus.run(message())
        clamd.reply = b"fd[7]: OK\0"
        clock.now += 7
        await antivirus.run(message())
        await antivirus.run(message())

    caplog.set_level(logging.INFO)
    clock = Clock()
    with CountingClamd(b"nonsense\0") as clamd:
        uvloop.run(story(Antivirus([clamd.address], PATIENCE, 10**6, clock=clock), clamd, clock))

    assert caplog.messages[2:] == [f"clamd answers again address={clamd.address} away=7s"]


# --- Replies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        (b"fd[10]: OK", CLEAN),
        (b"stream: OK", CLEAN),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND", VirusFinding(VirusStatus.INFECTED, "Win.Test.EICAR_HDB-1")),
        (b"fd[1]: {HEX}php.1.UNOFFICIAL FOUND", VirusFinding(VirusStatus.INFECTED, "{HEX}php.1.UNOFFICIAL")),
        (
            b"fd[1]: Heuristics.Phishing.Email FOUND",
            VirusFinding(VirusStatus.INFECTED, "Heuristics.Phishing.Email"),
        ),
        (b"fd[1]: Heuristics.Limits.Exceeded.MaxFileSize FOUND", UNSCANNABLE),
        (b"fd[1]: Heuristics.Encrypted.Zip FOUND", UNSCANNABLE),
        (b"INSTREAM size limit exceeded. ERROR", UNSCANNABLE),
        (b"fd[1]: Exceeded time limit ERROR", UNSCANNABLE),
        (b"fd[1]: Bad format or broken data ERROR", UNSCANNABLE),
    ],
)
def test_a_reply_is_understood(reply: bytes, finding: VirusFinding) -> None:
    assert clamd_wire.parse(reply) == finding


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"OK",
        b"fd[1]: ok",
        b"fd[1]: OK ",
        b"fd[1]:  FOUND",
        b"fd[1]: Can't allocate memory ERROR",
        b"fd[1]: Not a regular file ERROR",
        b"UNKNOWN COMMAND",
    ],
)
def test_what_is_not_a_reply_on_the_message_is_never_clean(reply: bytes) -> None:
    with pytest.raises(ScannerUnavailable):
        clamd_wire.parse(reply)


def test_a_name_of_malware_fits_into_a_header_field() -> None:
    finding = clamd_wire.parse(b"fd[1]: " + b'a(b)\\c%d\xff\r"e;' + b"x" * 999 + b" FOUND")

    assert finding.malware is not None
    assert finding.malware.startswith("a_b__c_d___e_x")
    assert len(finding.malware) == LONGEST_NAME
