"""No body at rest, by what the kernel sees: content is written to no file, no log and no core dump."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests import canary
from tests.servers.clamd import Clamd
from tests.servers.milter import Milter, children
from tests.servers.postfix import SUDO
from tests.servers.strace import Trace, Written
from tests.test_service import wait_until

from tamis.checks.clamd import IN_MEMORY, file_system
from tamis.message import Envelope, Recipient
from tamis.sandbox.client import Connection, MilterUnavailable
from tamis.sandbox.section import split

ENVELOPE = Envelope(mail_from="pat@example.net", recipients=(Recipient("bob@example.org"),))
DEADLINE = 2.0  # seconds
PATIENCE = 60.0  # seconds
IN_HAND = "/memfd:message"
CRASHES = (signal.SIGSEGV, signal.SIGABRT)


@dataclass(slots=True)
class Evidence:
    """What a traced Tamis and its traced clamd did with all kinds of messages."""

    answers: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)  # answers beyond the deadline
    kept: list[tuple[str, bytes]] = field(default_factory=list)  # files on disk, each at several times
    open: bytes = b""  # what was in open files once all was answered
    crashes: list[bytes] = field(default_factory=list)  # in strace's words
    by_tamis: set[Written] = field(default_factory=set)
    by_clamd: set[Written] = field(default_factory=set)
    clamd_on_tcp: str = ""  # how a connection to it ends in the trace
    database: Path = Path()
    temporary_directory: Path = Path()  # clamd's


@pytest.fixture(scope="module", params=("stream unix", "libmilter unix", "stream inet"))
def evidence(request: pytest.FixtureRequest) -> Iterator[Evidence]:
    """Send all kinds of messages through a Tamis and a clamd that are traced."""
    front, _, way = request.param.partition(" ")
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        yield _gathered(Path(folder), front, way)


def _gathered(folder: Path, front: str, way: str) -> Evidence:
    of_tamis, of_clamd = Trace(folder / "of-tamis"), Trace(folder / "of-clamd")
    own, scanner = folder / "tamis", folder / "scanner"
    own.mkdir()
    found = Evidence(database=own / "tamis.db")
    with Clamd(scanner, of_clamd.runner) as clamd:
        found.temporary_directory = clamd.temporary_directory
        found.clamd_on_tcp = f"->127.0.0.1:{clamd.port}]"
        milter = Milter(
            own,
            {
                "milter": {"front": front, "max_message": f"{canary.MAX_MESSAGE}B"},
                "metrics": {"file": str(own / "tamis.prom"), "interval": "1s"},
            },
            clamd=clamd.address if way == "unix" else f"inet:127.0.0.1:{clamd.port}",
            prefix=(str(of_tamis.runner()),),
        )
        try:
            asyncio.run(_send_all(found, milter))
            found.open = _settled((milter.pid, *children(milter.pid), clamd.pid))
            found.kept += _files(own, scanner, clamd.temporary_directory)
            with _stopped(clamd.pid):
                crashed = [asyncio.run(_crash(milter, of_tamis, number)) for number in CRASHES]
                _shorten_deadline(milter)
                asyncio.run(_exceed_deadline(found, milter))
                found.kept += _files(own, scanner)
        finally:
            milter.stop()
        found.crashes = [of_tamis.ended(worker) for worker in crashed]
        of_tamis.ended(milter.pid)
    of_clamd.ended(clamd.pid)
    found.kept += _files(own, scanner)
    found.by_tamis = set(of_tamis.written(canary.NEEDLES))
    found.by_clamd = set(of_clamd.written(canary.NEEDLES))
    return found


async def _send(milter: Milter, raw: bytes) -> str:
    try:
        async with await Connection.open(milter.address, helo="x") as mta:
            return (await mta.send(ENVELOPE, raw)).verdict.value
    except MilterUnavailable:
        return "lost"


async def _send_all(found: Evidence, milter: Milter) -> None:
    """Send all messages, one given up in the middle, and one whose MTA hangs up."""
    for name, raw in (*canary.harmless(), *canary.infected()):
        found.answers[name] = await _send(milter, raw)
    for give_up in (True, False):
        async with await Connection.open(milter.address, helo="x") as mta:
            await mta.mail(ENVELOPE.mail_from)
            await mta.rcpt(ENVELOPE.recipients[0])
            sent = asyncio.create_task(mta.message(split(dict(canary.harmless())["big"])))
            await asyncio.sleep(0)
            sent.cancel()
            if give_up:
                mta.abort()


def _shorten_deadline(milter: Milter) -> None:
    """Have a deadline that passes soon, where until now none was to pass however slowly it goes."""
    text = milter.config.read_text()
    milter.config.write_text(text.replace("[milter]\n", f'[milter]\n"deadline" = "{DEADLINE}s"\n'))
    milter.reload()
    wait_until(lambda: "reloaded" in milter.log())


async def _exceed_deadline(found: Evidence, milter: Milter) -> None:
    """Send messages while neither the scanner nor the store answers."""
    raw = dict(canary.harmless())
    with contextlib.closing(sqlite3.connect(found.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found.late = {*await asyncio.gather(*(_send(milter, raw[one]) for one in ("clean", "HTML", "big")))}


async def _crash(milter: Milter, trace: Trace, number: signal.Signals) -> int:
    """Let a worker crash that has a message in hand; return its number."""
    await asyncio.to_thread(wait_until, lambda: bool(children(milter.pid)))
    (worker,) = children(milter.pid)
    before = trace.size
    sent = asyncio.create_task(_send(milter, dict(canary.harmless())["clean"]))
    # It has been handed to the scanner, which is stopped.
    await asyncio.to_thread(wait_until, lambda: trace.shows(canary.WORD.encode(), since=before))
    os.kill(worker, number)
    await sent
    await asyncio.to_thread(wait_until, lambda: worker not in children(milter.pid))
    return worker


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.name, path.read_bytes()


def _settled(pids: Sequence[int]) -> bytes:
    """Return what open files hold once messages that were given up are forgotten."""
    end = time.monotonic() + PATIENCE
    while _holds(found := b"".join(map(_open, pids))) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _open(pid: int) -> bytes:
    """Return what is in the regular files that a process has open, also deleted ones and those in memory."""
    command = [*SUDO, "find", "-L", f"/proc/{pid}/fd", "-type", "f", "-exec", "cat", "{}", "+"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def _holds(octets: bytes) -> bool:
    return any(needle in octets for needle in canary.NEEDLES)


def test_messages_took_their_ways(evidence: Evidence) -> None:
    expected = {
        **dict.fromkeys(dict(canary.harmless()), "accept"),
        **dict.fromkeys(dict(canary.infected()), "reject"),
    }

    assert evidence.answers == expected
    assert evidence.late == {"tempfail"}


def test_content_leaves_tamis_for_memory_and_the_scanner_alone(evidence: Evidence) -> None:
    shared_index = Written("mmap", f"{evidence.database}-shm")  # its file is searched below

    elsewhere = {
        one
        for one in evidence.by_tamis - {shared_index}
        if one.target != IN_HAND and not one.target.endswith(evidence.clamd_on_tcp)
    }
    assert elsewhere == set()


def test_content_leaves_clamd_for_memory_alone(evidence: Evidence) -> None:
    unpacked = f"{evidence.temporary_directory}/"

    assert {one for one in evidence.by_clamd if not one.target.startswith(unpacked)} == set()
    assert file_system(evidence.temporary_directory) in IN_MEMORY


def test_what_is_written_to_memory_is_seen(evidence: Evidence) -> None:
    by_descriptor = {one.target for one in evidence.by_tamis} >= {IN_HAND}
    by_stream = any(one.target.endswith(evidence.clamd_on_tcp) for one in evidence.by_tamis)

    assert by_descriptor or by_stream
    assert any(one.call == "write" for one in evidence.by_clamd)


def test_no_file_keeps_content(evidence: Evidence) -> None:
    names = {name for name, _ in evidence.kept}

    assert names >= {"tamis.log", "clamd.log", "tamis.db", "tamis.db-wal", "tamis.db-shm", "tamis.prom"}
    assert {name for name, octets in evidence.kept if _holds(octets)} == set()


def test_no_open_file_holds_content_once_all_is_answered(evidence: Evidence) -> None:
    assert b"SQLite format 3" in evidence.open
    assert not _holds(evidence.open)


def test_worker_that_crashes_with_a_message_in_hand_dumps_no_core(evidence: Evidence) -> None:
    assert evidence.crashes == [f"killed by {number.name}".encode() for number in CRASHES]


# Else root would see everything, or need the capabilities of what it looks into.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


def may_look_into(pid: int) -> bool:
    """Tell whether another process of the same user may see the memory of one."""
    return subprocess.run([*POWERLESS, "cat", f"/proc/{pid}/maps"], capture_output=True).returncode == 0


def test_no_process_may_be_looked_into(tmp_path: Path) -> None:
    with Milter(tmp_path, prefix=POWERLESS) as milter:
        assert [pid for pid in (milter.pid, *children(milter.pid)) if may_look_into(pid)] == []


def test_ordinary_process_may_be_looked_into() -> None:
    with subprocess.Popen([*POWERLESS, "cat"], stdin=subprocess.PIPE) as other:
        wait_until(lambda: may_look_into(other.pid))
        other.communicate()


# Ways to leak: a line of Python, the call that it makes, and what its target has in it.
WAYS = {
    "write": ("put(file('plain'), text)", "write", "/plain"),
    "write in base64": ("put(file('base64'), base64.b64encode(b'.' + text))", "write", "/base64"),
    "write in UTF-16": ("put(file('wide'), word.encode('utf-16'))", "write", "/wide"),
    "write of what is packed": ("put(file('packed'), packed)", "write", "/packed"),
    "write at a place": ("os.pwrite(file('place'), text, 5)", "pwrite64", "/place"),
    "write in pieces": ("os.writev(file('pieces'), [b'.', text])", "writev", "/pieces"),
    "write that is too long to be seen": ("put(file('long'), bytes(70_000))", "write", "/long"),
    "write to a file without a name": ("put(os.open('.', os.O_TMPFILE | os.O_RDWR), text)", "write", "/#"),
    "write to a pipe": ("put(os.pipe()[1], text)", "write", "pipe:"),
    "write in a thread": ("in_thread(file('thread'), text)", "write", "/thread"),
    "write in a child": (
        "os.waitpid(os.fork() or (put(file('child'), text), os._exit(0)), 0)",
        "write",
        "/child",
    ),
    "socket": ("a, b = socket.socketpair(); a.send(text)", "sendto", "UNIX-STREAM:"),
    "mapping": ("mmap.mmap(full('mapping'), 5)", "mmap", "/mapping"),
    "file that is sent": ("os.sendfile(file('sent'), full('a'), 0, 5)", "sendfile", "/sent"),
    "copied range": ("os.copy_file_range(full('b'), file('copied'), 5)", "copy_file_range", "/copied"),
    "splice": ("os.splice(full('c'), os.pipe()[1], 5)", "splice", "pipe:"),
    "name of a file": ("file(word)", "openat", canary.WORD),
    "name of a folder": ("os.mkdir(word + '.folder')", "mkdir", ".folder"),
    "new name": ("full('d'); os.rename('d', word + '.new')", "rename", ".new"),
    "link": ("os.symlink(word, 'link')", "symlink", "link"),
}
LEAKING = """
import base64, mmap, os, resource, signal, socket, sys, threading
word, packed = sys.argv[1], bytes.fromhex(sys.argv[2])
text, put = word.encode(), os.write
def file(name):
    return os.open(name, os.O_RDWR | os.O_CREAT)
