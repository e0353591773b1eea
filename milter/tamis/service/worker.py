"""One worker process: the event loop on the main thread, the store on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from tamis import config as configuration
from tamis.config import Config, Milter
from tamis.front.front import Ask, Front
from tamis.pipeline import Pipeline
from tamis.resend.copies import Copies
from tamis.service import parts, pipe
from tamis.service.limits import give_back_memory
from tamis.service.table import Row
from tamis.store.thread import Store

log = logging.getLogger(__name__)

COLLECT = (10_000, 20, 50)  # objects made before Python looks for cycles; a message makes some thousands
QUIET = 0.25  # seconds without a message in flight after which the last answer has been written
LOOK = 0.02  # seconds between looks whether the last message is done
LOOKS = 12  # without a connection, after which none is on its way any more
LONG = 600.0  # seconds a retired worker waits for its connections; SMTP's own time-outs are shorter
WEAR = 1.0  # seconds between looks at what the worker has used
YOUNG = 10.0  # seconds; a worker that begins above recycle_memory must not be replaced over and over
PAGE = resource.getpagesize()


def run(
    config: Config,
    learned: parts.Models,
    front: Front,
    *,
    listener: socket.socket,
    control: socket.socket,
    writer: bytes,
    metrics: Row,
) -> NoReturn:
    """Serve until the supervisor says stop; end the process."""
    threading.excepthook = thread_failed
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_loop_failed)
    one = Worker(config, learned, front, loop=loop, writer=writer, metrics=metrics)
    gc.freeze()
    gc.set_threshold(*COLLECT)
    loop.run_until_complete(one.serve(listener, control))
    one.close()
    logging.shutdown()
    os._exit(0)  # the MTA's idle connections end with the process


def thread_failed(args: threading.ExceptHookArgs) -> None:
    """End the process: it would answer no message without its store's thread, and another can be started."""
    log.error("thread failed error=%s", args.exc_type.__name__)
    logging.shutdown()
    os._exit(1)


@dataclass(frozen=True, slots=True)
class Setup:
    """What one configuration makes."""

    milter: Milter
    store: Store
    copies: Copies | None
    pipeline: Pipeline

    @property
    def ask(self) -> Ask | None:
        """What the front is to ask about each recipient, if some may be deferred."""
        return self.pipeline.recipient if self.milter.defers else None


