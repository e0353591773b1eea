"""The writer process: writes the tickets of all workers, and does what the supervisor says."""

from __future__ import annotations

import gc
import logging
import os
import socket
from typing import NoReturn

from tamis.service import pipe
from tamis.service.limits import resident
from tamis.service.table import Row
from tamis.store.writer import Writer


def run(listener: socket.socket, *, control: socket.socket, metrics: Row) -> NoReturn:
    """Write until the supervisor says stop or is gone, and the last worker has hung up; end the process."""
    writer = Writer(listener, metrics=metrics)

    def go_on() -> bool:
        try:
            word = control.recv(1)
            if word == pipe.PING:
                metrics.sample_writer(memory=resident())
                control.sendall(pipe.ALIVE)
        except OSError:  # it is gone
            return False
        return word not in (b"", pipe.STOP)

    writer.obey(control, go_on)
    gc.freeze()
    metrics.sample_writer(memory=resident())
    control.sendall(pipe.READY)
    writer.run()
    logging.shutdown()
    os._exit(0)
