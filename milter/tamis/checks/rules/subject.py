"""Rules about the Subject."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.facts import Facts
from tamis.finding import Rule

RULES = (
    Rule("SUBJECT_ALL_CAPS", "The subject is written in capitals.", 1.5),
    Rule("SUBJECT_EMPTY", "There is no subject.", 0.5),
    Rule("SUBJECT_SHOUTS", "The subject holds several exclamation or question marks.", 1.0),
    Rule("SUBJECT_MONEY", "The subject names an amount of money or a percentage off.", 1.0),
    Rule("SUBJECT_URGENT", "The subject urges, warns or asks to verify.", 1.5),
    Rule("SUBJECT_HOLDS_RECIPIENT", "The subject holds the recipient's address or its local part.", 1.5),
    Rule("SUBJECT_FAKE_REPLY", "The subject begins with Re: and no field says to which message.", 1.0),
    Rule("SUBJECT_GAPPY", "Letters of a word in the subject stand apart.", 2.0),
    Rule("SUBJECT_TAIL", "The subject ends in a number or random letters after a gap.", 1.5),
    Rule("SUBJECT_PICTURES", "The subject holds pictographs.", 0.5),
    Rule("SUBJECT_RAW_8BIT", "The subject holds octets above 127 that are not encoded and not UTF-8.", 1.5),
    Rule("SUBJECT_LIST_TAG", "The subject bears a mailing list's tag.", -0.5),
)

MONEY = re.compile(
    r"[$£€¥]\s?\d|\d\s?(?:[$£€¥]|usd\b|eur\b|gbp\b|dollars?\b|euros?\b)|\b\d{1,3}\s?% ?(?:off|discount)|100 ?%",
    re.I,
)
URGENT = re.compile(
    r"\b(?:urgent\w*|dringend\w*|urgente?|action (?:is )?required|final (?:notice|warning|reminder)|last (?:chance|warning)"
    r"|suspend\w*|suspens\w*|verif(?:y|ication|ique\w*|izier\w*|ique|icar)|confirm (?:your|you)|limited time|act now"
    r"|security alert|unusual|unauthori[sz]ed|expir(?:e[sd]?|ing|ation)|deactivat\w*|immediate(?:ly)?|locked|gesperrt"
    r"|bloquead[oa]|bloqu[ée]e?|letzte (?:mahnung|erinnerung|warnung)|pending|on hold|won|winner|congratulations"
    r"|important|wichtig\w*|importante?)\b",
    re.I,
)
GAPPY = re.compile(r"(?:\b[A-Za-z][ ._*-]){4,}[A-Za-z]\b")
TAIL = re.compile(
    r"(?:\s{4,}|\s[\[(]?#?)(?:[a-z]{8,}\d*|[0-9]{3,}[a-z]+\d*|[a-z]+\d{3,}[a-z0-9]*)[\])]?\s*$|\s{5,}\S+\s*$"
)
REPLY = re.compile(r"\s*(?:re|aw|sv|antw|rép)\s*(?:\[\d+\])?:", re.I)
TAG = re.compile(r"^(?:\s*(?:re|aw|fwd?)\s*:)*\s*\[[^\[\]]{2,40}\]", re.I)


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    subject = facts.subject
    if not subject.strip():
        yield "SUBJECT_EMPTY"
        return
    letters = [one for one in subject if one.isalpha()]
    if len(letters) >= 8 and subject.isupper():
        yield "SUBJECT_ALL_CAPS"
    if subject.count("!") + subject.count("?") >= 2:
        yield "SUBJECT_SHOUTS"
    if MONEY.search(subject):
        yield "SUBJECT_MONEY"
    if URGENT.search(subject):
        yield "SUBJECT_URGENT"
    if GAPPY.search(subject):
        yield "SUBJECT_GAPPY"
    if not subject.isascii() and any(
        0x2600 <= ord(one) < 0x27C0 or 0x1F000 <= ord(one) < 0x1FC00 for one in subject
    ):
        yield "SUBJECT_PICTURES"
    if TAG.match(subject):
        yield "SUBJECT_LIST_TAG"
    yield from _against_fields(facts, subject)


def _against_fields(facts: Facts, subject: str) -> Iterator[str]:
    first = facts.first
    if REPLY.match(subject) and b"in-reply-to" not in first and b"references" not in first:
        yield "SUBJECT_FAKE_REPLY"
    if TAIL.search(subject) and not REPLY.match(subject):
        yield "SUBJECT_TAIL"
    lower = subject.lower()
    for address in facts.recipients:
        local = address.partition("@")[0]
        if address in lower or (len(local) >= 4 and re.search(rf"\b{re.escape(local)}\b", lower)):
            yield "SUBJECT_HOLDS_RECIPIENT"
            break
    raw = first.get(b"subject", b"")
    if not raw.isascii():
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            yield "SUBJECT_RAW_8BIT"
