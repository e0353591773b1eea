"""One message's way: resolve, scan, decide, combine, ticket, answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from tamis.config import Config
from tamis.decision import Decision, Plan, Reply
from tamis.finding import FailedCheck, Filter, Findings, Sender, VirusStatus
from tamis.interfaces import UNCOUNTED, Answer, Directory, Metrics, StoreUnavailable, Tempfail, Tickets
from tamis.message import Envelope, Message, Recipient
from tamis.policy.allowed import Allowed, allowed
from tamis.policy.combine import combine, put_off, unavailable
from tamis.policy.decide import decide, outside
from tamis.policy.defer import deferred
from tamis.policy.direction import direction, is_internal, submitted, wanted
from tamis.policy.fields import MAX_REMOVED, forged
from tamis.policy.outgoing import decide_outgoing
from tamis.preferences import Member, Preferences, Resolution
from tamis.resend.connection import RelayUnavailable
from tamis.resend.copies import Copies
from tamis.ticket import Action, Direction, Means, Outcome, OutgoingChecks, Ticket, new_id, timestamp

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MANY = 250  # recipients; what is decided for more of them may compute for more than a few ms
AT_RCPT = 8.0  # seconds; below what MTAs wait for an answer there: Sendmail 10 (R), Postfix 30
# Postfix hangs up on a client after smtpd_hard_error_limit (20) refused commands, those of unknown recipients
# included, and one that comes again with the same recipients in the same order would never get further.
MAX_DEFERRED = 10  # recipients of one transaction


class Scan(Protocol):
    """Runs the wanted filters."""

    async def scan(self, message: Message, wanted: frozenset[Filter]) -> Findings:
        """Return the findings of the wanted filters; raise TimeoutError while there is time for a ticket."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is due to one message."""

    direction: Direction
    sender_account: str | None
    plan: Plan
    reason: Tempfail | None  # where the plan is to try again later


async def judge(
    message: Message,
    directory: Directory,
    scanner: Scan,
    *,
    config: Config,
    ticket_id: str | None,
) -> Judgement:
    """Return the plan for a message; nothing is stored or handed over. Raise StoreUnavailable."""
    envelope = message.envelope
    way = direction(envelope, config)
    resolutions = await directory.resolve([meant(one, config) for one in envelope.recipients])
    found = await _scan(message, scanner, wanted(way, resolutions, config))
    settle = partial(
        _settle,
        message,
        way,
        resolutions,
        found=found,
        config=config,
        allowed=allowed(message, config),
        ticket_id=ticket_id,
    )
    plan, reason = await _compute(settle, of=sum(len(one.members) for one in resolutions))
    account = None
    if way is Direction.OUTGOING:
        account = await _sender_account(message, directory)
    return Judgement(way, account, plan, reason)


def _settle(
    message: Message,
    way: Direction,
    resolutions: Sequence[Resolution],
    *,
    found: Findings | None,
    config: Config,
    allowed: Allowed,
    ticket_id: str | None,
) -> tuple[Plan, Tempfail | None]:
    """Return the plan for all recipients, and why it is to try again later where it is."""
    envelope = message.envelope
    findings = found or Findings(Sender(None, envelope.reverse_path))
    checks = decide_outgoing(findings, config) if way is Direction.OUTGOING else None
    decisions = _decisions(message, way, resolutions, findings=findings, config=config)
    ours = way is Direction.INCOMING or any(one.local for one in decisions)
    remove = forged(message.fields, config.mail.authserv_id or envelope.mta_name) if ours else ()
    too_many = _too_many(remove, message)
    if found is None or too_many:
        decisions = [replace(one, action=Action.TEMPFAIL) for one in decisions]
    plan = combine(decisions, allowed, ticket_id=ticket_id, outgoing=checks)
    if plan.reply is None:
        plan = replace(plan, remove_fields=remove)
    reason = None
    if answer_of(plan) is Answer.TEMPFAIL:
        reason = Tempfail.FIELDS if too_many else _reason(found, config)
    return plan, reason


def untouched(message: Message, config: Config) -> Judgement:
    """Return that nothing is due to a message; each recipient was judged when it came first."""
    recipients = message.envelope.recipients
    members = (Member(None, Preferences(), local=False, address=meant(one, config)) for one in recipients)
    decisions = tuple(map(outside, recipients, members))
    return Judgement(direction(message.envelope, config), None, Plan(decisions, Means.UNIFORM), None)


def answer_of(plan: Plan) -> Answer:
    """Return what a plan tells the MTA."""
    if plan.reply is None:
        return Answer.ACCEPT
    return Answer.TEMPFAIL if plan.reply.code.startswith("4") else Answer.REFUSE


def _reason(found: Findings | None, config: Config) -> Tempfail:
    """Return why a message with these facts, or none in time, is to come again."""
    if found is None:
        return Tempfail.DEADLINE
    scanner_away = found.antivirus is not None and found.antivirus.status is VirusStatus.ERROR
    if scanner_away and config.antivirus.on_error == "tempfail":
        return Tempfail.CLAMD
    failed = isinstance(found.antispam, FailedCheck) or isinstance(found.graymail, FailedCheck)
    return Tempfail.CHECK if failed else Tempfail.ERROR


