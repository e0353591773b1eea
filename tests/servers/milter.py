"""A real `tamis serve` of the tests' own, with its own configuration and store, and the commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tamis.message import Envelope
from tamis.sandbox.client import STRANGER, Answer, Client, Connection

PATIENCE = 60.0  # seconds to start, and to stop, a dozen at once on a busy machine
COMMAND = (sys.executable, "-m", "tamis")


def as_toml(sections: Mapping[str, Mapping[str, object]]) -> str:
    """Return a configuration file; keys of [users.defaults] and the like may hold dots."""
    lines = []
    for name, section in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{_value(key)} = {_value(value)}" for key, value in section.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_value(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def configuration(
    folder: Path,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    *,
    listen: str,
    clamd: str | None = None,
) -> str:
    """Return a configuration with its store in a folder; antivirus is off unless a clamd is given."""
    sections: dict[str, dict[str, object]] = {
        "milter": {"listen": listen, "workers": 1},
        "mail": {"domains": ["example.org"]},
        "store": {"url": f"sqlite:///{folder}/tamis.db"},
    }
    if clamd is None:
        sections["outgoing"] = {"antivirus": False}
        sections["users"] = {"defaults": {"antivirus": "off"}}
    else:
        sections["antivirus"] = {"clamd": clamd}
    for name, section in (overrides or {}).items():
        table, _, key = name.partition(".")
        if key:  # "users.defaults": {...} adds to that table
            inner = sections.setdefault(table, {}).setdefault(key, {})
            assert isinstance(inner, dict)
            inner.update(section)
        else:
            sections.setdefault(table, {}).update(section)
    return as_toml(sections)


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(pid: int) -> list[int]:
    """Return the process ids of a supervisor's workers."""
    return [one for one in children(pid) if not _is_writer(one)]


def _is_writer(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "tamis-writer\n"
    except OSError:  # it has just ended
        return False


class Milter:
    """A running Tamis."""

    def __init__(
        self,
        folder: Path,
        overrides: Mapping[str, Mapping[str, object]] | None = None,
        *,
        listen: str | None = None,
        clamd: str | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Start and wait until it serves; listen is a unix socket of its own if not given.

        prefix is a program, with its arguments, that runs it, such as a tracer.

        Overrides are tables of the configuration by name: {"antispam": {"refuse": 9.0}}, and
        {"users.defaults": {"antispam.action": "file"}} adds to what is there.
        """
        self._sockets = tempfile.TemporaryDirectory(prefix="tamis-")  # pytest's paths may be too long
        self.address = listen or f"unix:{self._sockets.name}/milter.sock"
        self.config = folder / "tamis.toml"
        self.config.write_text(configuration(folder, overrides, listen=self.address, clamd=clamd))
        self._prefix = prefix
        self._log = folder / "tamis.log"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        name = f"tamis-{os.getpid()}-{time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self._log.open("ab") as log:
            notify.bind("\0" + name)
            notify.settimeout(0.1)
            process = subprocess.Popen(
                [*self._prefix, *COMMAND, "serve", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": "@" + name},
            )
            end = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < end:
                try:
                    if notify.recv(4096) == b"READY=1":
                        return process
                except TimeoutError:
                    continue
        process.kill()
        process.wait()
        raise AssertionError(f"tamis serve does not start:\n{self.log()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The supervisor's process ID."""
        return self._process.pid

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return workers(self.pid)

    def writer(self) -> int | None:
        """Return the process id of what writes the workers' tickets, where they have one."""
        others = set(children(self.pid)) - set(self.workers())
        return max(others, default=None)

    def tamis(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run another command on the same configuration, with standard input; exit status unchecked."""
        command, *rest = arguments
        return subprocess.run(
            [*COMMAND, command, "--config", self.config, *rest],
            input=given,
            capture_output=True,
            timeout=PATIENCE,
        )

    def do(self, *arguments: str, given: bytes = b"") -> str:
        """Run another command that must succeed, and return what it prints."""
        done = self.tamis(*arguments, given=given)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def tickets(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the tickets, oldest first; arguments as of `tamis tickets`."""
        return [json.loads(line) for line in self.do("tickets", "--json", *arguments).splitlines()]

    def send(self, envelope: Envelope, raw: bytes, *, client: Client = STRANGER) -> Answer:
        """Send one message over a connection of its own, as Postfix does."""

        async def story() -> Answer:
            async with await Connection.open(self.address, client, helo="mail.example.net") as mta:
                return await mta.send(envelope, raw)

        return asyncio.run(story())

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()

    def reload(self) -> None:
        """Send SIGHUP."""
        self._process.send_signal(signal.SIGHUP)

    def restart(self) -> None:
        """Stop and start again on the configuration as it is now."""
        self._end()
        self._process = self._start()

    def crash(self) -> None:
        """Kill the supervisor, and start again as soon as its workers have left the socket to us."""
        self._process.kill()
        self._process.wait()
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._process = self._start()
            except AssertionError:
                if time.monotonic() > end:
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop in good order; a second time does nothing."""
        self._end()
        self._sockets.cleanup()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"tamis serve does not stop:\n{self.log()}") from None
        assert status == 0, f"tamis serve ended with {status}:\n{self.log()}"


StartMilter = Callable[..., Milter]


@pytest.fixture
def start_milter(tmp_path: Path) -> Iterator[StartMilter]:
    """Start a Tamis with Milter's arguments behind the folder; all of them are stopped after the test."""
    started: list[Milter] = []

    def start(
        overrides: Mapping[str, Mapping[str, object]] | None = None,
        *,
        listen: str | None = None,
        clamd: str | None = None,
    ) -> Milter:
        folder = tmp_path / f"tamis-{len(started)}"
        folder.mkdir()
        started.append(Milter(folder, overrides, listen=listen, clamd=clamd))
        return started[-1]

    yield start
    for one in started:
        one.stop()
