"""One worker process: libmilter in the main thread, the event loop and the store on threads of their own."""

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
from tamis.front.libmilter import Libmilter
from tamis.pipeline import Pipeline
from tamis.service import parts
from tamis.store.thread import Store

log = logging.getLogger(__name__)

READY = b"r"  # from the worker, once it serves
STOP = b"s"  # to the worker; the end of the pipe means the same, as then the supervisor is gone
QUIET = 0.25  # seconds without a message in flight after which the last answer has been written


def run(
    config: Config,
    loaded: parts.Filters,
    front: Libmilter,
    *,
    listener: socket.socket,
    control: socket.socket,
) -> NoReturn:
    """Serve until the supervisor says stop; end the process."""
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_loop_failed)
    threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
    store = parts.store(config, loop)
    store.start()
    pipeline = Pipeline(config, store, store, parts.scanner(config, loaded))
    gc.freeze()
    stopper = threading.Thread(
        target=_stop_when_told,
        args=(control, listener, front, store),
        kwargs={"patience": config.milter.deadline},
        name="control",
        daemon=True,
    )
    stopper.start()
    control.sendall(READY)
    front.run(pipeline.handle, loop)
    stopper.join()  # libmilter returned since it was signalled or its listener failed
    os._exit(1)


def _stop_when_told(
    control: socket.socket, listener: socket.socket, front: Libmilter, store: Store, *, patience: float
) -> None:
    """Wait for the word, accept no more, let messages in flight be answered, and end the process.

    libmilter's own stop would abandon them.
    """
    _await_word(control)
    _leave(listener)
    last_busy = start = time.monotonic()
    while time.monotonic() - last_busy < QUIET and time.monotonic() - start < patience:
        if front.gate.inside:
            last_busy = time.monotonic()
        time.sleep(0.02)
    store.close()
    logging.shutdown()
    os._exit(0)  # libmilter's threads wait for connections that only the MTA ends


def _await_word(control: socket.socket) -> None:
    """Wait for STOP, or for the supervisor's end."""
    try:
        while control.recv(1) not in (STOP, b""):
            pass
    except ConnectionResetError:  # it ended before it read what we had told it
        return


def _leave(listener: socket.socket) -> None:
    """Put a socket that nobody knows in the listener's place, for libmilter: others go on with the real one.

    It listens, since libmilter gives up, and drops its connections, when the listener fails.
    """
    with socket.socket(socket.AF_UNIX) as unknown:
        unknown.bind("")  # an address that the kernel chooses, without a file (unix(7), autobind)
        unknown.listen()
        os.dup2(unknown.fileno(), listener.fileno())


def _loop_failed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error("event loop: %s error=%s", context.get("message"), type(error).__name__)