async def _compute(work: Callable[[], Result], *, of: int) -> Result:
    """Return the result of work that is done for so many recipients; for many beside the event loop."""
    return await asyncio.to_thread(work) if of > MANY else work()


async def _scan(message: Message, scanner: Scan, filters: frozenset[Filter]) -> Findings | None:
    """Return the findings, or None where there are none in time."""
    try:
        return await scanner.scan(message, filters)
    except TimeoutError:
        log.error("%s: scan takes too long answer=tempfail", message.envelope.queue_id)
        return None


def _too_many(remove: Sequence[tuple[str, int]], message: Message) -> bool:
    """Tell whether removing fields would keep the MTA busy; no honest message brings so many of ours."""
    if len(remove) <= MAX_REMOVED:
        return False
    log.warning(
        "%s: too many fields of our names limit=%d answer=tempfail", message.envelope.queue_id, MAX_REMOVED
    )
    return True


def _decisions(
    message: Message,
    way: Direction,
    resolutions: Sequence[Resolution],
    *,
    findings: Findings,
    config: Config,
) -> list[Decision]:
    found = []
    for recipient, resolution in zip(message.envelope.recipients, resolutions, strict=True):
        for member in resolution.members:
            if way is Direction.OUTGOING and not member.local:
                found.append(outside(recipient, member))
            else:
                found.append(decide(recipient, member, findings, config))
    return found


async def _sender_account(message: Message, directory: Directory) -> str | None:
    """Return the account that sent a message: the one that authenticated, else that of MAIL FROM."""
    for address in (message.envelope.auth_user, message.envelope.mail_from):
        if address and (account := await directory.account(clean(address))):
            return account
    return None


def meant(recipient: Recipient, config: Config) -> str:
    """Return whom a recipient means; a name without a domain, as Sendmail has local ones, is of our first."""
    address = clean(recipient.meant)
    return f"{address}@{config.mail.domains[0]}" if address and "@" not in address else address


def clean(text: str) -> str:
    """Return a text in which octets that are not UTF-8 are replaced, so that it can be stored."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def about(message: Message, judgement: Judgement, *, ticket_id: str, milliseconds: int, mode: str) -> Ticket:
    """Return the ticket of a judged message; milliseconds is the Unix time of its end."""
    plan = judgement.plan
    queue_id = message.envelope.queue_id
    message_id = message.content.message_id
    return Ticket(
        id=ticket_id,
        time=timestamp(milliseconds),
        direction=judgement.direction,
        mode=mode,
        message_id=clean(message_id) if message_id is not None else None,
        queue_id=clean(queue_id) if queue_id is not None else None,
        sender=clean(message.envelope.mail_from),
        sender_account=judgement.sender_account,
        recipients=tuple(_entry(one) for one in plan.decisions),
        means=plan.means,
        outgoing=plan.outgoing,
    )


def _entry(decision: Decision) -> Outcome:
    outcome = decision.outcome()
    return outcome if outcome.address.isascii() else replace(outcome, address=clean(outcome.address))


def milliseconds_now() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


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
        metrics: Metrics = UNCOUNTED,
        now: Callable[[], int] = milliseconds_now,
    ) -> None:
        """Take the parts; copies is None where there is no relay."""
        self._config = config
        self._directory = directory
        self._tickets = tickets
        self._scanner = scanner
        self._copies = copies
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
            async with asyncio.timeout(min(AT_RCPT, config.milter.deadline)):
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
            async with asyncio.timeout(self._config.milter.deadline) as deadline:
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

    async def _handle(self, message: Message, started: float, deadline: asyncio.Timeout) -> Plan:
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
        tell = partial(about, message, judgement, ticket_id=ticket_id, milliseconds=milliseconds, mode=mode)
        ticket = await _compute(tell, of=len(judgement.plan.decisions))
        await self._tickets.add(ticket)
        seconds = time.perf_counter() - started
        _log(ticket, seconds * 1000)
        plan, reason = judgement.plan, judgement.reason
        if mode == "shadow":
            plan, reason = Plan(plan.decisions, plan.means), None
        self._metrics.answered(ticket, answer_of(plan), reason=reason, seconds=seconds)
        return plan

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
        deadline: asyncio.Timeout,
    ) -> Judgement:
        """Hand over the copies; a deadline that passed while they are out would have them sent again."""
        try:
            plan = await copies.deliver(
                message,
                judgement.plan,
                allowed(message, self._config),
                point_of_no_return=lambda: deadline.reschedule(None),
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
        ticket.direction.value,
        _words(one.antivirus for one in judged),
        _words(one.antispam for one in judged),
        _words(one.graymail for one in judged),
        _words(one.action.value for one in ticket.recipients),
        ticket.means.value,
        elapsed,
    )


def _words(values: Iterable[str]) -> str:
    """Return the different words among values, in their order, joined by commas."""
    return ",".join(dict.fromkeys(values)) or "-"