class Worker:
    """Serves, and does what the supervisor says."""

    def __init__(
        self,
        config: Config,
        learned: parts.Models,
        front: Front,
        *,
        loop: asyncio.AbstractEventLoop,
        writer: bytes,
        metrics: Row,
    ) -> None:
        self._learned = learned
        self._metrics = metrics
        self._front = front
        self._front.metrics = metrics
        self._loop = loop
        self._writer = writer  # the name of the socket on which it is called
        self._big = parts.big_messages()
        self._born = time.monotonic()
        self._share = (
            0.9 + os.getpid() % 21 / 100
        )  # of recycle_messages, so that not all are replaced at once
        self._handled = 0  # messages, by pipelines of former configurations
        self._stop = asyncio.Event()
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._setup = self._make(config)

    def _make(self, config: Config) -> Setup:
        """Return the parts that a configuration makes; raise ConfigError, and StoreUnavailable."""
        metrics = self._metrics
        scanner = parts.scanner(config, parts.filters(config, self._learned), self._big, metrics=metrics)
        writer = self._writer if parts.workers(config) > 1 else None
        store = parts.store(config, self._loop, writer=writer, metrics=metrics)
        copies = parts.copies(config, store)
        store.start()
        sign_ins = store if config.sessions.smtp else None
        pipeline = Pipeline(config, store, store, scanner, copies=copies, sign_ins=sign_ins, metrics=metrics)
        return Setup(config.milter, store, copies, pipeline)

    async def serve(self, listener: socket.socket, control: socket.socket) -> None:
        """Serve until the supervisor says stop or is gone, or a retired worker's last connection ends."""
        reader, self._control = await asyncio.open_connection(sock=control)
        self._front.ask = self._setup.ask
        await self._front.serve(self._setup.pipeline.handle, listener)
        self._control.write(pipe.READY)
        self._start(self._obey(reader))
        self._start(self._look_at_wear())
        await self._stop.wait()
        self._leave()
        await self._drain()

    def close(self) -> None:
        """Write what waits for the store."""
        self._setup.store.close()

    def _start(self, story: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(self._guarded(story))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, story: Coroutine[Any, Any, None]) -> None:
        """End the process where a story fails: without it we would be deaf, and another can be started."""
        try:
            await story
        except Exception as error:
            log.error("worker failed error=%s: %s", type(error).__name__, error)
            logging.shutdown()
            os._exit(1)

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        """Do what the supervisor says until that is to stop."""
        while (word := await pipe.read_word(reader)) != pipe.STOP:
            match word:
                case pipe.PING:
                    self._control.write(pipe.ALIVE)
                case pipe.CONFIGURE:
                    self._configure(await pipe.read_configuration(reader))
                    self._control.write(pipe.CONFIGURED)
                case pipe.RETIRE:
                    self._leave()
                    self._start(self._wait_for_connections())
        self._stop.set()

    def _configure(self, text: str) -> None:
        """Treat messages by another configuration from now on; those in hand go on by the former."""
        former, self._setup = self._setup, self._make(configuration.parse(text, "new configuration"))
        self._front.handle = self._setup.pipeline.handle
        self._front.ask = self._setup.ask
        self._front.apply(self._setup.milter)
        self._start(self._put_away(former))

    async def _put_away(self, former: Setup) -> None:
        while former.pipeline.inside:
            await asyncio.sleep(LOOK)
        self._handled += former.pipeline.handled
        if former.copies is not None:
            former.copies.close()
        await asyncio.to_thread(former.store.close)

    async def _look_at_wear(self) -> None:
        """Note how we are, and ask to be replaced, once, after so many messages or with so much memory."""
        asked = False
        calm = float("inf")  # octets that are in memory when nothing large is in hand
        while True:
            with contextlib.suppress(OSError):  # no descriptor is free, for now
                memory = _resident()
                calm = min(calm, memory)
                flooded = memory > 2 * calm and self._front.gate.octets < calm / 100
                if flooded:  # by large messages that have gone since
                    give_back_memory()
                    memory = _resident()
                self._metrics.sample(
                    in_flight=self._front.gate.inside,
                    held=self._front.gate.octets,
                    connections=self._front.connections,
                    memory=memory,
                )
                if not asked and self._is_worn(memory):
                    asked = True
                    self._control.write(pipe.WORN)
            await asyncio.sleep(WEAR)

    def _is_worn(self, memory: int) -> bool:
        """Tell whether a process with so many octets in memory has done its part."""
        milter = self._setup.milter
        handled = self._handled + self._setup.pipeline.handled
        used_up = 0 < milter.recycle_messages * self._share <= handled
        if used_up or (memory > milter.recycle_memory and time.monotonic() - self._born > YOUNG):
            log.info("worn messages=%d memory=%dMB", handled, memory // 10**6)
            return True
        return False

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._front.leave()

    async def _wait_for_connections(self) -> None:
        """Go on until the MTA has ended the last connection."""
        await last_connection(self._front)
        self._stop.set()

    async def _drain(self) -> None:
        """Return when no message was in hand for a while, or it takes too long."""
        last_busy = start = time.monotonic()
        patience = self._setup.milter.drain
        while self._front.connections or self._setup.pipeline.inside:
            now = time.monotonic()
            if self._front.busy or self._setup.pipeline.inside:
                last_busy = now
            if now - last_busy >= QUIET or now - start >= patience:
                return
            self._front.hang_up()
            await asyncio.sleep(LOOK)


async def last_connection(front: Front) -> None:
    """Return once a front that takes no more connections has none, or after LONG.

    Between the kernel's accept() and the front's count pass some turns of the loop, or a thread's start, so
    that one look is not enough. Looks are counted, not seconds, in which the machine may stand still.
    """
    end = time.monotonic() + LONG
    looks = 0  # in a row that found none
    while looks < LOOKS and time.monotonic() < end:
        await asyncio.sleep(LOOK)
        looks = 0 if front.connections else looks + 1


def _resident() -> int:
    """Return the octets of this process that are in memory (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _loop_failed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error("event loop: %s error=%s", context.get("message"), type(error).__name__)
