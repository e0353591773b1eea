"""The antivirus filter: asks the first clamd of a list that answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tamis import address
from tamis.checks import clamd_wire
from tamis.checks.clamd_wire import ScannerUnavailable
from tamis.finding import VirusFinding, VirusStatus
from tamis.interfaces import UNCOUNTED, Metrics
from tamis.message import Message

log = logging.getLogger(__name__)

REST = 5.0  # seconds that a clamd that failed is asked after the others
REMINDER = 60.0  # seconds between log lines on a failure that goes on
SHARE = 0.95  # of the time for an answer, so that ours is said before those who wait give up


@dataclass(slots=True, eq=False)
class Outage:
    """A failure that goes on, so that the log tells of it once a minute and not with every message."""

    since: float | None = None
    logged_at: float = 0.0

    def goes_on(self, now: float) -> bool:
        """Note a failure and tell whether it is due in the log."""
        if self.since is None:
            self.since = now
        elif now - self.logged_at < REMINDER:
            return False
        self.logged_at = now
        return True

    def lasted(self, now: float) -> float:
        """Return its seconds so far."""
        return now - self.since if self.since is not None else 0.0


@dataclass(slots=True, eq=False)
class Clamd:
    """One clamd of the list, and how it has been doing."""

    where: address.Address
    position: int  # in the list, from 0
    outage: Outage = field(default_factory=Outage)
    rests_until: float = 0.0  # by the filter's clock


class Antivirus:
    """Asks clamd; the messages of one event loop share what is known of who answers."""

    def __init__(
        self,
        addresses: Sequence[str],
        timeout: float,
        max_message: int,
        *,
        metrics: Metrics = UNCOUNTED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the clamds in order of preference, and the seconds that all of them have for a message.

        Messages of more than max_message octets are not sent.
        """
        self._clamds = [Clamd(address.parse(text), position) for position, text in enumerate(addresses)]
        self._timeout = SHARE * timeout
        self._max_message = max_message
        self._metrics = metrics
        self._clock = clock
        self._outage = Outage()

    async def run(self, message: Message) -> VirusFinding:
        """Return what the first clamd that answers says; ERROR where none does in time."""
        if message.size > self._max_message or message.omitted:
            return VirusFinding(VirusStatus.UNSCANNABLE)
        end = self._clock() + self._timeout
        candidates = self._in_order()
        for number, clamd in enumerate(candidates):
            # A clamd that hangs leaves the next ones their share of the time.
            patience = (end - self._clock()) / (len(candidates) - number)
            asked = time.perf_counter()
            try:
                async with asyncio.timeout(patience):
                    finding = await clamd_wire.ask(clamd.where, message)
            except (OSError, ScannerUnavailable) as error:  # a TimeoutError is an OSError
                self._note_failure(clamd, error)
                self._metrics.clamd_failed(clamd.position)
            else:
                self._note_answer(clamd)
                self._metrics.clamd_answered(clamd.position, time.perf_counter() - asked)
                return finding
        if self._outage.goes_on(self._clock()):
            log.warning("no clamd answers away=%.0fs", self._outage.lasted(self._clock()))
        return VirusFinding(VirusStatus.ERROR)

    def _in_order(self) -> list[Clamd]:
        """Return the clamds, those that rest behind the others."""
        now = self._clock()
        order = sorted(self._clamds, key=lambda clamd: clamd.rests_until > now)
        if order[0].outage.since is not None:
            order[0].rests_until = now + self._timeout  # one message tries whether it is back, not all
        return order

    def _note_failure(self, clamd: Clamd, error: Exception) -> None:
        now = self._clock()
        clamd.rests_until = now + REST
        if clamd.outage.goes_on(now):
            reason = str(error) if isinstance(error, ScannerUnavailable) else type(error).__name__
            log.warning(
                "clamd does not answer address=%s error=%s away=%.0fs",
                clamd.where,
                reason,
                clamd.outage.lasted(now),
            )

    def _note_answer(self, clamd: Clamd) -> None:
        now = self._clock()
        if clamd.outage.since is not None:
            log.info("clamd answers again address=%s away=%.0fs", clamd.where, clamd.outage.lasted(now))
            clamd.outage = Outage()
        clamd.rests_until = 0.0
        self._outage = Outage()
