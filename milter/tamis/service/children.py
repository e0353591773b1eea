"""The workers and the writer as their supervisor sees them."""

from __future__ import annotations

import enum
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from tamis.service import pipe
from tamis.service.limits import name_process
from tamis.service.table import Row

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1  # seconds before a dead process is replaced; doubled each time that one dies young
LONGEST_PAUSE = 10.0  # seconds
YOUNG = 10.0  # seconds; a process that lived longer resets the pause


class Role(enum.StrEnum):
    """What a process does, as the log and ps call it."""

    WORKER = "worker"
    WRITER = "writer"


class State(enum.Enum):
    """Where a process is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    WORN = "worn"  # a worker that serves until another one does in its place
    LEAVING = "leaving"  # takes no more connections


@dataclass(eq=False)
class Child:
    """A process of ours."""

    role: Role
    pid: int
    control: socket.socket
    row: Row  # of its metrics
    version: int = 0  # of the configuration that a worker has
    slot: int = 0  # a worker's row among the metrics
    state: State = State.STARTING
    started: float = field(default_factory=time.monotonic)
    owes: float | None = None  # monotonic time since when a word of it is due
    hung: bool = False  # and therefore was killed
    told: int | None = None  # version of the configuration that it was told and has not taken yet

    def __post_init__(self) -> None:
        self.owes = self.started

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def hear(self) -> bytes:
        """Take a word; none where the process has ended."""
        try:
            word = self.control.recv(1)
        except OSError:
            return b""
        self.owes = None
        if word == pipe.CONFIGURED and self.told is not None:
            self.version, self.told = self.told, None
        return word

    def tell(self, words: bytes) -> None:
        """Say something; a process that does not even take it is killed."""
        try:
            self.control.sendall(words)
        except TimeoutError:
            self.kill()
        except OSError:
            return  # it has just died

    def ping(self) -> None:
        """Ask for a sign of life, unless one is due already."""
        if self.owes is None:
            self.owes = time.monotonic()
            self.tell(pipe.PING)

    def silent(self) -> float:
        """Return the seconds since when a sign of life is due."""
        return 0.0 if self.owes is None else time.monotonic() - self.owes

    def configure(self, text: str, version: int) -> None:
        """Hand over a configuration, unless it has not taken the last one yet."""
        if self.told is None and self.version != version and self.state is not State.STARTING:
            self.told = version
            self.tell(pipe.configuration(text))

    def retire(self) -> None:
        """Have a worker take no more connections and end after the last one."""
        self.state = State.LEAVING
        self.tell(pipe.RETIRE)

    def stop(self) -> None:
        """Have it end soon."""
        self.state = State.LEAVING
        self.tell(pipe.STOP)

    def kill(self) -> None:
        """End it at once, as it hangs."""
        self.hung = True
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Wait for its end; return its exit status, or minus a signal's number."""
        self.control.close()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


class Pause:
    """How long no process of a role is started, after one that died."""

    def __init__(self) -> None:
        self.seconds = FIRST_PAUSE
        self.end = 0.0  # monotonic seconds

    @property
    def is_over(self) -> bool:
        """Whether one may be started."""
        return time.monotonic() >= self.end

    def begin(self, age: float = 0.0) -> None:
        """Start none for a while, as one died that had lived for so many seconds."""
        self.seconds = FIRST_PAUSE if age > YOUNG else min(2 * self.seconds, LONGEST_PAUSE)
        self.end = time.monotonic() + self.seconds


def start(
    role: Role, row: Row, live: Callable[[socket.socket], NoReturn], *, theirs: Sequence[socket.socket]
) -> Child:
    """Fork a process that lives with its end of a pipe; raise OSError.

    theirs are sockets of the supervisor that it must not keep: else those would not end with the supervisor.
    """
    ours, its = pipe.pair()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        its.close()
        raise
    if pid == 0:
        _begin(role, lambda: live(its), close=(*theirs, ours))
    its.close()
    return Child(role, pid, ours, row)


def _begin(role: Role, live: Callable[[], NoReturn], *, close: Sequence[socket.socket]) -> NoReturn:
    """Leave the supervisor's things and live."""
    try:
        name_process(f"tamis-{role}")
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the supervisor alone
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # whoever means all of us: the supervisor tells
        for one in close:
            one.close()
        live()
    except BaseException as error:
        log.error("%s failed error=%s: %s", role, type(error).__name__, error)
    finally:
        os._exit(1)
