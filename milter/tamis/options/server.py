"""Runs the web page: one event loop (uvicorn on uvloop), which waits for nobody for long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

import h11
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tamis.service.systemd import notify

Reload: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

SLOWEST = 20.0  # seconds in which a request has to come, with its form
MOST = 500  # connections; beyond it: 503
IDLE = 5  # seconds that a connection is kept for a next request
LONGEST = 16_384  # octets of a request's lines
LAST = 10  # seconds for requests in hand when the page is stopped


class Patient(H11Protocol):
    """HTTP/1.1 with clients that have to come to an end."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self._wait()

    def handle_events(self) -> None:
        """Take what has come."""
        super().handle_events()
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._wait()
        else:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        """Wait for the next request, which has not begun."""
        self._wait_no_more()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a connection go."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(SLOWEST, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Framed:
    """Refuses requests whose end can be seen in two places: a proxy may see the other one (RFC 9112, 6.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = self._app
        if {b"transfer-encoding", b"content-length"} <= {name for name, _ in scope["headers"]}:
            app = PlainTextResponse(status_code=HTTPStatus.BAD_REQUEST, headers={"connection": "close"})
        await app(scope, receive, send)


class Beside(uvicorn.Server):
    """Serves as long as another one does."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the other one."""
        yield


class Server(uvicorn.Server):
    """Tells systemd when it is ready, reloads on SIGHUP, and ends without a signal of its own."""

    def __init__(self, config: uvicorn.Config, reload: Reload) -> None:
        super().__init__(config)
        self._reload = reload
        self._reloads: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        notify("READY=1")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, once what is in hand is answered."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._begin_to_reload)
        yield

    async def reloaded(self) -> None:
        """Wait for the end of reloads that have begun."""
        await asyncio.gather(*self._reloads)

    def _begin_to_reload(self) -> None:
        task = asyncio.ensure_future(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def _stop(self) -> None:
        notify("STOPPING=1")
        self.should_exit = True


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    beside: Sequence[tuple[ASGIApp, socket.socket]] = (),
    *,
    reload: Reload,
) -> None:
    """Serve until SIGTERM or SIGINT, and other applications on sockets of theirs as long."""
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # what clients send wrongly is theirs
    others = [(Beside(_config(one)), where) for one, where in beside]
    async with asyncio.TaskGroup() as serving:
        for other, where in others:
            serving.create_task(other.serve(sockets=[where]))
        server = Server(_config(app), reload)
        await server.serve(sockets=[listener])
        await server.reloaded()
        for other, _ in others:
            other.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        Framed(app),
        http=Patient,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=LAST,
        h11_max_incomplete_event_size=LONGEST,
    )
