"""The mailboxes of an address list (RFC 5322 section 3.4), read leniently."""

from __future__ import annotations

import re

from tamis.decoding import decode_unlabelled, decode_words

MAX_LIST = 1 << 14  # octets read of one field
MAX_ADDRESSES = 256  # addresses read of one field
# A quoted-pair is a token of its own, so that none is looked at again for each quote that is never closed.
ADDRESS_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.|\([^()]*\))*\)|<[^<>]*>|[,;:]|\\.|[^",;:()<>\\]+|.', re.S
)
# A mailbox as most fields hold one: a quoted or a plain name and an address in brackets, or a bare address.
MAILBOX = re.compile(
    rb'(?:\s*"([^"\\]*)"\s*|([^",;:()<>\\]*))<([^<>]*)>\s*|([^",;:()<>\\]*[^",;:()<>\\\s]\s*)'
)


def parse_addresses(value: bytes) -> list[tuple[str, str]]:
    """Return display name and lower-case addr-spec of the mailboxes in an address list (RFC 5322 3.4).

    Comments and groups' names are left out; a mailbox without "@" has the address "".
    """
    if simple := MAILBOX.fullmatch(value, 0, MAX_LIST):
        quoted, plain, spec, bare = simple.groups()
        return [_mailbox([quoted or plain or bare or b""], spec)]
    found: list[tuple[str, str]] = []
    words: list[bytes] = []
    angle: bytes | None = None
    for token in (*ADDRESS_TOKEN.findall(value[:MAX_LIST]), b","):
        if token in (b",", b";"):
            if words or angle is not None:
                found.append(_mailbox(words, angle))
            words, angle = [], None
            if len(found) == MAX_ADDRESSES:
                break
        elif token == b":":
            words = []
        elif token[:1] == b"<" and len(token) > 1:
            if angle is not None:  # two addresses without a comma: which one counts is anybody's guess
                found.append(_mailbox(words, angle))
                words = []
            angle = token[1:-1]
        elif (token[:1] != b"(" or len(token) == 1) and token.strip():
            words.append(token)
    return found


def _unquoted(word: bytes) -> bytes:
    return word[1:-1].replace(b"\\", b"") if word[:1] == b'"' and len(word) > 1 else word


def _mailbox(words: list[bytes], angle: bytes | None) -> tuple[str, str]:
    if angle is None:
        spec, name = b"".join(words), b""
    else:
        spec = angle.rpartition(b":")[2]  # source routes: RFC 5321 appendix C
        name = b"".join(map(_unquoted, words))
    address = decode_unlabelled(b"".join(spec.split())).lower() if b"@" in spec else ""
    return decode_words(name) if name else "", address
