"""The workers as their supervisor sees them."""

from __future__ import annotations

import enum
import os
import signal
import socket
import time
from dataclasses import dataclass, field

from tamis.service import pipe


class State(enum.Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    WORN = "worn"  # serves until another one does in its place
    LEAVING = "leaving"  # takes no more connections


@dataclass(eq=False)
class Child:
    """A worker process."""

    pid: int
    control: socket.socket
    version: int  # of the configuration that it has
    slot: int  # its row among the metrics
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
        """Take a word; none where the worker has ended."""
        word = pipe.hear(self.control)
        if not word:
            return word
        self.owes = None
        if word == pipe.CONFIGURED and self.told is not None:
            self.version, self.told = self.told, None
        return word

    def tell(self, words: bytes) -> None:
        """Say something; a worker that does not even take it is killed."""
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
        """Have it take no more connections and end after the last one."""
        self.state = State.LEAVING
        self.tell(pipe.RETIRE)

    def kill(self) -> None:
        """End it at once, as it hangs."""
        self.hung = True
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Wait for its end; return its exit status, or minus a signal's number."""
        self.control.close()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)
