"""The copies of one message on their way to the relay: first all senders and recipients, then the content."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from tamis.decision import Copy
from tamis.message import Message, Recipient
from tamis.resend.connection import END_OF_DATA, Connection, RelayUnavailable
from tamis.resend.pool import Pool
from tamis.resend.transaction import Fate, Receipt, Transaction

log = logging.getLogger(__name__)

RECIPIENTS = 1000  # of one transaction: Postfix's smtpd_recipient_limit; RFC 5321 section 4.5.3.1.8 says 100
PREPARING = 40.0  # seconds until the relay has taken senders and recipients
SENDING = 60.0  # seconds until the last end of data goes out
LONGEST = PREPARING + SENDING + END_OF_DATA  # seconds of a hand-over, without what accepted() takes

Accepted: TypeAlias = Callable[[int, tuple[Recipient, ...]], Awaitable[None]]
"""Is told the place of a copy and those of its recipients for whom the relay has just taken over."""


class Handover:
    """One message; Relay.prepare() makes it, and send() or abandon() ends it."""

    def __init__(
        self, pool: Pool, message: Message, copies: Sequence[Copy], remove: Sequence[tuple[str, int]]
    ) -> None:
        self._pool = pool
        self._queue_id = message.envelope.queue_id
        self._copies = copies
        self._transactions = tuple(_transactions(message, copies, remove))
        self._waiting = deque(self._transactions)  # those of which nothing was said
        self._ready: deque[Transaction] = deque()  # those whose recipients are taken
        self._open: dict[Transaction, Connection] = {}
        self._slots = 0  # of the pool
        self._until = 0.0  # by the loop's clock; no end of data goes out later
        self._failure: Exception | None = None  # the caller's

    async def prepare(self) -> None:
        """Begin as many transactions as there are connections for; the others will follow on these.

        Raises RelayUnavailable where the relay is away or defers something: no copy is out then.
        """
        try:
            async with asyncio.timeout(PREPARING):
                await self._enter()
                first = [self._waiting.popleft() for _ in range(self._slots) if self._waiting]
                await _all(self._begin(one) for one in first)
            self._heed_deferral()
        except BaseException as error:
            self.abandon()
            if isinstance(error, TimeoutError):
                raise RelayUnavailable("takes too long") from None
            raise

    async def send(self, accepted: Accepted) -> tuple[tuple[Receipt, ...], ...]:
        """Send the copies, and return a receipt for each recipient of each copy.

        The caller shields it from cancellation: a copy whose reply nobody awaits may be out all the same. If
        accepted() raises, no further copy is sent, and the error is raised once those under way are answered.
        Raises RelayUnavailable where the relay defers a copy and none is out.
        """
        self._until = asyncio.get_running_loop().time() + SENDING
        try:
            await _all(self._lane(accepted) for _ in range(self._slots))
        finally:
            self.abandon()
        if self._failure is not None:
            raise self._failure
        self._heed_deferral()
        return self._receipts()

    def abandon(self) -> None:
        """Hang up where a copy was begun; the relay forgets it."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        for _ in range(self._slots):
            self._pool.leave()
        self._slots = 0

    async def _enter(self) -> None:
        """Take a slot for each transaction, as far as there are; wait for the first alone."""
        await self._pool.enter()
        self._slots = 1
        while self._slots < len(self._transactions) and await self._pool.enter_at_once():
            self._slots += 1

    def _heed_deferral(self) -> None:
        if (receipt := self._deferral()) is not None:
            raise RelayUnavailable(f"deferred: {receipt.status or 'no reply'}")

    def _deferral(self) -> Receipt | None:
        """Return a receipt of what was deferred while no copy was out: the whole message can wait then."""
        receipts = [receipt for one in self._transactions for receipt in one.receipts.values()]
        if any(one.fate in (Fate.ACCEPTED, Fate.UNKNOWN) for one in receipts):
            return None
        return next((one for one in receipts if one.fate is Fate.DEFERRED), None)

    async def _begin(self, transaction: Transaction) -> None:
        """Tell the relay of sender and recipients, over a connection that was kept or over a new one."""
        while True:
            connection = await self._pool.take()
            try:
                taken = await transaction.begin(connection)
            except RelayUnavailable:
                connection.close()
                if not connection.reused:
                    raise
                # It had gone while it was idle. No content went over it, so another one may try.
            except BaseException:
                connection.close()
                raise
            else:
                break
        if taken:
            self._open[transaction] = connection
            self._ready.append(transaction)
        else:
            connection.close()

    async def _lane(self, accepted: Accepted) -> None:
        """Send one copy after the other, while there are any."""
        while self._failure is None and self._deferral() is None:
            if self._ready:
                await self._deliver(self._ready.popleft(), accepted)
            elif self._waiting:
                await self._begin_late(self._waiting.popleft())
            else:
                return

    async def _begin_late(self, transaction: Transaction) -> None:
        """Begin a transaction that found no connection at first."""
        try:
            async with asyncio.timeout_at(self._until):
                await self._begin(transaction)
        except (RelayUnavailable, TimeoutError) as error:
            transaction.settle(Fate.DEFERRED)
            self._log_lost(transaction, error)

    async def _deliver(self, transaction: Transaction, accepted: Accepted) -> None:
        connection = self._open[transaction]
        recipients: tuple[Recipient, ...] = ()
        sent = False
        try:
            async with asyncio.timeout_at(self._until):
                sent = await transaction.send(connection)
            if sent:
                recipients = await transaction.conclude(connection)
        except (RelayUnavailable, TimeoutError) as error:
            transaction.settle(Fate.UNKNOWN if connection.ended else Fate.DEFERRED)
            self._log_lost(transaction, error)
        del self._open[transaction]
        if sent:
            self._pool.give(connection)
        else:
            connection.close()
        if recipients:
            try:
                await accepted(transaction.copy, recipients)
            except Exception as error:
                self._failure = self._failure or error

    def _log_lost(self, transaction: Transaction, error: Exception) -> None:
        reason = str(error) if isinstance(error, RelayUnavailable) else "takes too long"
        log.warning("%s: copy not accepted reason=%s", self._queue_id, reason)

    def _receipts(self) -> tuple[tuple[Receipt, ...], ...]:
        found: list[list[Receipt]] = [[] for _ in self._copies]
        for one in self._transactions:
            found[one.copy] += (one.receipts[place] for place in one.recipients)
        return tuple(map(tuple, found))


def _transactions(
    message: Message, copies: Sequence[Copy], remove: Sequence[tuple[str, int]]
) -> Iterator[Transaction]:
    for number, copy in enumerate(copies):
        for start in range(0, len(copy.recipients), RECIPIENTS):
            recipients = dict(enumerate(copy.recipients[start : start + RECIPIENTS]))
            yield Transaction(number, message, recipients, copy.fields, remove)


async def _all(stories: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run stories to the end of each, and then raise what one of them has raised."""
    for result in await asyncio.gather(*stories, return_exceptions=True):
        if result is not None:
            raise result
