"""Sender lists: which pattern is the more specific, and which level decides."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from tamis.finding import Authentication, Graymail, Sender
from tamis.preferences import SenderLists
from tamis.spelling import in_letters

EXACT = 1_000_000  # above any number of labels (RFC 1035 section 2.3.4: at most 127)


class Standing(Enum):
    """What a recipient's sender lists say of a sender."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    UNVERIFIED = "unverified"  # allowed, but the From domain is forged: without effect
    UNLISTED = "unlisted"


def _author(sender: Sender) -> tuple[str, ...]:
    return (sender.from_address,) if sender.from_address else ()


def specificity(pattern: str, sender: str) -> int:
    """Return how closely a pattern fits an address: 0 not at all, more for more of it named."""
    if "xn--" in pattern or "xn--" in sender:  # of thousands of patterns, seldom any
        pattern, sender = in_letters(pattern), in_letters(sender)
    if not pattern.startswith("@"):
        return EXACT if pattern == sender else 0
    domain = sender.rpartition("@")[2]
    if pattern.startswith("@*."):
        suffix = pattern[2:]
        return 2 * suffix.count(".") if domain.endswith(suffix) else 0
    return 2 * pattern.count(".") + 3 if domain == pattern[1:] else 0


def _best(patterns: Iterable[str], senders: Iterable[str]) -> int:
    return max((specificity(pattern, sender) for pattern in patterns for sender in senders), default=0)


def standing(levels: Iterable[SenderLists], sender: Sender) -> Standing:
    """Return the first level's answer that has one; within it the more specific, on a tie allowed.

    Where the From domain is forged, only blocking counts: a forger gets nothing from being like a friend.
    """
    author = _author(sender)
    either = (*author, sender.mail_from) if sender.mail_from else author
    forged = sender.authentication is Authentication.FAILED
    unlisted = Standing.UNLISTED
    for lists in levels:
        allowed, blocked = _best(lists.allowed, author), _best(lists.blocked, either)
        if forged and allowed:
            allowed, unlisted = 0, Standing.UNVERIFIED
        if allowed or blocked:
            return Standing.ALLOWED if allowed >= blocked else Standing.BLOCKED
    return unlisted


def declared(levels: Iterable[SenderLists], sender: Sender) -> Graymail | None:
    """Return the graymail class that a sender list declares the sender to be of, or None."""
    author = _author(sender)
    for lists in levels:
        newsletter, social = _best(lists.newsletter, author), _best(lists.social, author)
        if newsletter or social:
            return Graymail.NEWSLETTER if newsletter >= social else Graymail.SOCIAL
    return None
