"""What goes on behind a page that is answered: erasures, and mails to users."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tamis.config import Config
from tamis.desk import erasure, notices
from tamis.options import faults
from tamis.options.pool import Clerk, Pool
from tamis.store import space
from tamis.store.pace import Pace

log = logging.getLogger(__name__)


class Stopping(Exception):
    """The web page is being stopped."""


class Errands:
    """Does them one after the other in a thread of its own; what a stop or a kill leaves, a purge does."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool = Pool(config, threads=1, name="errands")
        self._stopping = threading.Event()

    def erase(self, account: str, *, now: int) -> None:
        """Delete what has to go of an account whose erasure has begun, and tell its user."""

        def errand(clerk: Clerk) -> None:
            pace = Pace(sleep=self._pause)
            erasure.carry_out(clerk.database, account, self._config.rules, now=now, pace=pace)
            notices.deliver(clerk.database, self._config, now=now)
            # What rows that moved have left on pages is left to the purge: it takes a look at the whole file
            # (store/wiping), which is too long a work in a process that answers users.
            space.give_back(clerk.database, pace.short)
            space.empty_log(clerk.database, pace.short)

        self._start("erasure", errand)

    def tell(self, *, now: int) -> None:
        """Send what users are to be told."""
        self._start("notices", lambda clerk: notices.deliver(clerk.database, self._config, now=now))

    def close(self) -> None:
        """Break off what can be broken off."""
        self._stopping.set()
        self._pool.close()

    def _start(self, name: str, errand: Callable[[Clerk], object]) -> None:
        def work(clerk: Clerk) -> None:
            try:
                self._pause(0)
                errand(clerk)
            except Stopping:
                log.info("%s broken off: the next purge goes on", name)
            except Exception as error:  # nobody waits for it who could be told
                log.error("%s failed: the next purge goes on %s", name, faults.told(error))

        self._pool.start(work)

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopping
