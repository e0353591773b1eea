"""milter.defer_mixed: who may share a transaction with the first recipient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import member, resolution

from tamis.policy.defer import deferred
from tamis.preferences import Preferences, Resolution, SenderLists, Treatment

DEFAULTS = Preferences()
NO_GRAYMAIL = Preferences(graymail=False)
NO_ANTISPAM = Preferences(antispam=False)
ALLOWS = (SenderLists(allowed=("friend@example.net",)),)
NAMES = (SenderLists(newsletter=("@example.net",)),)
FIRST = resolution("anna@example.org", DEFAULTS)


def second(wishes: Preferences) -> Resolution:
    return resolution("bob@example.org", wishes)


def group(*wishes: Preferences) -> Resolution:
    return Resolution(
        "team@example.org", tuple(member(f"{at}@example.org", one) for at, one in enumerate(wishes))
    )


@pytest.mark.parametrize(
    "wishes",
    [
        Preferences(antivirus=False),
        NO_ANTISPAM,
        NO_GRAYMAIL,
        Preferences(spam=Treatment.NONE),
        Preferences(newsletter=Treatment.NONE),
        Preferences(social=Treatment.NONE),
        Preferences(list=Treatment.NONE),
        Preferences(spam_mark=6.0),
        Preferences(senders=ALLOWS),
        Preferences(senders=NAMES),
    ],
)
def test_who_wants_something_else_is_deferred(wishes: Preferences) -> None:
    reply = deferred(second(wishes), FIRST)

    assert str(reply) == "452 4.5.3 This recipient needs a transaction of its own, try again later"


@pytest.mark.parametrize(
    ("wishes", "first"),
    [
        (DEFAULTS, DEFAULTS),
        (Preferences(learning=True), DEFAULTS),
        (Preferences(spam=Treatment.FILE, newsletter=Treatment.FILE), DEFAULTS),
        (Preferences(senders=(SenderLists(),)), DEFAULTS),
        (replace(NO_ANTISPAM, spam=Treatment.NONE, spam_mark=6.0, senders=ALLOWS), NO_ANTISPAM),
        (replace(NO_GRAYMAIL, newsletter=Treatment.NONE, senders=NAMES), NO_GRAYMAIL),
    ],
    ids=["equal", "learning", "folder", "empty lists", "antispam off", "graymail off"],
)
def test_what_does_not_show_in_a_message_defers_nobody(wishes: Preferences, first: Preferences) -> None:
    assert deferred(second(wishes), resolution("anna@example.org", first)) is None


def test_a_group_whose_members_differ_is_accepted_as_the_first() -> None:
    mixed = group(DEFAULTS, NO_ANTISPAM)

    assert deferred(mixed, mixed) is None
    assert deferred(mixed, group(NO_ANTISPAM, DEFAULTS, DEFAULTS)) is None


def test_a_group_whose_members_differ_does_not_join_one_recipient_nor_he_it() -> None:
    mixed = group(DEFAULTS, NO_ANTISPAM)

    assert deferred(mixed, FIRST) is not None
    assert deferred(FIRST, mixed) is not None
