"""A ticket as one of the persons whom it is about may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a ticket says of the message itself, which is the same for all whom it is about.
OF_THE_MESSAGE = ("id", "time", "direction", "mode", "message_id", "queue_id", "sender")


def view(ticket: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Return what a ticket (its JSON object) says to an account; never by which means others got theirs.

    A recipient sees the sender and what became of his own mail. The sender sees whom he wrote to, and what
    the outgoing checks said: what the others want, and whose accounts they are, is theirs.
    """
    seen = {name: ticket[name] for name in OF_THE_MESSAGE}
    sent = ticket["sender_account"] == account
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
