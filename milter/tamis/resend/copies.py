"""The copies of a plan: each handed to the relay once, even where the MTA tries the message again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tamis.address import Address
from tamis.decision import Copy, Plan
from tamis.interfaces import CopyGuard, StoreUnavailable
from tamis.message import Message, Recipient
from tamis.policy.allowed import Allowed
from tamis.policy.combine import fall_back, without
from tamis.policy.envelopes import mailbox
from tamis.resend.guard import copy_key, guard_name
from tamis.resend.handover import Handover
from tamis.resend.relay import CONNECTIONS, Relay
from tamis.resend.trace import received
from tamis.resend.transaction import Fate

log = logging.getLogger(__name__)

BIG = 1 << 20  # octets; to hash more would keep the loop from other messages
LATER = 1.0  # seconds until another try to remember what the store did not take
TRIES = 600  # of them: the MTA, which was told to come again, mostly does so within minutes


class Copies:
    """What hands copies over for one event loop."""

    def __init__(
        self, where: Address, guard: CopyGuard, key: bytes, *, connections: int = CONNECTIONS
    ) -> None:
        """Take where the relay listens, the memory of what it accepted, and the installation's key."""
        self._name = guard_name(key)
        self._relay = Relay(where, self._name, connections=connections)
        self._guard = guard
        self._key = key
        self.under_way = 0  # messages whose copies are being sent, or have been and are not remembered yet
        self._tasks: set[asyncio.Task[None]] = set()

    def is_ours(self, message: Message) -> bool:
        """Tell whether we handed a message to the relay, which gave it back to us."""
        return message.envelope.helo == self._name

    async def deliver(
        self, message: Message, plan: Plan, allowed: Allowed, *, point_of_no_return: Callable[[], None]
    ) -> Plan:
        """Hand over the copies of a plan, and return what is left for the transaction.

        point_of_no_return is called before the first copy may be out; from then on copies go their way though
        the caller is cancelled. Raise StoreUnavailable, and RelayUnavailable while no copy is out.
        """
        if message.omitted:  # no copy can be made of it, nor was any
            return plan
        if not plan.copies and not self._guard.remembers:
            return plan
        if len(message.body) > BIG:
            await asyncio.to_thread(lambda: message.fingerprint)
        keys = self._keys(message, plan, allowed)
        known = await self._guard.accepted(tuple(keys.values()), about_to_add=bool(plan.copies))
        if known:
            log.info("%s: copies of an earlier attempt are accounted for", message.envelope.queue_id)
            plan = without(plan, [box for box, key in keys.items() if key in known], allowed)
        if not plan.copies:
            return plan
        handover = await self._relay.prepare(message, _traced(message, plan, allowed), plan.remove_fields)
        point_of_no_return()
        return await asyncio.shield(self._hand_over(handover, plan, allowed, keys))

    def close(self) -> None:
        """Close the connections that wait for further copies."""
        self._relay.close()

    def _keys(self, message: Message, plan: Plan, allowed: Allowed) -> Mapping[str, bytes]:
        """Return the guard's key of each mailbox."""
        boxes = {mailbox(one, allowed.delimiter) for one in plan.decisions}
        return {box: copy_key(self._key, message, box) for box in boxes}

    async def _hand_over(
        self, handover: Handover, plan: Plan, allowed: Allowed, keys: Mapping[str, bytes]
    ) -> Plan:
        async def accepted(copy: int, recipients: tuple[Recipient, ...]) -> None:
            await self._remember([keys[box] for box in _boxes(plan, copy, recipients, allowed)])

        self.under_way += 1
        try:
            receipts = await handover.send(accepted)
        finally:
            self.under_way -= 1
        refused = {
            recipient.address
            for copy, found in zip(plan.copies, receipts, strict=True)
            for recipient, receipt in zip(copy.recipients, found, strict=True)
            if receipt.fate is not Fate.ACCEPTED
        }
        return fall_back(plan, refused, allowed)

    async def _remember(self, keys: Sequence[bytes]) -> None:
        """Remember; what the store does not take now is tried again, as the message will be."""
        try:
            await self._guard.remember(keys)
        except StoreUnavailable:
            task = asyncio.get_running_loop().create_task(self._remember_later(keys))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            raise

    async def _remember_later(self, keys: Sequence[bytes]) -> None:
        self.under_way += 1
        try:
            for _ in range(TRIES):
                await asyncio.sleep(LATER)
                with contextlib.suppress(StoreUnavailable):
                    await self._guard.remember(keys)
                    return
        finally:
            self.under_way -= 1


def _traced(message: Message, plan: Plan, allowed: Allowed) -> tuple[Copy, ...]:
    """Return the copies of a plan, with the field below theirs that the transaction's message has there."""
    if not allowed.trace:
        return plan.copies
    field = received(message.envelope, datetime.now(UTC))
    return tuple(replace(one, fields=(*one.fields, field)) for one in plan.copies)


def _boxes(plan: Plan, copy: int, recipients: tuple[Recipient, ...], allowed: Allowed) -> frozenset[str]:
    """Return the mailboxes that some recipients of a copy stand for."""
    taken = {one.address for one in recipients}
    one = plan.copies[copy]
    return frozenset(
        mailbox(plan.decisions[position], allowed.delimiter)
        for recipient, positions in zip(one.recipients, one.decisions, strict=True)
        if recipient.address in taken
        for position in positions
    )
