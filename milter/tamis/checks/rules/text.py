"""Rules about how a text is written and laid out, and what of it is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.facts import MAX_TEXT, Facts
from tamis.finding import Rule

RULES = (
    Rule("TEXT_ZERO_WIDTH", "Invisible characters stand inside of words.", 2.0),
    Rule(
        "TEXT_MIXED_SCRIPTS", "A word mixes Latin letters with Cyrillic or Greek ones that look alike.", 2.5
    ),
    Rule("TEXT_FANCY_LETTERS", "Words are written in mathematical or enclosed letters.", 2.0),
    Rule("TEXT_SHOUTS", "A large part of the text is in capitals.", 1.0),
    Rule("TEXT_GAPPY", "Letters of words in the text stand apart.", 1.0),
    Rule("TEXT_EMPTY", "The message has no text.", 0.7),
    Rule("TEXT_BRIEF_WITH_LINK", "The text is a few words and a link.", 1.0),
    Rule("TEXT_SHORT_WITH_LINK", "The text is a few sentences and a link.", 0.7),
    Rule("TEXT_PADDED", "Long empty stretches part the text.", 0.7),
    Rule("PICTURE_ATTACHED_ONLY", "The message carries a picture and hardly a word.", 1.0),
    Rule("TEXT_QUOTES", "The text quotes the message that it answers.", -1.5),
    Rule("TEXT_PATCH", "The text holds a patch or program text.", -2.0),
    Rule("TEXT_SIGNED", "The text is signed by OpenPGP or S/MIME.", -1.5),
    Rule("HTML_ONLY", "There is HTML and no plain text.", 0.7),
    Rule("HTML_PICTURES_ONLY", "The HTML shows pictures and hardly a word.", 1.0),
    Rule("HTML_HIDDEN_TEXT", "The HTML hides text by size or colour.", 0.7),
    Rule("HTML_FORM", "The HTML holds a form.", 1.5),
    Rule("HTML_SCRIPT", "The HTML holds a script, a frame or an object.", 1.0),
    Rule("HTML_SPLIT_WORDS", "Comments or empty elements split words of the HTML.", 2.0),
    Rule("HTML_ENTITIES", "Plain letters of the HTML are written as character references.", 2.0),
    Rule("HTML_REFRESH", "The HTML leads away by itself.", 2.0),
    Rule("BASE64_ASCII", "A text that needs no encoding is in base64.", 1.5),
    Rule("CHARSET_MISSING", "The text has octets above 127 and no character set.", 1.0),
    Rule("PLAIN_DIFFERS", "The plain text is empty where the HTML is not.", 1.0),
)

ZERO_WIDTH = re.compile("\\w[\u00ad\u200b-\u200d\u2060\ufeff]+\\w")
MIXED = re.compile("[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")
FANCY = re.compile("[\U0001d400-\U0001d7ff\u2460-\u24ff\U0001f130-\U0001f189]{3}")
GAPPY = re.compile(r"(?:\b[A-Za-z][ ._*]){5,}[A-Za-z]\b")
QUOTE = re.compile(r"^(?:>|\| )", re.M)
PATCH = re.compile(r"^(?:diff --git |@@ -\d+|--- a/|Index: \S|#include [<\"])", re.M)
HIDDEN = re.compile(
    r"font-size:\s*[01](?:px|pt|%|em)?\s*[;\"']|<font[^>]{0,80}"
    r"(?:size=[\"']?(?:-[3-9]|[01]\b)|color=[\"']?(?:#fff(?:fff)?\b|white\b))",
    re.I,
)
FORM = re.compile(r"<(?:form|input)\b", re.I)
SCRIPT = re.compile(r"<(?:script|iframe|object|embed|applet)\b", re.I)
SPLIT = re.compile(
    r"[a-z](?:<!--[^>]{0,60}-->|<!(?!--)[^>]{0,60}>|<[bifsu]?[a-z]{5,12}>|<([a-z]{1,4})></\1>)[a-z]", re.I
)
ENTITIES = re.compile(r"(?:&#(?:6[5-9]|[789]\d|1[01]\d|12[0-2]|x[4-7][0-9a-f]);){4}", re.I)
REFRESH = re.compile(r"<meta[^>]{0,40}http-equiv=[\"']?refresh", re.I)
MAX_SOURCE = 1 << 15  # characters of HTML that are looked at
BRIEF = 200  # characters
SHORT = 400  # characters
PADDING = re.compile(r"(?:[ \t\xa0]*\r?\n){12,}")


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    text = facts.text
    if not text.isascii():
        yield from _characters(f"{facts.subject}\n{facts.content.from_name}\n{text}")
    stripped = text.strip()
    if not stripped:
        yield "TEXT_EMPTY"
    elif len(stripped) < BRIEF and facts.hosts:
        yield "TEXT_BRIEF_WITH_LINK"
    elif len(stripped) < SHORT and facts.hosts:
        yield "TEXT_SHORT_WITH_LINK"
    if "\n\n\n" in text.replace("\r", "") and PADDING.search(stripped):
        yield "TEXT_PADDED"
    yield from _layout(text)
    yield from _parts(facts)
    for document in facts.content.documents[:2]:
        yield from _source(document.source[:MAX_SOURCE])


def _characters(text: str) -> Iterator[str]:
    if ZERO_WIDTH.search(text):
        yield "TEXT_ZERO_WIDTH"
    if MIXED.search(text):
        yield "TEXT_MIXED_SCRIPTS"
    if FANCY.search(text):
        yield "TEXT_FANCY_LETTERS"


def _layout(text: str) -> Iterator[str]:
    start = text[:2048]
    upper = sum(map(start.count, "ETAOINSR"))
    lower = sum(map(start.count, "etaoinsr"))
    if upper > 40 and upper > lower / 3:
        yield "TEXT_SHOUTS"
    if GAPPY.search(start):
        yield "TEXT_GAPPY"
    if "\n>" in text or "\n|" in text or text[:1] == ">":
        if len(QUOTE.findall(text)) >= 2:
            yield "TEXT_QUOTES"
    if PATCH.search(text):
        yield "TEXT_PATCH"
    if "-----BEGIN PGP S" in text:
        yield "TEXT_SIGNED"


def _parts(facts: Facts) -> Iterator[str]:
    parts = facts.content.parts
    shown = [part for part in parts[:16] if part.is_text]
    html = [part for part in shown if part.content_type == "text/html"]
    plain = [part for part in shown if part.content_type == "text/plain"]
    if html and not plain:
        yield "HTML_ONLY"
    if html and plain and not any(part.text.strip() for part in plain):
        yield "PLAIN_DIFFERS"
    if html and len(facts.text.strip()) < BRIEF and "<img" in html[0].text[:MAX_SOURCE].lower():
        yield "HTML_PICTURES_ONLY"
    if any(
        part.content_type in ("application/pgp-signature", "application/pkcs7-signature")
        for part in parts[:16]
    ):
        yield "TEXT_SIGNED"
    for part in shown:
        if part.encoding == "base64" and part.text[:MAX_TEXT].isascii() and part.text.strip():
            yield "BASE64_ASCII"
            break
    if any(part.charset == "us-ascii" and not part.decoded[:MAX_TEXT].isascii() for part in shown):
        yield "CHARSET_MISSING"


def _source(source: str) -> Iterator[str]:
    if HIDDEN.search(source):
        yield "HTML_HIDDEN_TEXT"
    if FORM.search(source):
        yield "HTML_FORM"
    if SCRIPT.search(source):
        yield "HTML_SCRIPT"
    if SPLIT.search(source):
        yield "HTML_SPLIT_WORDS"
    if "&#" in source and ENTITIES.search(source):
        yield "HTML_ENTITIES"
    if REFRESH.search(source):
        yield "HTML_REFRESH"
