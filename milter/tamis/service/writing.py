"""The process of the tickets' writer, which workers share where there are several (store/writer.py)."""

from __future__ import annotations

import gc
import logging
import os
import socket
from typing import NoReturn

from tamis.config import Store as Settings
from tamis.interfaces import Metrics
from tamis.service import pipe
from tamis.store.writer import Writer

log = logging.getLogger(__name__)


def run(settings: Settings, *, calls: socket.socket, control: socket.socket, metrics: Metrics) -> NoReturn:
    """Write until the supervisor says stop and the last worker has hung up; end the process."""
    one = Writer(settings, calls, os.geteuid(), metrics=metrics)
    gc.freeze()

    def obey() -> bool:
        """Do what the supervisor says; tell whether it may say more."""
        word = pipe.hear(control)
        if word == pipe.PING:
            control.sendall(pipe.ALIVE)
            return True
        one.leave()
        return word != b""

    one.watch(control, obey)
    control.sendall(pipe.READY)
    try:
        one.run()
    except Exception as error:
        log.error("writer failed error=%s: %s", type(error).__name__, error)
        logging.shutdown()
        os._exit(1)
    logging.shutdown()
    os._exit(0)
