"""One mail transaction with the relay, and what it said of each recipient."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tamis.message import Message, Recipient
from tamis.resend import commands, content
from tamis.resend.connection import Connection
from tamis.resend.replies import Reply

log = logging.getLogger(__name__)


class Fate(StrEnum):
    """What became of a copy for one recipient."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # not accepted, and may be later
    REFUSED = "refused"  # not accepted, and will not be
    UNKNOWN = "unknown"  # the end of data may have reached the relay, and its reply did not reach us


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the relay said of one recipient of a copy."""

    fate: Fate
    status: str = ""  # reply code and enhanced status code, such as "550 5.1.1"; "" if there was no reply
    queue_id: str | None = None  # the relay's


@dataclass(slots=True, eq=False)
class Transaction:
    """A copy, or a part of one with very many recipients; raises what Connection raises."""

    copy: int  # its place among the copies
    message: Message
    recipients: Mapping[int, Recipient]  # by their places in the copy
    fields: Sequence[tuple[str, str]]
    remove: Sequence[tuple[str, int]]
    receipts: dict[int, Receipt] = field(default_factory=dict)
    _head: bytes = b""

    async def begin(self, connection: Connection) -> bool:
        """Tell sender and recipients, and return whether any of them is taken; the others have receipts."""
        self.receipts.clear()
        self._head = content.head(self.message, self.fields, self.remove)
        envelope, offered = self.message.envelope, connection.offered
        if status := commands.unfit(envelope, offered):
            self.settle(Fate.REFUSED, status)
            log.warning("%s: copy cannot be handed to the relay status=%s", self._queue_id, status)
        elif await self._tell_sender(connection):
            await self._tell_recipients(connection)
        return len(self.receipts) < len(self.recipients)

    async def send(self, connection: Connection) -> bool:
        """Send the content, and return whether it is the relay's turn to take over."""
        refusal = await connection.data(content.pieces(self._head, self.message))
        if refusal is not None:
            self._settle_refused(refusal, _fate(refusal))
        return refusal is None

    async def conclude(self, connection: Connection) -> tuple[Recipient, ...]:
        """Await the reply to the content, and return the recipients for whom the relay has taken over."""
        reply = await connection.verdict()
        if reply.is_positive:
            accepted = [place for place in self.recipients if place not in self.receipts]
            self.settle(Fate.ACCEPTED, reply.status, reply.queue_id)
            log.info("%s: copy accepted relay_id=%s", self._queue_id, reply.queue_id)
            return tuple(self.recipients[place] for place in accepted)
        self._settle_refused(reply, _fate(reply) if reply.is_refusal else Fate.UNKNOWN)
        return ()

    def settle(self, fate: Fate, status: str = "", queue_id: str | None = None) -> None:
        """Note what became of those recipients of whom nothing is known yet."""
        for place in self.recipients:
            self.receipts.setdefault(place, Receipt(fate, status, queue_id))

    async def _tell_sender(self, connection: Connection) -> bool:
        envelope, offered = self.message.envelope, connection.offered
        octets = content.size(self._head, self.message)
        origin = commands.xforward(envelope, offered)
        *of_origin, reply = await connection.ask([*origin, commands.mail(envelope, offered, size=octets)])
        for one in of_origin:
            if not one.is_positive:  # its log alone is the poorer for it
                log.warning("%s: relay refuses XFORWARD reply=%s", self._queue_id, one.status)
        if not reply.is_positive:
            self._settle_refused(reply, _fate(reply))
        return reply.is_positive

    async def _tell_recipients(self, connection: Connection) -> None:
        offered = connection.offered
        told = []
        for place, recipient in self.recipients.items():
            if status := commands.unfit_recipient(recipient, offered):
                self.receipts[place] = Receipt(Fate.REFUSED, status)
            else:
                told.append(place)
        replies = await connection.ask([commands.rcpt(self.recipients[one], offered) for one in told])
        for place, reply in zip(told, replies, strict=True):
            if not reply.is_positive:
                self.receipts[place] = Receipt(_fate(reply), reply.status)
        for status in dict.fromkeys(one.status for one in self.receipts.values()):
            log.warning("%s: relay refuses a recipient of a copy reply=%s", self._queue_id, status)

    def _settle_refused(self, reply: Reply, fate: Fate) -> None:
        self.settle(fate, reply.status)
        log.warning("%s: copy not accepted reply=%s", self._queue_id, reply.status)

    @property
    def _queue_id(self) -> str | None:
        return self.message.envelope.queue_id


def _fate(refusal: Reply) -> Fate:
    return Fate.REFUSED if refusal.is_permanent else Fate.DEFERRED
