"""Starts Tamis's own commands as child processes, and stops them in good order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START = 60.0  # seconds until a command says that it is ready; the first start makes the database
STOP = 30.0  # seconds to end after SIGTERM, before it is killed
LOOK = 0.2  # seconds between looks whether it has died instead


class CommandFailed(Exception):
    """A command did not do what it was started for; the text is what it said."""


def command(name: str, config: Path, arguments: Sequence[str] = ()) -> list[str]:
    """Return the command line of `tamis NAME` with this interpreter."""
    return [sys.executable, "-m", "tamis", name, *arguments, "--config", str(config)]


def run(name: str, config: Path, arguments: Sequence[str], typed: str = "") -> str:
    """Run a command to its end, give it what is typed, and return its output; raise CommandFailed."""
    done = subprocess.run(  # noqa: S603  # our own program
        command(name, config, arguments), capture_output=True, text=True, input=typed
    )
    if done.returncode != 0:
        raise CommandFailed(done.stderr.strip())
    return done.stdout


class Service:
    """A command that serves as long as the context lasts; its output goes to a log file."""

    def __init__(self, name: str, config: Path, arguments: Sequence[str] = (), *, log: Path) -> None:
        self._command = command(name, config, arguments)
        self._log = log

    def __enter__(self) -> Self:
        """Start it and wait until it is ready; raise CommandFailed."""
        name = f"tamis-{os.getpid()}-{time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self._log.open("wb") as log:
            ready.bind("\0" + name)  # the abstract namespace leaves no file
            ready.settimeout(LOOK)
            self.process = subprocess.Popen(  # noqa: S603  # our own program
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NOTIFY_SOCKET": "@" + name},
                process_group=0,  # a terminal's Ctrl-C is for us, who then stop it
            )
            try:
                self._wait(ready)
            except BaseException:
                self._stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    def _wait(self, ready: socket.socket) -> None:
        end = time.monotonic() + START
        while self.process.poll() is None and time.monotonic() < end:
            try:
                if ready.recv(4096) == b"READY=1":
                    return
            except TimeoutError:
                continue
        raise CommandFailed(self._log.read_text(errors="replace").strip() or "no answer")

    def _stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port(wanted: int) -> int:
    """Return a port of 127.0.0.1 that is free now: the wanted one if it is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandFailed("no free port on 127.0.0.1")
