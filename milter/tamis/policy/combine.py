"""Many decisions, one milter transaction: the cheapest means that gives everyone his due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tamis.config import Config
from tamis.decision import Decision, Field, Plan, Reply
from tamis.finding import Filter
from tamis.message import Recipient
from tamis.policy.decide import can_file
from tamis.policy.outgoing import OutgoingDecision
from tamis.ticket import Action, Means

KEPT = (Action.DELIVER, Action.MARK, Action.FILE)  # mildest first


def combine(
    decisions: Sequence[Decision],
    config: Config,
    *,
    ticket_id: str | None = None,
    outgoing: OutgoingDecision | None = None,
) -> Plan:
    """Return the one answer for all recipients; ticket_id stands at the end of a reply."""
    checks = outgoing.checks if outgoing is not None else None
    if outgoing is not None and outgoing.action is not Action.DELIVER:
        decisions = [
            replace(one, action=outgoing.action, refused_for=outgoing.refused_for) for one in decisions
        ]
    if not decisions or any(one.action is Action.TEMPFAIL for one in decisions):
        failed = tuple(replace(one, action=Action.TEMPFAIL) for one in decisions)
        return Plan(failed, Means.UNIFORM, unavailable(ticket_id), outgoing=checks)
    if all(one.action is Action.REFUSE for one in decisions):
        reply = _refusal(decisions, checks.malware if checks is not None else None, ticket_id)
        return Plan(tuple(decisions), Means.UNIFORM, reply, outgoing=checks)
    return replace(_deliver([_without_refusal(one, config) for one in decisions], config), outgoing=checks)


def unavailable(ticket_id: str | None) -> Reply:
    """Return the reply for something of ours that is down."""
    return Reply("451", "4.7.1", _with_id("Filter temporarily unavailable, try again later", ticket_id))


def _refusal(decisions: Sequence[Decision], malware: str | None, ticket_id: str | None) -> Reply:
    infected = [one for one in decisions if one.refused_for is Filter.ANTIVIRUS]
    text = "Message refused as spam"
    if infected:
        malware = malware or infected[0].malware
        text = f"Message contains malware ({malware})" if malware else "Message cannot be scanned for malware"
    return Reply("550", "5.7.1", _with_id(text, ticket_id))


def _with_id(text: str, ticket_id: str | None) -> str:
    return f"{text} [{ticket_id}]" if ticket_id else text


def _without_refusal(decision: Decision, config: Config) -> Decision:
    """Return what a recipient gets instead of a refusal that his neighbours do not share."""
    if decision.action is not Action.REFUSE:
        return decision
    if decision.refused_for is Filter.ANTIVIRUS and decision.malware and config.antivirus.mixed == "discard":
        return replace(decision, action=Action.DISCARD, fields=(), folder=None)
    if decision.refused_for is Filter.ANTISPAM and can_file(decision, config):
        return replace(decision, action=Action.FILE, folder=config.filing.spam)
    return replace(decision, action=Action.MARK, folder=None)


def _deliver(decisions: Sequence[Decision], config: Config) -> Plan:
    kept = [one for one in decisions if one.action is not Action.DISCARD]
    first = kept[0]
    fields: Sequence[Field] = first.fields
    if any(one.fields != first.fields for one in kept):
        means = Means.COMMON
        fields = [one for one in first.fields if all(one in other.fields for other in kept)]
        decisions = _least(decisions, kept, fields)
    elif any((one.action, one.folder) != (first.action, first.folder) for one in kept):
        means = Means.DETAIL
    else:
        means = Means.UNIFORM
    removed, added = _recipients(decisions, config)
    return Plan(
        decisions=tuple(decisions),
        means=means,
        fields=tuple((one.name, one.value) for one in fields),
        remove_recipients=removed,
        add_recipients=added,
    )


def _least(
    decisions: Sequence[Decision], kept: Sequence[Decision], fields: Sequence[Field]
) -> Sequence[Decision]:
    """Return the decisions lowered to what every recipient agreed to.

    Not so a refusal that became filing: it is the operator's, and shows in that recipient's address alone.
    """
    level = min((one.action for one in kept if not _is_fixed(one)), key=KEPT.index, default=Action.FILE)
    if level is Action.MARK and not any(_marks(one) for one in fields):
        level = Action.DELIVER
    if level is Action.FILE:
        return decisions
    return [one if _is_fixed(one) else replace(one, action=level, folder=None) for one in decisions]


def _is_fixed(decision: Decision) -> bool:
    """Tell whether a decision stands in for a refusal."""
    filed = decision.action is Action.FILE and decision.refused_for is Filter.ANTISPAM
    return filed or decision.action is Action.DISCARD


def _marks(field: Field) -> bool:
    """Tell whether a field says that a filter found something; headers.on_clean adds others, too."""
    found = field.name == "X-Virus-Status" and field.value != "Clean"
    return found or field.name in ("X-Spam-Flag", "X-Graymail")


def _recipients(
    decisions: Sequence[Decision], config: Config
) -> tuple[tuple[str, ...], tuple[Recipient, ...]]:
    """Return the envelope recipients to remove and those to add in their place."""
    removed: dict[str, None] = {}
    added: dict[str, Recipient] = {}
    by_recipient: dict[Recipient, list[Decision]] = {}
    for one in decisions:
        by_recipient.setdefault(one.recipient, []).append(one)
    for recipient, members in by_recipient.items():
        if all(one.action in (Action.DELIVER, Action.MARK) for one in members):
            continue
        removed[recipient.address] = None
        for one in members:
            if one.action is Action.DISCARD:
                continue
            address = filed_address(one, config) if one.action is Action.FILE else one.address
            added.setdefault(address, Recipient(address, _dsn_parameters(recipient)))
    for address in removed.keys() & added.keys():  # received with the very detail that it is filed under
        del removed[address], added[address]
    return tuple(removed), tuple(added.values())


def filed_address(decision: Decision, config: Config) -> str:
    """Return the +detail address that a decision files under."""
    local, _, domain = (decision.account or decision.address).rpartition("@")
    return f"{local}{config.mail.recipient_delimiter}{decision.folder}@{domain}"


def _dsn_parameters(recipient: Recipient) -> tuple[str, ...]:
    """Return NOTIFY and ORCPT as received; ORCPT of the original address if it had none (RFC 3461)."""
    kept = [one for one in recipient.parameters if one.upper().startswith(("NOTIFY=", "ORCPT="))]
    if not any(one.upper().startswith("ORCPT=") for one in kept) and recipient.address.isascii():
        kept.append(f"ORCPT=rfc822;{_xtext(recipient.address)}")
    return tuple(kept)


def _xtext(text: str) -> str:
    """Return an ASCII text as xtext (RFC 3461 section 4)."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
