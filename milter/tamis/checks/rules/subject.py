"""Rules about the Subject."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.caseless import lower
from tamis.checks.rules.facts import Facts
from tamis.finding import Rule

RULES = (
    Rule("SUBJECT_ALL_CAPS", "The subject is written in capitals.", 1.5),
    Rule("SUBJECT_EMPTY", "There is no subject.", 0.5),
    Rule("SUBJECT_SHOUTS", "The subject holds several exclamation or question marks.", 1.0),
    Rule("SUBJECT_MONEY", "The subject names an amount of money or a percentage off.", 1.0),
    Rule("SUBJECT_URGENT", "The subject urges, warns or asks to verify.", 1.5),
    Rule(
        "SUBJECT_HOLDS_RECIPIENT",
        "The subject holds the recipient's address, or calls him by what stands before the @.",
        1.5,
    ),
    Rule("SUBJECT_FAKE_REPLY", "The subject begins with Re: and no field says to which message.", 1.0),
    Rule("SUBJECT_GAPPY", "Letters of a word in the subject stand apart.", 2.0),
    Rule("SUBJECT_TAIL", "The subject ends in a number or random letters after a gap.", 1.5),
    Rule("SUBJECT_DECORATED", "Subject or display name is decorated with arrows or ornaments.", 2.0),
    Rule("SUBJECT_LOOKALIKE", "A capital I or a digit stands for a letter, or a letter for a digit.", 2.0),
    Rule(
        "SUBJECT_RAW_8BIT",
        "The subject holds letters beyond ASCII in an encoding that it does not name.",
        1.5,
    ),
)

DIGIT = re.compile(r"\d")
# MONEY and URGENT are for lower case.
MONEY = re.compile(
    r"[$£€¥]\s?\d|\d\s?(?:[$£€¥]|usd\b|eur\b|gbp\b|dollars?\b|euros?\b)"
    r"|\b\d{1,3}\s?% ?(?:off|discount)|100 ?%"
)
URGENT = re.compile(
    r"\b(?:urgent\w*|dringend\w*|urgente?|(?:action|response) (?:is )?required|limited time|act now"
    r"|final (?:notice|warning|reminder)|last (?:chance|warning)|letzte (?:mahnung|erinnerung|warnung)"
    r"|immediate(?:ly)?|suspend\w*|suspens\w*|deactivat\w*|locked|gesperrt|bloquead[oa]|bloqu[ée]e?"
    r"|expir(?:e[sd]?|ing|ation)|verif(?:y|ication|ique\w*|izier\w*|icar)|confirm (?:your|you)"
    r"|security alert|unusual|unauthori[sz]ed|pending|on hold|won|winner|congratulations)\b"
)
GAPPY = re.compile(r"(?:\b[A-Za-z][ ._*-]){4,}[A-Za-z]\b")
GAP = re.compile(r"\s\s{3,}\S+\s*$")
TAIL = re.compile(r"\s[\[(]?#?(?:\d{3,}[a-z]{2,}\d*|[a-z]{2,}\d{3,}[a-z\d]*)[\])]?\s*$")
REPLY = re.compile(r"\s*(?:re|aw|sv|antw|rép)\s*(?:\[\d+\])?:", re.I)


# Arrows, box drawing, geometric shapes and dingbats, but not the pictographs that shops like.
DECORATION = re.compile(
    "[\u2190-\u21ff\u2400-\u25ff\u2701\u2703\u2704\u2710-\u2713\u2715-\u2727\u2729-\u2743"
    "\u274d-\u2762\u2765-\u2794\u2798-\u27bf\u27f0-\u27ff\u2900-\u2b1a\u2b30-\u2b4f\u2b60-\u2bff]"
)
# Each looks back from the letter or digit that is to be found.
LOOKALIKE = re.compile(
    r"I(?:(?<=[a-z]I)(?!n|s|t|d|f|mage|mport|con)[a-z]|(?<=\b[BCFGKPS]I)[aeou])"
    r"|0(?<=[A-Z]0)[A-Z]|O(?:(?<=[1-9]O)[\dO]|(?<=\dO)\b)"
)

SHORTEST_NAME = 4  # characters; shorter ones stand in too many words
CALLED = frozenset(",:!")


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    subject = facts.subject
    if not subject.strip():
        yield "SUBJECT_EMPTY"
        return
    if subject.isupper() and sum(map(str.isalpha, subject)) >= 8:
        yield "SUBJECT_ALL_CAPS"
    if subject.count("!") + subject.count("?") >= 2:
        yield "SUBJECT_SHOUTS"
    folded = lower(subject)
    numbers = DIGIT.search(subject) is not None
    if numbers and MONEY.search(folded):
        yield "SUBJECT_MONEY"
    if URGENT.search(folded):
        yield "SUBJECT_URGENT"
    if GAPPY.search(subject):
        yield "SUBJECT_GAPPY"
    name = facts.author[0]
    if not (subject.isascii() and name.isascii()) and (DECORATION.search(subject) or DECORATION.search(name)):
        yield "SUBJECT_DECORATED"
    if LOOKALIKE.search(subject) or LOOKALIKE.search(name):
        yield "SUBJECT_LOOKALIKE"
    yield from _against_fields(facts, subject)
    if (GAP.search(subject) or (numbers and TAIL.search(subject))) and not REPLY.match(subject):
        yield "SUBJECT_TAIL"


def _against_fields(facts: Facts, subject: str) -> Iterator[str]:
    first = facts.first
    if REPLY.match(subject) and b"in-reply-to" not in first and b"references" not in first:
        yield "SUBJECT_FAKE_REPLY"
    lower = subject.lower()
    for address in facts.recipients:
        local = address.partition("@")[0]
        if address in lower or (len(local) >= SHORTEST_NAME and _addresses(lower, local)):
            yield "SUBJECT_HOLDS_RECIPIENT"
            break
    raw = first.get(b"subject", b"")
    if not raw.isascii():
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            yield "SUBJECT_RAW_8BIT"


def _addresses(subject: str, name: str) -> bool:
    """Tell whether a subject calls somebody by a name, as in "anna, your parcel"."""
    before, found, after = subject.partition(name)
    return bool(found) and not before[-1:].isalnum() and after.lstrip()[:1] in CALLED
