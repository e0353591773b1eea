"""Mixed recipients settled at RCPT (milter.defer_mixed): who wants something else comes another time."""

from __future__ import annotations

from dataclasses import replace

from tamis.decision import Reply
from tamis.preferences import Preferences, Resolution, SenderLists, Treatment

LATER = Reply("452", "4.5.3", "This recipient needs a transaction of its own, try again later")


def deferred(resolution: Resolution, first: Resolution) -> Reply | None:
    """Return the reply to a recipient who cannot share the first one's transaction, or None.

    Members of a group who differ among themselves are not parted by waiting: it can share with a group that
    differs in the same way.
    """
    return None if _kinds(resolution) == _kinds(first) else LATER


def _kinds(resolution: Resolution) -> frozenset[Preferences]:
    return frozenset(_what_shows(member.preferences) for member in resolution.members)


def _what_shows(wishes: Preferences) -> Preferences:
    """Return preferences without what makes no difference to a message that others get, too.

    A folder is told by the address; what belongs to a filter that is off has no effect.
    """
    lists = [_lists(level, wishes) for level in wishes.senders]
    return replace(
        wishes,
        learning=False,
        spam=_treatment(wishes.spam, shows=wishes.antispam),
        newsletter=_treatment(wishes.newsletter, shows=wishes.graymail),
        social=_treatment(wishes.social, shows=wishes.graymail),
        list=_treatment(wishes.list, shows=wishes.graymail),
        spam_mark=wishes.spam_mark if wishes.antispam else 0.0,
        senders=tuple(one for one in lists if one != SenderLists()),
    )


def _treatment(wanted: Treatment, *, shows: bool) -> Treatment:
    return Treatment.NONE if shows and wanted is Treatment.NONE else Treatment.MARK


def _lists(level: SenderLists, wishes: Preferences) -> SenderLists:
    if not wishes.antispam:
        level = replace(level, allowed=(), blocked=())
    if not wishes.graymail:
        level = replace(level, newsletter=(), social=())
    return level
