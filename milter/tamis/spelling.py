"""The plain form of an address, however it is spelled (RFC 5321 section 4.1.2, RFC 5322 section 3.4.1)."""

from __future__ import annotations

import re

PLAIN = re.compile(r"""[^\s"\\()<>@%!:;,]+@[^\s"\\()<>@%!:;,]*[^\s"\\()<>@%!:;,.]""")
"""An address that has no second meaning."""

ATOM = r'[^\s"\\().,:;<>@\[\]]+'
UNQUOTED = re.compile(rf"{ATOM}(?:\.{ATOM})*")  # a local part that needs no quotes
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|.', re.DOTALL)


def plain(address: str) -> str:
    """Return an address without comments, blanks, source route, needless quotes, dots and ";" at its end."""
    if PLAIN.fullmatch(address):
        return address
    words = _without_comments(address)
    while words[:1] == ["@"] and ":" in words:  # a source route (RFC 5321 appendix C)
        words = words[words.index(":") + 1 :]
    while words and words[-1] in (".", ";"):
        words.pop()
    if "@" not in words:
        return _local(words)
    at = len(words) - 1 - words[::-1].index("@")
    return f"{_local(words[:at])}@{''.join(words[at + 1 :])}"


def routed(address: str) -> str:
    """Return where a host sends a plain address of its own: user%host@here and host!user mean user@host."""
    while True:
        local = address.rpartition("@")[0] or address
        if local[:1] == '"' and "@" in local:
            address = _unquoted(local)
            continue
        user, sign, host = local.rpartition("%")
        if not sign:
            host, sign, user = local.partition("!")
        if not (sign and user and host):
            return address
        address = f"{user}@{host}"


def in_letters(address: str) -> str:
    """Return an address with the labels of its domain that are xn--... (RFC 5890) as people write them.

    Only those labels change that are nobody else's: what decodes to plain ASCII, or is not how it would be
    encoded, stays.
    """
    if "xn--" not in address:
        return address
    local, at, domain = address.rpartition("@")
    return local + at + ".".join(map(_label, domain.split(".")))


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        letters = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    same = "xn--" + letters.encode("punycode", "replace").decode("ascii")
    return letters if same == label and not letters.isascii() else label


def _local(words: list[str]) -> str:
    """Return a local part, in quotes where it needs them."""
    if all(len(word) == 1 for word in words):
        return "".join(words)
    local = "".join(map(_unquoted, words))
    return local if UNQUOTED.fullmatch(local) else '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def _without_comments(address: str) -> list[str]:
    """Return quoted strings, quoted pairs and single characters that stand outside comments."""
    depth = 0
    found = []
    for word in WORD.findall(address):
        if word == "(":
            depth += 1
        elif word == ")":
            depth = max(depth - 1, 0)
        elif not depth and not word.isspace():
            found.append(word)
    return found


def _unquoted(word: str) -> str:
    if len(word) == 1:
        return word
    return re.sub(r"\\(.)", r"\1", word[1:-1] if word[0] == '"' else word, flags=re.DOTALL)
