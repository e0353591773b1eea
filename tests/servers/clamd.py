"""A real clamd for the session, and one that counts, hangs or talks nonsense when told to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from tests.servers.ports import free_port

from tamis.sandbox.scanner import PrivateClamd

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "var" / "debian" / "clamav-daemon"
PATIENCE = 30.0  # seconds for what should come at once


def program() -> tuple[Path, Path | None]:
    """Return the installed clamd, or the unpacked one and the folder of its libraries."""
    installed = shutil.which("clamd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if installed is not None:
        return Path(installed), None
    unpacked = UNPACKED / "usr" / "sbin" / "clamd"
    assert unpacked.exists(), "no clamd: `make test` or `tests/unpack clamav-daemon` gets one"
    return unpacked, UNPACKED / "usr" / "lib"


class Clamd(PrivateClamd):
    """A private clamd that takes INSTREAM of up to 1 MB over TCP, too."""

    def __init__(self, folder: Path, runner: Callable[[Path], Path] = Path) -> None:
        """Take a folder for its files; runner may put another program, such as a tracer, in front."""
        self.port = free_port()
        path, libraries = program()
        settings = {"TCPSocket": str(self.port), "TCPAddr": "127.0.0.1", "StreamMaxLength": "1M"}
        super().__init__(runner(path), folder, libraries=libraries, settings=settings)

    def restart(self) -> None:
        """Kill it and start it again."""
        self._process.kill()
        self._process.wait()
        self._start()

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid


@pytest.fixture(scope="session")
def clamd() -> Iterator[Clamd]:
    """Run a clamd that knows the EICAR test file; .address is for antivirus.clamd."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder, Clamd(Path(folder)) as running:
        yield running


class Behaviour(Enum):
    """What a clamd may do instead of answering."""

    HANG = "hang"
    CLOSE = "close"


class CountingClamd:
    """A clamd on a unix socket that says what it is told to, and remembers what it was asked.

    reply may be changed at any time; messages are the octets that came by descriptor, seals what fcntl(2)
    says of the last one.
    """

    def __init__(self, reply: bytes | Behaviour = b"fd[7]: OK\0") -> None:
        self.reply = reply
        self.pong = b"PONG"
        self.connections = 0
        self.messages: list[bytes] = []
        self.seals = 0
        self.asked = threading.Event()
        self._stopped = threading.Event()
        self._let_go = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="tamis-")
        self._path = f"{self._folder.name}/clamd.sock"
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """What stands in antivirus.clamd."""
        return f"unix:{self._path}"

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen(128)
        self._begin(self._serve)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.let_go()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        self._folder.cleanup()

    def let_go(self) -> None:
        """Hang up on those with whom it hangs, and who come to that later."""
        self._let_go.set()

    def _begin(self, work: object, *given: object) -> None:
        assert callable(work)
        self._threads.append(threading.Thread(target=work, args=given, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._begin(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            connection.settimeout(PATIENCE)
            command, descriptors, _, _ = socket.recv_fds(connection, 64, 1)
            for one in descriptors:
                self.seals = fcntl.fcntl(one, fcntl.F_GET_SEALS)
                self.messages.append(os.pread(one, os.fstat(one).st_size, 0))
                os.close(one)
            self.asked.set()
            match self.reply:
                case _ if command.startswith((b"zPING", b"nPING")):
                    connection.sendall(self.pong + command[-1:])
                case Behaviour.HANG:
                    self._let_go.wait(PATIENCE)
                case bytes(reply):
                    connection.sendall(reply)
