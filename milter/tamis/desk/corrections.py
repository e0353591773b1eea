"""What a user says of one message, written into his sender lists: no message is kept to learn from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from tamis.checks.rules.domains import FREEMAIL
from tamis.checks.rules.facts import site
from tamis.desk import settings as desk
from tamis.policy.senders import specificity
from tamis.preferences import LISTS, Value, is_pattern, parse
from tamis.retention.classes import RecordClass
from tamis.store import records, settings

# Addresses that newsletters come from, made for one recipient or one issue, so that none comes twice.
MADE_FOR_ONE = re.compile(r"=|bounce|\d{5}|^.{30}")


class Meaning(StrEnum):
    """What a user says that a sender's mail is."""

    NOT_SPAM = "not-spam"
    SPAM = "spam"
    NEWSLETTER = "newsletter"
    SOCIAL = "social"
    NO_CLASS = "no-class"  # neither a newsletter nor of a social network


class Reach(StrEnum):
    """For which senders it is said."""

    ADDRESS = "address"
    DOMAIN = "domain"
    SITE = "site"  # the domain that the sender's belongs to, and all below it


# The list that says so, if there is one, and those that say otherwise.
SAYS: Mapping[Meaning, tuple[str, tuple[str, ...]]] = {
    Meaning.NOT_SPAM: ("senders.allowed", ("senders.blocked",)),
    Meaning.SPAM: ("senders.blocked", ("senders.allowed",)),
    Meaning.NEWSLETTER: ("senders.newsletter", ("senders.social",)),
    Meaning.SOCIAL: ("senders.social", ("senders.newsletter",)),
    Meaning.NO_CLASS: ("", ("senders.newsletter", "senders.social")),
}

Lists = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Edit:
    """What became of one list."""

    key: str
    added: Sequence[str]
    removed: Sequence[str]


def reaches(sender: str) -> Mapping[Reach, tuple[str, ...]]:
    """Return the patterns that a sender can be listed by; none where no list can name him."""
    address = sender.lower()
    if not is_pattern(address) or address.startswith("@"):
        return {}
    domain = address.rpartition("@")[2]
    found: dict[Reach, tuple[str, ...]] = {Reach.ADDRESS: (address,)}
    if domain in FREEMAIL or domain.endswith(
        "]"
    ):  # all sorts of people are there; an IP address has no domain
        return found
    found[Reach.DOMAIN] = (f"@{domain}",)
    above = site(domain)
    if above != domain:
        found[Reach.SITE] = (f"@{above}", f"@*.{above}")
    return found


def likely(sender: str) -> Reach:
    """Return for which senders something is most likely meant."""
    offered = reaches(sender)
    made_for_one = MADE_FOR_ONE.search(sender.lower().rpartition("@")[0]) is not None
    return list(offered)[-1] if made_for_one and offered else Reach.ADDRESS


def listed(connection: Connection, account: str, sender: str) -> Lists:
    """Return the account's own patterns that fit a sender, by list."""
    found = _lists(connection, account)
    fitting = {key: tuple(one for one in found[key] if specificity(one, sender.lower())) for key in LISTS}
    return {key: patterns for key, patterns in fitting.items() if patterns}


def correct(
    connection: Connection,
    account: str,
    sender: str,
    meaning: Meaning,
    reach: Reach,
    *,
    actor: str,
    notify: bool,
    now: int,
) -> bool:
    """Put a sender where a user says that he belongs, and off the lists that would say otherwise.

    Tell whether that changes a list. Raise ValueError for a sender whom no list can name so, or one too many.
    """
    wanted = reaches(sender).get(reach)
    if wanted is None:
        raise ValueError(f"no list can name this sender by its {reach}")
    key, others = SAYS[meaning]
    known = max(specificity(one, sender.lower()) for one in wanted) if key else 1
    added = {key: wanted} if key else {}
    removed = {
        other: [one for one in patterns if one in wanted or specificity(one, sender.lower()) >= known]
        for other, patterns in _lists(connection, account).items()
        if other in others
    }
    return _edit(connection, account, added, removed, actor=actor, notify=notify, now=now)


def made(connection: Connection, account: str, time: int) -> Sequence[Edit]:
    """Return what was changed in an account's lists at a Unix time in ms."""
    found = []
    for one in records.find(connection, RecordClass.SETTING_CHANGE, account, since=time, until=time + 1):
        if one["key"] in LISTS:
            old, new = (json.loads(one[name]) if one[name] else [] for name in ("old", "new"))
            found.append(Edit(one["key"], _without(new, old), _without(old, new)))
    return found


def undo(connection: Connection, account: str, time: int, *, actor: str, notify: bool, now: int) -> bool:
    """Take back what was changed in an account's lists at a Unix time in ms; tell whether a list changes."""
    edits = made(connection, account, time)
    added = {one.key: one.removed for one in edits}
    removed = {one.key: one.added for one in edits}
    return _edit(connection, account, added, removed, actor=actor, notify=notify, now=now)


def _edit(
    connection: Connection,
    account: str,
    added: Mapping[str, Sequence[str]],
    removed: Mapping[str, Sequence[str]],
    *,
    actor: str,
    notify: bool,
    now: int,
) -> bool:
    before = _lists(connection, account)
    values: dict[str, Value] = {}
    for key in dict.fromkeys((*added, *removed)):
        kept = _without(before[key], removed.get(key, ()))
        after = parse(key, [*kept, *added.get(key, ())])
        if after != before[key]:
            values[key] = after
    if values:
        desk.put(connection, account, values, actor=actor, notify=notify, now=now)
    return bool(values)


def _lists(connection: Connection, account: str) -> Lists:
    own = settings.own(connection, [account]).get(account, {})
    return {key: value if isinstance(value := own.get(key), tuple) else () for key in LISTS}


def _without(patterns: Iterable[str], others: Iterable[str]) -> list[str]:
    gone = set(others)
    return [one for one in patterns if one not in gone]
