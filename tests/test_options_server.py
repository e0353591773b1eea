"""Clients that do not come to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tamis.options.server import Patient

START = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n"


class Later:
    """Something that is to be called."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.is_due = True

    def cancel(self) -> None:
        """Take it back."""
        self.is_due = False


class Loop:
    """Takes note of what is to be called later, and begins nothing."""

    def __init__(self) -> None:
        self.later: list[Later] = []

    def call_later(self, delay: float, act: Callable[[], None]) -> Later:
        """Take note of something."""
        self.later.append(Later(act))
        return self.later[-1]

    def create_task(self, story: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        """Return what never ends."""
        story.close()
        return asyncio.Future(loop=asyncio.new_event_loop())

    def pass_time(self) -> None:
        """Call what is due."""
        for one in self.later:
            if one.is_due:
                one.act()


class Transport(asyncio.Transport):
    """Is open until it is aborted."""

    is_open = True

    def abort(self) -> None:
        """Cut the connection."""
        self.is_open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know nothing."""
        return default


def nobody(*_: object) -> Any:
    """Answer nothing."""


@pytest.mark.parametrize(
    ("sent", "stays"),
    [
        ([], False),
        ([b"P", b"OST / HT"], False),
        ([START], False),
        ([START + b"\r\n"], False),
        ([START + b"\r\n", b"ab", b"c"], False),
        ([START + b"\r\nabcde"], True),
        ([START + b"\r\n", b"abc", b"de"], True),
    ],
    ids=lambda value: b"".join(value).decode()[-12:] if isinstance(value, list) else None,
)
def test_who_does_not_finish_a_request_is_cut_off(sent: list[bytes], stays: bool) -> None:
    loop, transport = Loop(), Transport()
    config = uvicorn.Config(nobody, http=Patient, ws="none", log_config=None, interface="asgi3")
    client = Patient(config, ServerState(), {}, _loop=loop)  # type: ignore[arg-type]
    client.connection_made(transport)

    for octets in sent:
        client.data_received(octets)
    loop.pass_time()

    assert transport.is_open == stays
