"""Rules about how a text is written and laid out, and what of it is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.facts import MAX_TEXT, Facts
from tamis.finding import Rule
from tamis.mime import Part

RULES = (
    Rule("TEXT_ZERO_WIDTH", "Invisible characters stand inside of words.", 2.0),
    Rule(
        "TEXT_MIXED_SCRIPTS", "A word mixes Latin letters with Cyrillic or Greek ones that look alike.", 2.5
    ),
    Rule("TEXT_FANCY_LETTERS", "Words are written in mathematical or enclosed letters.", 2.0),
    Rule("TEXT_SHOUTS", "A large part of the text is in capitals.", 1.0),
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
    Rule("HTML_FORM", "The HTML holds a form.", 1.5),
    Rule("HTML_SCRIPT", "The HTML holds a script, a frame or an object.", 1.0),
    Rule("HTML_SPLIT_WORDS", "Comments or empty elements split words of the HTML.", 2.0),
    Rule("HTML_ENTITIES", "Plain letters of the HTML are written as character references.", 1.0),
    Rule("HTML_REFRESH", "The HTML leads away by itself.", 2.0),
    Rule("BASE64_ASCII", "A text that needs no encoding is in base64.", 1.5),
    Rule("CHARSET_MISSING", "The text holds letters beyond ASCII and does not name their encoding.", 1.0),
    Rule("PLAIN_DIFFERS", "The plain text is empty where the HTML is not.", 1.0),
)

# Joiners and marks of direction are needed in other scripts, but not between Latin letters.
INVISIBLE = "\u00ad\u034f\u200b-\u200f\u2060-\u2064\ufeff"
ALIKE = "\u0370-\u04ff"  # Greek and Cyrillic
ORNATE = "\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f130-\U0001f189"  # enclosed and mathematical letters
SUSPICIOUS = re.compile(f"[{INVISIBLE}{ALIKE}{ORNATE}]")
INSIDE = re.compile(f"[a-z][{INVISIBLE}]+[a-z]", re.I)
MIXED = re.compile(f"[A-Za-z][{ALIKE}]|[{ALIKE}][A-Za-z]")
FANCY = re.compile(f"[{ORNATE}]{{3}}")
# One pattern with a literal to skip to costs less than a search for each.
PATCH = re.compile(r"\n(?:diff --git |--- a/|Index: |@@ -|#include <)")
PADDING = tuple(one * 8 for one in ("\n", "\r\n", " \n", " \r\n", "\xa0\r\n"))
SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
# Of HTML in lower case; each begins with a literal, which the search skips to.
TELLING = re.compile("<(form|input|script|iframe|object|embed|applet)")
FORM = frozenset(("form", "input"))
REFRESH = re.compile(r"http-equiv=[\"']?refresh")
SPLIT = re.compile(r"<!(?<=[a-z]<!)[^>]{0,60}>[a-z]")
ENTITIES = re.compile(r"&#(?:(?:6[5-9]|[789]\d|1[01]\d|12[0-2]|x[4-7][0-9a-f]);(?:&#)?){4}")
MAX_SOURCE = 1 << 15  # characters of HTML that are looked at
MAX_LETTERS = 2048  # characters of which the letters are looked at one by one
MAX_PARTS = 16  # parts that are looked at
HARDLY = 40  # characters
BRIEF = 200  # characters
SHORT = 400  # characters


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    text = facts.text
    letters = f"{facts.subject}\n{facts.author[0]}\n{text[:MAX_LETTERS]}"
    if not letters.isascii():
        yield from _characters(letters)
    length = len(text.strip())
    if not length:
        yield "TEXT_EMPTY"
    elif length < SHORT and facts.hosts:
        yield "TEXT_BRIEF_WITH_LINK" if length < BRIEF else "TEXT_SHORT_WITH_LINK"
    yield from _layout(text)
    yield from _parts(facts, length)
    for document in facts.content.documents[:2]:
        yield from _source(document.source[:MAX_SOURCE].lower())


def _characters(text: str) -> Iterator[str]:
    if _western(text) or not SUSPICIOUS.search(text):  # one look instead of three at most texts
        return
    if INSIDE.search(text):
        yield "TEXT_ZERO_WIDTH"
    if MIXED.search(text):
        yield "TEXT_MIXED_SCRIPTS"
    if FANCY.search(text):
        yield "TEXT_FANCY_LETTERS"


def _western(text: str) -> bool:
    """Tell whether there are but letters of Western European languages, and no soft hyphens."""
    try:
        return b"\xad" not in text.encode("latin-1")
    except UnicodeEncodeError:
        return False


def _layout(text: str) -> Iterator[str]:
    start = text[:MAX_LETTERS]
    upper = sum(map(start.count, "EATO"))
    if upper > 20 and upper > sum(map(start.count, "eato")) / 3:
        yield "TEXT_SHOUTS"
    # A search for one character is many times as fast as one for two.
    if (text.count("\n>") if ">" in text else 0) + (text.count("\n| ") if "|" in text else 0) >= 2:
        yield "TEXT_QUOTES"
    if any(one in text for one in PADDING):
        yield "TEXT_PADDED"
    if PATCH.search(text):
        yield "TEXT_PATCH"
    if "-----BEGIN PGP S" in text:
        yield "TEXT_SIGNED"


def _parts(facts: Facts, length: int) -> Iterator[str]:
    """Look at the parts, given the length of the text."""
    parts = facts.content.parts[:MAX_PARTS]
    shown = [part for part in parts if part.is_text]
    html = [part for part in shown if part.content_type == "text/html"]
    if html:
        plain = [part for part in shown if part.content_type == "text/plain"]
        if not plain:
            yield "HTML_ONLY"
        elif not any(part.text.strip() for part in plain):
            yield "PLAIN_DIFFERS"
        if length < BRIEF and "<img" in html[0].text[:MAX_SOURCE].lower():
            yield "HTML_PICTURES_ONLY"
    if length < HARDLY and any(part.content_type.startswith("image/") for part in parts):
        yield "PICTURE_ATTACHED_ONLY"
    if any(part.content_type in SIGNATURES for part in parts):
        yield "TEXT_SIGNED"
    if any(part.encoding == "base64" and _plain_ascii(part) for part in shown):
        yield "BASE64_ASCII"
    if any(part.charset == "us-ascii" and not part.text[:MAX_TEXT].isascii() for part in shown):
        yield "CHARSET_MISSING"


def _plain_ascii(part: Part) -> bool:
    start = part.text[:MAX_TEXT]
    return start.isascii() and not start.isspace() and start != ""


def _source(source: str) -> Iterator[str]:
    elements = set(TELLING.findall(source))
    if elements & FORM:
        yield "HTML_FORM"
    if elements - FORM:
        yield "HTML_SCRIPT"
    if SPLIT.search(source):
        yield "HTML_SPLIT_WORDS"
    if ENTITIES.search(source):
        yield "HTML_ENTITIES"
    if REFRESH.search(source):
        yield "HTML_REFRESH"
