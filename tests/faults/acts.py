"""What may go wrong around Tamis, and within it, while mail flows."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import disk
from tests.faults.ledger import Result
from tests.servers.clamd import Clamd
from tests.servers.milter import Milter, children
from tests.test_service import wait_until

Tables = Mapping[str, Mapping[str, object]]
ALIKE = ("anna@example.org",)
# They want different things of a third of the mail, which is split.
MIXED = ("anna@example.org", "carol@example.org")
WISHES = {"carol@example.org": ("antispam=off", "graymail=off")}


@dataclass(frozen=True, slots=True)
class Stage:
    """A Tamis with a scanner of its own, and for how many seconds a fault lasts."""

    milter: Milter
    clamd: Clamd
    database: Path
    seconds: float
    felt: Callable[[], bool]  # whether the sending MTA was asked to come again
    kill_relay: Callable[[], None]  # whatever of the MTA takes copies at the moment

    def last(self) -> None:
        """Let time pass, and go on until the fault is felt."""
        time.sleep(self.seconds)
        wait_until(self.felt)

    def go_on_until_logged(self, text: str, number: int) -> None:
        """Let time pass until Tamis has logged a text so many times."""
        wait_until(lambda: self.milter.log().count(text) >= number)

    def moments(self, number: int) -> Iterator[int]:
        """Count, spread over the time that the fault lasts."""
        for one in range(number):
            yield one
            time.sleep(self.seconds / number)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a stage, what is set for it, and what comes of it."""

    act: Callable[[Stage], None]
    tables: Tables = field(default_factory=dict)
    puts_off: bool | None = True  # the sending MTA is asked to come again; None: perhaps
    complaints: frozenset[str] = frozenset()  # lines of Tamis's log, by their beginning
    small_disk: bool = False
    recipients: tuple[str, ...] = ALIKE
    alone: bool = False  # it happens to all that use the same MTA
    cuts_in: bool = False  # between a relay that takes a copy over and Tamis that remembers it

    def as_due(self, one: Result) -> bool:
        """Tell whether mail went its way, unnoticed by the MTA where the fault puts nothing off."""
        unnoticed = not (one.tempfails or one.warnings)
        return one.ok and (self.cuts_in or not one.again) and (self.puts_off is not False or unnoticed)


def clamd_killed(stage: Stage) -> None:
    os.kill(stage.clamd.pid, signal.SIGKILL)
    stage.last()
    stage.clamd.restart()


def clamd_hangs(stage: Stage) -> None:
    with _stopped(stage.clamd.pid):
        stage.last()


def clamd_reloads(stage: Stage) -> None:
    for _ in stage.moments(10):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(stage.clamd.address.removeprefix("unix:"))
            connection.sendall(b"zRELOAD\0")
            assert connection.recv(64) == b"RELOADING\0"


def worker_killed(stage: Stage) -> None:
    for _ in stage.moments(max(3, round(stage.seconds))):
        wait_until(lambda: bool(stage.milter.workers()))
        os.kill(max(stage.milter.workers(), key=_descriptors), signal.SIGKILL)


def writer_killed(stage: Stage) -> None:
    for _ in stage.moments(max(3, round(stage.seconds))):
        wait_until(lambda: stage.milter.writer() is not None)
        if (pid := stage.milter.writer()) is not None:
            os.kill(pid, signal.SIGKILL)


def service_restarted(stage: Stage) -> None:
    for _ in stage.moments(max(1, round(stage.seconds / 5))):
        stage.milter.restart()


def supervisor_killed(stage: Stage) -> None:
    for _ in stage.moments(max(1, round(stage.seconds / 5))):
        stage.milter.crash()


def reloaded(stage: Stage) -> None:
    for before in stage.moments(max(20, round(10 * stage.seconds))):
        stage.milter.reload()
        stage.go_on_until_logged("reloaded workers=", before + 1)


def workers_recycled(stage: Stage) -> None:
    for before in range(max(5, round(5 * stage.seconds))):
        stage.go_on_until_logged("worker replaced ", before + 1)


def store_locked(stage: Stage) -> None:
    with contextlib.closing(sqlite3.connect(stage.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        stage.last()


def disk_full(stage: Stage) -> None:
    with disk.full(stage.database.parent, children(stage.milter.pid)):
        stage.last()


def deadline_exceeded(stage: Stage) -> None:
    with _stopped(stage.clamd.pid):
        store_locked(stage)


def relay_killed(stage: Stage) -> None:
    for _ in stage.moments(max(10, round(20 * stage.seconds))):
        stage.kill_relay()


def _descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open: the more, the more connections of the MTA."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has just ended
        return 0


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


SCANNER_AWAY = frozenset({"antivirus gave no answer in time", "clamd does not answer", "no clamd answers"})
FAULTS: Mapping[str, Fault] = {
    "clamd killed": Fault(clamd_killed, complaints=SCANNER_AWAY),
    "clamd hangs": Fault(clamd_hangs, {"antivirus": {"timeout": "500ms"}}, complaints=SCANNER_AWAY),
    "clamd reloads": Fault(clamd_reloads, puts_off=False),
    "worker killed": Fault(worker_killed, puts_off=None, complaints=frozenset({"worker died"})),
    "writer killed": Fault(
        writer_killed, puts_off=None, complaints=frozenset({"writer died", "store unavailable"})
    ),
    "service restarted": Fault(service_restarted, puts_off=None),
    "supervisor killed": Fault(supervisor_killed, puts_off=None),
    "SIGHUP again and again": Fault(reloaded, puts_off=False),
    "workers recycled": Fault(workers_recycled, {"milter": {"recycle_messages": 5}}, puts_off=False),
    "store locked": Fault(
        store_locked, {"store": {"timeout": "500ms"}}, complaints=frozenset({"store unavailable"})
    ),
    "disk full": Fault(disk_full, complaints=frozenset({"store unavailable"}), small_disk=True),
    "deadline exceeded": Fault(
        deadline_exceeded,
        {"milter": {"deadline": "500ms"}, "store": {"timeout": "10s"}},
        complaints=SCANNER_AWAY | {"deadline passed"},
    ),
    # The same with mail of which a part is split.
    "relay killed": Fault(
        relay_killed,
        puts_off=None,
        complaints=frozenset({"copy not accepted", "relay unavailable"}),
        recipients=MIXED,
        alone=True,
        cuts_in=True,
    ),
    "worker killed while splitting": Fault(
        worker_killed,
        puts_off=None,
        complaints=frozenset({"worker died"}),
        recipients=MIXED,
        cuts_in=True,
    ),
    "service restarted while splitting": Fault(service_restarted, puts_off=None, recipients=MIXED),
    "SIGHUP again and again while splitting": Fault(reloaded, puts_off=False, recipients=MIXED),
    "workers recycled while splitting": Fault(
        workers_recycled, {"milter": {"recycle_messages": 5}}, puts_off=False, recipients=MIXED
    ),
    "store locked while splitting": Fault(
        store_locked,
        {"store": {"timeout": "500ms"}},
        complaints=frozenset({"store unavailable"}),
        recipients=MIXED,
        cuts_in=True,
    ),
}