def full(name):
    opened = file(name)
    put(opened, b"harmless")
    os.lseek(opened, 0, os.SEEK_SET)
    return opened
def in_thread(*what):
    one = threading.Thread(target=put, args=what)
    one.start()
    one.join()
"""
CRASHING = """
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[Written], bytes]:
    """Return what a process that leaks in all ways wrote, and how it ended."""
    folder = tmp_path_factory.mktemp("leaking")
    trace = Trace(folder / "trace")
    story = "\n".join((LEAKING, *(line for line, _, _ in WAYS.values()), CRASHING))
    command = [str(trace.runner()), sys.executable, "-c", story, canary.WORD, canary.PACKED.hex()]
    with subprocess.Popen(command, cwd=folder) as process:
        process.wait()
    end = trace.ended(process.pid)  # all else is written before it
    return set(trace.written(canary.NEEDLES)), end


@pytest.mark.parametrize("way", WAYS)
def test_leak_is_found(leaking: tuple[set[Written], bytes], way: str) -> None:
    _, call, target = WAYS[way]

    assert any(one.call == call and target in one.target for one in leaking[0])


def test_nothing_else_is_called_a_leak(leaking: tuple[set[Written], bytes]) -> None:
    known = {(call, target) for _, call, target in WAYS.values()}

    assert [one for one in leaking[0] if not any(one.call == c and t in one.target for c, t in known)] == []


def test_core_dump_is_seen(leaking: tuple[set[Written], bytes]) -> None:
    assert leaking[1] == b"killed by SIGSEGV (core dumped)"
