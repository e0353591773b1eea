"""Where log lines go: standard error, in a form that journald and people read."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from tamis.ticket import timestamp

LEVELS = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}  # sd-daemon(3), as in syslog


class Record(logging.LogRecord):
    """What our lines show of an event; all that Python's own record tells takes half as long as the line."""

    def __init__(
        self, name: str, level: int, path: str, line: int, msg: object, args: Any, exc_info: Any, *more: Any
    ) -> None:
        self.name = name
        self.levelno = level
        self.levelname = logging.getLevelName(level)
        self.msg = msg
        # As Python's own does for "%(name)s".
        self.args = args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args
        self.created = time.time()
        self.process = os.getpid()
        self.exc_info = exc_info


class Journal(logging.Formatter):
    """Lines with the priority prefix of sd-daemon(3); journald adds the time and the process."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        return f"<{LEVELS.get(record.levelname, 6)}>{record.getMessage()}"


class Terminal(logging.Formatter):
    """Lines with time (RFC 3339, UTC), process and level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        when = timestamp(int(record.created * 1000))
        level = record.levelname.lower()
        return f"{when} tamis[{record.process}] {level}: {record.getMessage()}"


class StandardError(logging.Handler):
    """Each line in one write, so that the lines of several processes do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            os.write(2, f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            return  # a full disk under the log, or nobody who reads it, must not stop mail


def set_up() -> None:
    """Send info and above to standard error; never a traceback's values, which may quote a message."""
    handler = StandardError()
    handler.setFormatter(Journal() if "JOURNAL_STREAM" in os.environ else Terminal())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.setLogRecordFactory(Record)
    logging._srcfile = ""  # Python shall not look for the place of each call (logging HOWTO, Optimization)
    logging.raiseExceptions = False
    threading.excepthook = _thread_failed


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else "unknown"
    logging.getLogger(__name__).error("thread failed thread=%s error=%s", name, args.exc_type.__name__)
