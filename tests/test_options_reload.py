"""Taking the web page's configuration anew while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.servers.options import Options, StartOptions
from tests.servers.options import start_options as start_options
from tests.servers.ports import free_port
from tests.servers.smtp import wait_until
from tests.stores import NOON, make_config, write_config
from tests.web import CHEAP, set_password

from tamis.config import Config
from tamis.options import making
from tamis.options.editions import Editions
from tamis.passwords import Passwords

LISTEN = '[options]\nlisten = "inet:127.0.0.1:{}"\n'
MADE = partial(making.made, passwords=Passwords(CHEAP), now=lambda: NOON)
LOCKED = '[users]\nmay_change = ["antivirus"]\n'


class Slow:
    """Makes applications that answer once they may, and notes which have come to their end."""

    def __init__(self) -> None:
        self.answered: list[float] = []
        self.ended: list[float] = []
        self.may_answer = asyncio.Event()

    @contextlib.contextmanager
    def __call__(self, config: Config) -> Iterator[ASGIApp]:
        """Lend one."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.may_answer.wait()
            self.answered.append(config.options.idle)

        yield app
        self.ended.append(config.options.idle)


async def nothing(*_: object) -> Any:
    """Take nothing, and give nothing."""


def test_a_request_in_hand_ends_by_the_configuration_that_it_began_with(tmp_path: Path) -> None:
    file = str(write_config(tmp_path, more="[options]\nidle = 1.0"))

    async def story() -> Slow:
        slow = Slow()
        page = Editions(file, make_config(tmp_path, more="[options]\nidle = 1.0"), slow)
        first = asyncio.create_task(page({}, nothing, nothing))
        await asyncio.sleep(0)
        write_config(tmp_path, more="[options]\nidle = 2.0")
        reloading = asyncio.create_task(page.reload())
        while page.config.options.idle == 1.0:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(page({}, nothing, nothing))
        assert slow.ended == []
        slow.may_answer.set()
        await asyncio.gather(first, second, reloading)
        assert slow.ended == [1.0]
        page.close()
        return slow

    made = asyncio.run(story())

    assert (sorted(made.answered), made.ended) == ([1.0, 2.0], [1.0, 2.0])


def reload(options: Options) -> None:
    """Let a page take its configuration anew, and wait until it has."""
    os.kill(options.pid, signal.SIGHUP)
    wait_until(lambda: "reloaded" in options.log())


def test_users_stay_signed_in_and_see_what_is_in_force_now(
    tmp_path: Path, start_options: StartOptions
) -> None:
    port = free_port()
    listen = LISTEN.format(port)
    file = write_config(tmp_path, more=listen)
    set_password(make_config(tmp_path, more=listen), "anna@example.org")
    options = start_options(file, port)
    visitor = options.visitor()
    visitor.sign_in()

    write_config(tmp_path, more=LOCKED + listen)
    reload(options)

    page = visitor.get("/senders")
    assert (page.status, page.text.count("cannot be changed here")) == (200, 4)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('sign_in = ["carrier pigeon"]', "line 9: options.sign_in"),
        ('sign_in = ["link"]\nlink.key_file = "/none"', "/none cannot be read"),
        ('socket_group = "no-such-group"', "there is no group no-such-group"),
    ],
)
def test_a_configuration_that_cannot_be_used_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, more: str, reason: str
) -> None:
    listen = f'[options]\nlisten = "unix:{tmp_path}/s"\n'
    config = make_config(tmp_path, more=listen)
    (tmp_path / "s").touch(0o600)
    with contextlib.closing(Editions(str(tmp_path / "tamis.toml"), config, MADE)) as page:
        write_config(tmp_path, more=listen + more)
        asyncio.run(page.reload())

        assert page.config is config
    assert "configuration not reloaded, the former stays: " in caplog.text
    assert reason in caplog.text


def test_what_needs_a_restart_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = make_config(tmp_path, more=LISTEN.format(1))
    with contextlib.closing(Editions(str(tmp_path / "tamis.toml"), config, Slow())) as page:
        write_config(tmp_path, more=LISTEN.format(2))
        asyncio.run(page.reload())

    assert "options.listen has changed: restart to apply that" in caplog.text
