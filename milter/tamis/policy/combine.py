"""Many decisions, one milter transaction: the cheapest means that gives everyone his due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tamis.decision import Decision, Field, Plan, Reply
from tamis.finding import Filter
from tamis.policy.agreement import as_reached, lowered, shared
from tamis.policy.allowed import Allowed
from tamis.policy.decide import can_file
from tamis.policy.envelopes import Envelope, addressed, changes, disjoint, grouped, mailbox
from tamis.policy.outgoing import OutgoingDecision
from tamis.ticket import Action, Means

NOBODY: frozenset[int] = frozenset()
AS_RECEIVED = (Action.DELIVER, Action.MARK)  # what leaves the envelope of a message as it is


def combine(
    decisions: Sequence[Decision],
    allowed: Allowed,
    *,
    ticket_id: str | None = None,
    outgoing: OutgoingDecision | None = None,
) -> Plan:
    """Return the one answer for all recipients; ticket_id stands at the end of a reply."""
    if len(decisions) == 1 and outgoing is None and decisions[0].action in AS_RECEIVED:
        return _alone(decisions[0])  # as nearly all mail is, in a tenth of the time
    checks = outgoing.checks if outgoing is not None else None
    if outgoing is not None and outgoing.action is not Action.DELIVER:
        decisions = [
            replace(one, action=outgoing.action, refused_for=outgoing.refused_for) for one in decisions
        ]
    if not decisions or any(one.action is Action.TEMPFAIL for one in decisions):
        return put_off(Plan(tuple(decisions), Means.UNIFORM, outgoing=checks), ticket_id)
    if all(one.action is Action.REFUSE for one in decisions):
        reply = _refusal(decisions, checks.malware if checks is not None else None, ticket_id)
        return Plan(tuple(decisions), Means.UNIFORM, reply, outgoing=checks)
    apart = [_without_refusal(one, allowed) for one in decisions]
    alike = as_reached(apart)
    if all(
        one.action is Action.REFUSE or reached.action is Action.DISCARD
        for one, reached in zip(decisions, alike, strict=True)
    ):  # alone each would have heard of it, though by his neighbours on one address
        refused = tuple(replace(one, action=Action.REFUSE) for one in decisions)
        return Plan(refused, Means.COMMON, _refusal(decisions, None, ticket_id), outgoing=checks)
    plan = replace(_deliver(alike, allowed), outgoing=checks)
    return plan if alike == apart or plan.copies else replace(plan, means=Means.COMMON)


def _alone(decision: Decision) -> Plan:
    """Return the plan for an only recipient who gets the message, and gets it where it goes anyway."""
    fields = tuple([(one.name, one.value) for one in decision.fields])
    return Plan((decision,), Means.UNIFORM, fields=fields)


def put_off(plan: Plan, ticket_id: str | None) -> Plan:
    """Return the plan that asks the MTA to come again instead of another."""
    failed = tuple(replace(one, action=Action.TEMPFAIL) for one in plan.decisions)
    return Plan(failed, Means.UNIFORM, unavailable(ticket_id), outgoing=plan.outgoing)


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


def _without_refusal(decision: Decision, allowed: Allowed) -> Decision:
    """Return what a recipient gets instead of a refusal that his neighbours do not share."""
    if decision.action is not Action.REFUSE:
        return decision
    if decision.refused_for is Filter.ANTIVIRUS and decision.malware and allowed.discard:
        return replace(decision, action=Action.DISCARD, fields=(), folder=None)
    if decision.folder is not None and can_file(decision, allowed.delimiter):
        return replace(decision, action=Action.FILE)
    return replace(decision, action=Action.MARK, folder=None)


def fall_back(plan: Plan, refused: Collection[str], allowed: Allowed) -> Plan:
    """Return the rest of a plan once its copies were handed over.

    refused are the addresses, as in the copies, that were not taken: they stay in the transaction under
    `common` with those who stay anyway. Who has the message by another name needs it no more.
    """
    return without(plan, reached(plan, refused, allowed), replace(allowed, split=False))


def reached(plan: Plan, refused: Collection[str], allowed: Allowed) -> frozenset[str]:
    """Return the mailboxes that copies were taken for, given the addresses that were refused."""
    return frozenset(
        mailbox(plan.decisions[position], allowed.delimiter)
        for copy in plan.copies
        for recipient, positions in zip(copy.recipients, copy.decisions, strict=True)
        if recipient.address not in refused
        for position in positions
    )


def without(plan: Plan, mailboxes: Collection[str], allowed: Allowed) -> Plan:
    """Return a plan for the others, where a copy has been delivered for these mailboxes already."""
    if plan.reply is not None:
        return plan
    delivered = frozenset(
        position
        for position, one in enumerate(plan.decisions)
        if position in plan.delivered or mailbox(one, allowed.delimiter) in mailboxes
    )
    made = _deliver(plan.decisions, allowed, delivered)
    means = Means.COMMON if plan.means is Means.COMMON and not delivered else made.means
    return replace(made, means=means, remove_fields=plan.remove_fields, outgoing=plan.outgoing)


def _deliver(decisions: Sequence[Decision], allowed: Allowed, delivered: frozenset[int] = NOBODY) -> Plan:
    """Return the plan that delivers to all but those to whom a copy has been delivered."""
    groups = grouped(decisions, delivered)
    if len(groups) > 1:
        plan = _split(decisions, groups, allowed) if allowed.split else None
        plan = plan or _common(decisions, groups, allowed)
    else:
        plan = _together(decisions, groups, allowed)
    return replace(plan, delivered=delivered, means=Means.SPLIT) if delivered else plan


def _together(decisions: Sequence[Decision], groups: Sequence[Sequence[int]], allowed: Allowed) -> Plan:
    """Return the plan for recipients who differ at most in the folder."""
    folders = {(decisions[one].action, decisions[one].folder) for group in groups for one in group}
    means = Means.DETAIL if len(folders) > 1 else Means.UNIFORM
    envelopes = addressed(decisions, groups, _fields(decisions, groups), allowed.delimiter)
    return _plan(decisions, means, envelopes[0] if envelopes else None)


def _split(decisions: Sequence[Decision], groups: Sequence[Sequence[int]], allowed: Allowed) -> Plan | None:
    """Return the plan with a copy for each group but one, or None where an address would be in two.

    In the transaction stays who needs no change, else the largest group.
    """
    envelopes = addressed(decisions, groups, _fields(decisions, groups), allowed.delimiter)
    if not disjoint(envelopes):
        return None
    staying = max(envelopes, key=lambda one: (one.unchanged, len(one.addressees)))
    copies = tuple(one.copy() for one in envelopes if one is not staying)
    return replace(_plan(decisions, Means.SPLIT, staying), copies=copies)


def _common(decisions: Sequence[Decision], groups: Sequence[Sequence[int]], allowed: Allowed) -> Plan:
    """Return the plan that does what every recipient agreed to."""
    kept = [position for group in groups for position in group]
    fields = shared(_fields(decisions, groups))
    agreed = lowered(decisions, kept, fields)
    return _plan(agreed, Means.COMMON, *addressed(agreed, [kept], [fields], allowed.delimiter))


def _fields(decisions: Sequence[Decision], groups: Sequence[Sequence[int]]) -> list[tuple[Field, ...]]:
    """Return the fields of each group."""
    return [decisions[group[0]].fields for group in groups]


def _plan(decisions: Sequence[Decision], means: Means, staying: Envelope | None) -> Plan:
    removed, added = changes(decisions, staying)
    return Plan(
        decisions=tuple(decisions),
        means=means,
        fields=staying.fields if staying is not None else (),
        remove_recipients=removed,
        add_recipients=added,
    )
