"""One worker process: the event loop on the main thread, the store on a thread of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
import time
from typing import NoReturn

import uvloop

from tamis.config import Config
from tamis.front.front import Front
from tamis.pipeline import Pipeline
from tamis.service import parts

log = logging.getLogger(__name__)

READY = b"r"  # from the worker, once it serves
STOP = b"s"  # to the worker; the end of the pipe means the same, as then the supervisor is gone
COLLECT = (10_000, 20, 50)  # objects made before Python looks for cycles; a message makes some thousands
QUIET = 0.25  # seconds without a message in flight after which the last answer has been written


def run(
    config: Config,
    loaded: parts.Filters,
    front: Front,
    *,
    listener: socket.socket,
    control: socket.socket,
) -> NoReturn:
    """Serve until the supervisor says stop; end the process."""
    threading.excepthook = thread_failed
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_loop_failed)
    store = parts.store(config, loop)
    store.start()
    pipeline = Pipeline(config, store, store, parts.scanner(config, loaded))
    gc.freeze()
    gc.set_threshold(*COLLECT)
    loop.run_until_complete(front.serve(pipeline.handle, listener))
    control.sendall(READY)
    control.setblocking(False)
    loop.run_until_complete(_until_told(loop, control))
    front.leave()
    loop.run_until_complete(_drained(front, patience=config.milter.deadline))
    store.close()
    logging.shutdown()
    os._exit(0)  # the MTA's idle connections end with the process


def thread_failed(args: threading.ExceptHookArgs) -> None:
    """End the process: it would answer no message without its store's thread, and another can be started."""
    log.error("thread failed error=%s", args.exc_type.__name__)
    logging.shutdown()
    os._exit(1)


async def _until_told(loop: asyncio.AbstractEventLoop, control: socket.socket) -> None:
    """Return when the supervisor says stop, or is gone."""
    try:
        while await loop.sock_recv(control, 1) not in (STOP, b""):
            pass
    except ConnectionResetError:  # it ended before it read what we had told it
        return


async def _drained(front: Front, *, patience: float) -> None:
    """Return when no message was in flight for a while, or after seconds of patience."""
    last_busy = start = time.monotonic()
    while time.monotonic() - last_busy < QUIET and time.monotonic() - start < patience:
        if front.gate.inside:
            last_busy = time.monotonic()
        await asyncio.sleep(0.02)


def _loop_failed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error("event loop: %s error=%s", context.get("message"), type(error).__name__)
