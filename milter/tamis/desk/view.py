"""A ticket as one of the persons whom it is about may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tamis.retention.fields import Field
from tamis.ticket import Action, Direction

# What a ticket says of the message itself, the same for all whom it is about; what only an operator's
# tickets.fields adds may be missing.
OF_THE_MESSAGE = ("id", "time", "direction", "mode", "message_id", "queue_id", "sender", *map(str, Field))


def reveal(ticket: Mapping[str, Any], account: str, pseudonym: str) -> dict[str, Any]:
    """Return a ticket with an account's own address where its pseudonym stands; others' stay."""

    def shown(one: Mapping[str, Any], *names: str) -> dict[str, Any]:
        return {**one, **{name: account for name in names if one[name] == pseudonym}}

    recipients = [shown(one, "address", "account") for one in ticket["recipients"]]
    return {**shown(ticket, "sender", "sender_account"), "recipients": recipients}


def view(ticket: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Return what a ticket (its JSON object) says to an account; never by which means others got theirs.

    A recipient sees the sender and what became of his own mail. The sender sees whom he wrote to, and what
    the outgoing checks said: what the others want, and whose accounts they are, is theirs.
    """
    sent = ticket["sender_account"] == account
    seen = {name: ticket[name] for name in OF_THE_MESSAGE if name in ticket}
    if ticket["direction"] == Direction.OUTGOING and not sent:
        seen.pop(Field.CLIENT_ADDRESS, None)  # the sender's own; of incoming mail it is that of his server
    seen["sender_account"] = account if sent else None
    own = [dict(one) for one in ticket["recipients"] if one["account"] == account]
    if sent:
        mine = {one["address"] for one in own}
        # A group has an entry for each member: how many there are does not show.
        named = dict.fromkeys(one["address"] for one in ticket["recipients"] if one["address"] not in mine)
        own += [{"address": address} for address in named]
    seen["recipients"] = own
    if sent and "outgoing" in ticket:
        seen["outgoing"] = dict(ticket["outgoing"])
    return seen


def answer(ticket: Mapping[str, Any]) -> Action:
    """Return what was said to the message as a whole, which its sender knows: deliver, refuse or tempfail."""
    actions = {one["action"] for one in ticket["recipients"]}
    if actions == {Action.REFUSE}:
        return Action.REFUSE
    return Action.TEMPFAIL if actions == {Action.TEMPFAIL} else Action.DELIVER
