"""Authentication-Results fields: who says so, and what (RFC 8601)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a quoted string may hold without its meaning, as characters that mean nothing (private use).
HIDE = {ord(character): 0xE000 + number for number, character in enumerate(" \t\r\n;=()\"'")}
SHOW = {hidden: character for character, hidden in HIDE.items()}
RESULT = re.compile(r"^\s*([a-z0-9-]+)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)(.*)", re.S | re.I)
# From the start of a name on: there may be thousands of letters and no "=".
PROPERTY = re.compile(r"(?<![a-z0-9._-])([a-z0-9._-]+)\s*=\s*(\S+)", re.I)
SPECIAL = frozenset(b'("\\')  # octets that begin a comment, a quoted string or a quoted-pair
SEPARATOR = re.compile(r"[\s;]+")
RESULTS = b"authentication-results"  # the field's name
MAX_HEAD = 1024  # octets in which the name of the verifier ends; a domain has 255 at most
MAX_FIELD = 8192  # octets of one field that are read
MAX_FIELDS = 64  # fields of one message that are read; a verifier's own are on top


@dataclass(frozen=True, slots=True)
class Result:
    """What one method found, in lower case but for the values of properties such as "header.d"."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...]


def authserv_id(value: bytes) -> str | None:
    """Return the name of the verifier that a field claims, lower case; "" where there is none.

    None where it does not end in the field's first MAX_HEAD octets.
    """
    start = value[:MAX_HEAD]
    head = start.partition(b";")[0]
    if SPECIAL.isdisjoint(head):  # as nearly always
        name, ended = head.decode("utf-8", "replace"), len(head) < len(start)
    else:
        name, semicolon, _ = _plain(start).partition(";")
        ended = bool(semicolon)
    return _identity(name) if ended or len(value) <= MAX_HEAD else None


def parse(value: bytes) -> tuple[str, tuple[Result, ...]]:
    """Return the name of the verifier, lower case, and its results; what is broken is left out."""
    head, *statements = _plain(value[:MAX_FIELD]).split(";")
    found = []
    for statement in statements:
        if match := RESULT.match(statement):
            properties = PROPERTY.findall(match[3])
            shown = tuple((name.lower(), text.translate(SHOW)) for name, text in properties)
            found.append(Result(match[1].lower(), match[2].lower(), shown))
    return _identity(head), tuple(found)


def _identity(head: str) -> str:
    words = head.split()
    # A quote that is never closed hides the separators behind it from us, but maybe not from others.
    return SEPARATOR.split(words[0].translate(SHOW).strip())[0].lower() if words else ""


def _plain(value: bytes) -> str:
    """Return a field body without comments, which nest, and quotes (RFC 5322 section 3.2)."""
    found: list[str] = []
    depth = 0
    quoted = escaped = False
    for character in value.decode("utf-8", "replace"):
        if escaped:
            escaped = False
            if not depth:
                found.append(character.translate(HIDE))
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = character != '"'
            if quoted:
                found.append(character.translate(HIDE))
        elif character == '"' and not depth:
            quoted = True
        elif character == "(":
            depth += 1
            found.append(" ")
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            found.append(character)
    return "".join(found)
