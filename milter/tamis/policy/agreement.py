"""What recipients agreed to who cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tamis.decision import Decision, Field
from tamis.finding import Filter
from tamis.ticket import Action

KEPT = (Action.DELIVER, Action.MARK, Action.FILE)  # mildest first


def shared(fields: Sequence[Sequence[Field]]) -> tuple[Field, ...]:
    """Return the fields that all have."""
    first, *others = fields
    return tuple(one for one in first if all(one in other for other in others))


def lowered(decisions: Sequence[Decision], kept: Sequence[int], fields: Sequence[Field]) -> list[Decision]:
    """Return the decisions, of which those kept are lowered to what every recipient agreed to.

    Not so a refusal that became filing: it is the operator's, and shows in that recipient's address alone.
    """
    free = [one for one in kept if not _is_fixed(decisions[one])]
    level = min((decisions[one].action for one in free), key=KEPT.index, default=Action.FILE)
    if level is Action.MARK and not any(_marks(one) for one in fields):
        level = Action.DELIVER
    found = list(decisions)
    for one in free if level is not Action.FILE else ():
        found[one] = replace(decisions[one], action=level, folder=None)
    return found


def as_reached(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions, of which those that one address carries out are alike.

    A group that has a mailbox of its own name cannot be expanded, as mail to that name reaches all of it.
    """
    found = list(decisions)
    behind: dict[str, list[int]] = {}
    for position, one in enumerate(decisions):
        behind.setdefault(one.address, []).append(position)
    for positions in behind.values():
        if len({decisions[one].account for one in positions}) > 1:
            alike = _alike([decisions[one] for one in positions])
            for position, one in zip(positions, alike, strict=True):
                found[position] = one
    return found


def _alike(members: Sequence[Decision]) -> list[Decision]:
    if any(one.action is Action.DISCARD for one in members):
        return [replace(one, action=Action.DISCARD, fields=(), folder=None) for one in members]
    fields = shared([one.fields for one in members])
    here = [
        replace(one, action=Action.MARK, folder=None) if one.action is Action.FILE else one for one in members
    ]
    return [replace(one, fields=fields) for one in lowered(here, range(len(here)), fields)]


def _is_fixed(decision: Decision) -> bool:
    """Tell whether a decision stands in for a refusal."""
    return decision.action is Action.FILE and decision.refused_for is Filter.ANTISPAM


def _marks(field: Field) -> bool:
    """Tell whether a field says that a filter found something; headers.on_clean adds others, too."""
    found = field.name == "X-Virus-Status" and field.value != "Clean"
    return found or field.name in ("X-Spam-Flag", "X-Graymail")
