"""A real `tamis options` of the tests' own."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from tests.servers.milter import PATIENCE
from tests.visitor import Answer, Visitor

from tamis.sandbox.processes import Service


class Options:
    """A running web page on a configuration that is there, and listens on a port where that says so."""

    def __init__(self, config: Path, port: int = 0) -> None:
        """Start and wait until it serves; raise CommandFailed."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = config.parent / "options.log"
        self._service = Service("options", config, log=self._log)
        self._service.__enter__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._service.process.pid

    def visitor(self, language: str = "en") -> Visitor:
        """Return a browser without cookies."""
        return visitor(self.port, language)

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()

    def stop(self) -> None:
        """Stop in good order; a second time does nothing."""
        self._service.__exit__(None, None, None)
        assert self._service.process.returncode == 0, self.log()


def visitor(port: int, language: str = "en") -> Visitor:
    """Return a browser without cookies that asks a port of this host."""

    def carry(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    return Visitor(carry, language)


StartOptions = Callable[..., Options]


@pytest.fixture
def start_options() -> Iterator[StartOptions]:
    """Start web pages with the arguments of Options; all of them are stopped after the test."""
    with ExitStack() as started:
        yield lambda *given: started.enter_context(Options(*given))
