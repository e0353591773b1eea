"""What users are told of each filter: what it does, and what off means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tamis.preferences import THRESHOLD, Treatment
from tamis.words.catalogue import text


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of what a filter finds."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A switch, and what goes with it."""

    key: str
    title: str
    about: str
    off: str
    choices: tuple[Choice, ...] = ()
    threshold: str = ""  # the key of one, if it has


FILTERS = (
    Filter(
        "antivirus",
        text("Antivirus"),
        text("Looks for malware in each message that you receive. What is infected does not reach you."),
        text("Off means that nothing looks for malware in your mail, and you get infected messages, too."),
    ),
    Filter(
        "antispam",
        text("Antispam"),
        text("Gives each message points for what is typical of spam and fraud; many points make it spam."),
        text("Off means that spam comes like all other mail, and your lists of senders have no effect."),
        (Choice("antispam.action", text("What happens to spam")),),
        THRESHOLD,
    ),
    Filter(
        "graymail",
        text("Graymail"),
        text("Recognises mail that many people get alike: newsletters, social networks, mailing lists."),
        text("Off means that none of it is recognised: it comes like a personal letter."),
        (
            Choice("graymail.newsletter", text("What happens to newsletters")),
            Choice("graymail.social", text("What happens to notices of social networks")),
            Choice("graymail.list", text("What happens to mailing lists")),
        ),
    ),
    Filter(
        "learning",
        text("Learning"),
        text(
            "Lets the filter learn from messages of yours that are handed to it for that, and from no others."
        ),
        text("Off means that it learns nothing from your mail."),
    ),
)
NAMES: Mapping[str, str] = {  # of each key that the page sets
    **{one.key: one.title for one in FILTERS},
    **{choice.key: choice.title for one in FILTERS for choice in one.choices},
    THRESHOLD: text("Points from which on mail is spam"),
}
ANSWERS: Mapping[str, str] = {
    Treatment.MARK: text("Mark it in its header"),
    Treatment.FILE: text("Put it into “{folder}”"),
    Treatment.NONE: text("Nothing"),
}
