"""The page by the configuration in force, which can be taken anew: no request is lost, nobody signed out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from tamis import address, sockets
from tamis import config as configuration
from tamis.config import Config, ConfigError
from tamis.interfaces import StoreUnavailable
from tamis.service import parts
from tamis.service.systemd import notify, reloading

log = logging.getLogger(__name__)

Make: TypeAlias = Callable[[Config], AbstractContextManager[ASGIApp]]
"""Lends the application of a configuration; raises ConfigError or StoreUnavailable."""


class Edition:
    """The application of one configuration."""

    def __init__(self, config: Config, make: Make) -> None:
        self.config = config
        self._lent = contextlib.ExitStack()
        self._app = self._lent.enter_context(make(config))
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        self._in_hand += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def end(self) -> None:
        """Give back what it is made of, once what is in hand is answered."""
        await self._idle.wait()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Give it back now; a second time does nothing."""
        self._lent.close()


class Editions:
    """An application that is another one after a reload."""

    def __init__(self, file: str | None, config: Config, make: Make) -> None:
        """Take the configuration's file, and what stands in it; raise as make does."""
        self._file = file
        self._make = make
        self._listens = config.options  # sockets are opened once
        self._edition = Edition(config, make)
        self._open = {self._edition}
        self._reloading = asyncio.Lock()

    @property
    def config(self) -> Config:
        """What is in force."""
        return self._edition.config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by what is in force."""
        await self._edition(scope, receive, send)

    async def reload(self) -> None:
        """Take the configuration anew; one that cannot be used changes nothing."""
        async with self._reloading:
            former = self._edition
            notify(reloading())
            try:
                self._edition = await asyncio.to_thread(self._take)
            except (ConfigError, StoreUnavailable, OSError) as error:
                for line in str(error).splitlines():
                    log.error("configuration not reloaded, the former stays: %s", line)
                return
            finally:
                notify("READY=1")
            self._open.add(self._edition)
        log.info("reloaded")
        await former.end()
        self._open.discard(former)

    def close(self) -> None:
        """Give back what all are made of."""
        for one in self._open:
            one.close()

    def _take(self) -> Edition:
        new = configuration.load(self._file)
        if new.store != self.config.store:
            parts.prepare_store(new)
        edition = Edition(new, self._make)
        former = self._listens
        try:
            for where in (former.listen, *former.watched):
                mode, group = new.options.socket_mode, new.options.socket_group
                sockets.permit(address.parse(where), mode=mode, group=group, table="options")
        except OSError:
            edition.close()
            raise
        for key in ("listen", "metrics"):
            if getattr(new.options, key) != getattr(former, key):
                log.warning("options.%s has changed: restart to apply that", key)
        return edition
