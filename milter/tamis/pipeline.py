"""One message's way: judgement, copies, ticket, answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from tamis.config import Config
from tamis.deadline import Deadline
from tamis.decision import Plan, Reply
from tamis.interfaces import (
    UNCOUNTED,
    Answer,
    Directory,
    Metrics,
    SignIns,
    StoreUnavailable,
    Tempfail,
    Tickets,
)
from tamis.judgement import (
    Judgement,
    Scan,
    about,
    answer_of,
    clean,
    compute,
    judge,
    meant,
    milliseconds_now,
    untouched,
    whole,
)
from tamis.message import Envelope, Message, Recipient
from tamis.policy.allowed import allowed
from tamis.policy.combine import put_off, unavailable
from tamis.policy.defer import deferred
from tamis.policy.direction import direction, is_internal, submitted
from tamis.resend.connection import RelayUnavailable
from tamis.resend.copies import Copies
from tamis.ticket import Means, Outcome, OutgoingChecks, Ticket, new_id

log = logging.getLogger(__name__)

AT_RCPT = 8.0  # seconds; below what MTAs wait for an answer there: Sendmail 10 (R), Postfix 30
# Postfix hangs up on a client after smtpd_hard_error_limit (20) refused commands, those of unknown recipients
# included, and one that comes again with the same recipients in the same order would never get further.
MAX_DEFERRED = 10  # recipients of one transaction


class Pipeline:
    """The whole story, one coroutine per message, on the loop's thread."""

    def __init__(
        self,
        config: Config,
        directory: Directory,
        tickets: Tickets,
        scanner: Scan,
        *,
        copies: Copies | None = None,
        sign_ins: SignIns | None = None,
        metrics: Metrics = UNCOUNTED,
        now: Callable[[], int] = milliseconds_now,
    ) -> None:
        """Take the parts; copies is None where there is no relay, sign_ins where none are to be kept."""
        self._config = config
        self._directory = directory
        self._tickets = tickets
        self._scanner = scanner
        self._copies = copies
        self._sign_ins = sign_ins
        self._metrics = metrics
        self._now = now
        self._inside = 0
        self.handled = 0  # messages so far

    @property
    def inside(self) -> int:
        """Messages in hand, recipients who are asked about, and copies that go their way.

        These do so though nobody awaits the answer to their message any more.
        """
        return self._inside + (self._copies.under_way if self._copies is not None else 0)

    async def handle(self, message: Message) -> Plan:
        """Return what the MTA shall do; its ticket is durable by then."""
        self._inside += 1
        try:
            return await self._answer(message)
        finally:
            self._inside -= 1
            self.handled += 1

    async def recipient(self, envelope: Envelope, recipient: Recipient, *, turned_away: int) -> Reply | None:
        """Return the reply to a recipient who does not fit to those of an envelope, or None (defer_mixed).

        turned_away counts those that the same transaction has had.
        """
        config = self._config
        if not envelope.recipients or turned_away >= MAX_DEFERRED or submitted(envelope, config):
            return None
        names = [meant(one, config) for one in (recipient, envelope.recipients[0])]
        self._inside += 1
        try:
            with Deadline(min(AT_RCPT, config.milter.deadline)):
                one, first = await self._directory.resolve(names)
        except (StoreUnavailable, TimeoutError) as error:
            # Let in, he would share what is common to all if the store is back by the end of the message.
            log.error(
                "%s: recipient not looked up answer=tempfail cause=%s",
                envelope.queue_id,
                str(error) or "deadline passed",
            )
            return unavailable(None)
        finally:
            self._inside -= 1
        reply = deferred(one, first)
        if reply is not None:
            log.info("%s: recipient deferred", envelope.queue_id or "-")
            self._metrics.deferred()
        return reply

    async def _answer(self, message: Message) -> Plan:
        started = time.perf_counter()
        shadow = self._config.milter.mode == "shadow"
        answer = Answer.ACCEPT if shadow else Answer.TEMPFAIL
        try:
            with Deadline(self._config.milter.deadline) as deadline:
                return await self._handle(message, started, deadline)
        except StoreUnavailable as error:
            # Its text is the database's, about the store and never about a message.
            log.error("%s: store unavailable answer=%s cause=%s", message.envelope.queue_id, answer, error)
            reason = Tempfail.STORE
        except TimeoutError:
            log.error("%s: deadline passed answer=%s", message.envelope.queue_id, answer)
            reason = Tempfail.DEADLINE
        self._metrics.unticketed(
            answer, None if shadow else reason, direction=direction(message.envelope, self._config)
        )
        return Plan((), Means.UNIFORM, None if shadow else unavailable(None))

    async def _handle(self, message: Message, started: float, deadline: Deadline) -> Plan:
        mode = self._config.milter.mode
        milliseconds = self._now()
        ticket_id = new_id(milliseconds)
        if self._came_back(message):
            judgement = untouched(message, self._config)
        else:
            judgement = await judge(
                message, self._directory, self._scanner, config=self._config, ticket_id=ticket_id
            )
            if self._copies is not None and judgement.plan.reply is None and mode != "shadow":
                judgement = await self._split(message, judgement, self._copies, ticket_id, deadline)
        tell = partial(
            about,
            message,
            judgement,
            ticket_id=ticket_id,
            milliseconds=milliseconds,
            mode=mode,
            fields=self._config.tickets.fields,
        )
        ticket = await compute(tell, of=len(judgement.plan.decisions))
        await self._tickets.add(ticket)
        self._note_sign_in(message.envelope)
        seconds = time.perf_counter() - started
        _log(ticket, seconds * 1000)
        plan, reason = judgement.plan, judgement.reason
        if mode == "shadow":
            plan, reason = Plan(plan.decisions, plan.means), None
        self._metrics.answered(ticket, answer_of(plan), reason=reason, seconds=seconds)
        return plan

    def _note_sign_in(self, envelope: Envelope) -> None:
        """Have it recorded who signed in to send a message, where that is wanted."""
        if self._sign_ins is not None and envelope.auth_user:
            login = whole(clean(envelope.auth_user), self._config)
            self._sign_ins.signed_in(login.lower(), envelope.client_ip)

    def _came_back(self, message: Message) -> bool:
        """Tell whether a message is a copy of ours; whoever else may know the name is not in our networks."""
        if self._copies is None or not self._copies.is_ours(message):
            return False
        if not is_internal(message.envelope, self._config):
            return False
        log.warning(
            "%s: a copy came back: resend.relay must lead past this milter; message left as it is",
            message.envelope.queue_id,
        )
        return True

    async def _split(
        self,
        message: Message,
        judgement: Judgement,
        copies: Copies,
        ticket_id: str,
        deadline: Deadline,
    ) -> Judgement:
        """Hand over the copies; a deadline that passed while they are out would have them sent again."""
        try:
            plan = await copies.deliver(
                message,
                judgement.plan,
                allowed(message, self._config),
                point_of_no_return=deadline.lift,
            )
        except RelayUnavailable as error:
            log.error("%s: relay unavailable answer=tempfail cause=%s", message.envelope.queue_id, error)
            plan = put_off(judgement.plan, ticket_id)
            return replace(judgement, plan=plan, reason=Tempfail.RELAY)
        return replace(judgement, plan=plan)


def _log(ticket: Ticket, elapsed: float) -> None:
    """Log the one line of a message; elapsed is in milliseconds."""
    if not log.isEnabledFor(logging.INFO):
        return
    judged: Sequence[Outcome | OutgoingChecks] = ticket.recipients
    if ticket.outgoing is not None:
        judged = (*judged, ticket.outgoing)
    log.info(
        "%s: ticket=%s direction=%s antivirus=%s antispam=%s graymail=%s action=%s means=%s ms=%.0f",
        ticket.queue_id,
        ticket.id,
        ticket.direction,
        _words([one.antivirus for one in judged]),
        _words([one.antispam for one in judged]),
        _words([one.graymail for one in judged]),
        _words([one.action for one in ticket.recipients]),
        ticket.means,
        elapsed,
    )


def _words(values: Sequence[str]) -> str:
    """Return the different words among values, in their order, joined by commas."""
    return values[0] if len(values) == 1 else ",".join(dict.fromkeys(values)) or "-"
