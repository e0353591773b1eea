"""What is due to one message: resolve, scan, decide, combine. Nothing is stored or handed over here."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from tamis.config import Config
from tamis.decision import Decision, Plan
from tamis.finding import FailedCheck, Filter, Findings, Sender, VirusStatus
from tamis.interfaces import Answer, Directory, Tempfail
from tamis.message import Message, Recipient
from tamis.policy.allowed import Allowed, allowed
from tamis.policy.combine import combine
from tamis.policy.decide import decide, outside
from tamis.policy.direction import direction, wanted
from tamis.policy.fields import MAX_REMOVED, forged
from tamis.policy.outgoing import decide_outgoing
from tamis.preferences import Member, Preferences, Resolution
from tamis.retention.fields import Field
from tamis.ticket import Action, Direction, Means, Outcome, Ticket, timestamp
from tamis.values import dataclass

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LONGEST_SUBJECT = 200  # characters that a ticket holds
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # and what parts lines
MANY = 250  # recipients; what is decided for more of them may compute for more than a few ms


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
    plan, reason = await compute(settle, of=sum(len(one.members) for one in resolutions))
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
    if remove and plan.reply is None:
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


async def compute(work: Callable[[], Result], *, of: int) -> Result:
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
    return whole(clean(recipient.meant), config)


def whole(address: str, config: Config) -> str:
    """Return an address with its domain, our first where it has none."""
    return f"{address}@{config.mail.domains[0]}" if address and "@" not in address else address


def clean(text: str) -> str:
    """Return a text in which octets that are not UTF-8 are replaced, so that it can be stored."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def about(
    message: Message,
    judgement: Judgement,
    *,
    ticket_id: str,
    milliseconds: int,
    mode: str,
    fields: Sequence[Field] = (),
) -> Ticket:
    """Return the ticket of a judged message, with the fields that are named.

    Milliseconds is the Unix time of the message's end.
    """
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
        more=tuple((field, _named(message, field)) for field in fields) if fields else (),
    )


def _named(message: Message, field: Field) -> str | int | None:
    """Return what a ticket says under a field that is there only where it is named."""
    match field:
        case Field.SUBJECT:
            subject = clean(message.content.subject) if message.content.values(b"subject") else None
            return subject and CONTROL.sub(" ", subject)[:LONGEST_SUBJECT]
        case Field.CLIENT_ADDRESS:
            address = message.envelope.client_ip
            return address and clean(address)
        case Field.SIZE:
            return message.size


def _entry(decision: Decision) -> Outcome:
    outcome = decision.outcome()
    return outcome if outcome.address.isascii() else replace(outcome, address=clean(outcome.address))


def milliseconds_now() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
