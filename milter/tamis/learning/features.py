"""What the models see of a message: hashed byte 4-grams of its words, and tokens about its structure.

Left out is what tells a collection from another rather than spam from ham: trace and list fields,
recipients, list tags in the subject, list footers, numbers (years among them), versions of mail programs.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tamis.message import Message

BITS = 18  # of a feature's number; 2^16 to 2^22 are the same within noise, and 2^18 float16 are 0.5 MB
SIZE = 1 << BITS
GRAM = 4  # octets
MAX_TEXT = 2048  # characters of text; more told nothing more in trials
MAX_LINE = 512  # characters of the subject and of the display name
MAX_PARTS = 8  # parts of which type and encoding are told
FACTOR = np.uint32(2654435761)  # 2^32 divided by the golden ratio: multiplicative hashing (Knuth, 6.4)
SHIFT = np.uint32(32 - BITS)

# ASCII letters to lower case, digits to 0, so that years, dates and amounts look alike; blanks alike.
FOLD = bytes(
    ord("0")
    if 0x30 <= code <= 0x39
    else code + 32
    if 0x41 <= code <= 0x5A
    else 0x20
    if code <= 0x20
    else code
    for code in range(256)
)
LIST_TAG = re.compile(r"\[[^\[\]]{1,40}\]\s*")
REPLY = re.compile(r"^\s*(?:(?:re|aw|sv|antw|fwd?|wg|tr|rv)\s*(?:\[\d+\])?:\s*)+", re.I)
FOOTER = re.compile(r"\n_{20,}\s*\n(?=[^\n]*(?:list|mailing))", re.I)
LONGEST_FOOTER = 600  # characters; what a list adds is short, and more than that would hide a message


def words(message: Message) -> bytes:
    """Return subject, display name and the start of the text as folded octets."""
    content = message.content
    subject = LIST_TAG.sub("", REPLY.sub("", content.subject[:MAX_LINE]))
    text = content.text
    if len(text) <= 2 * MAX_TEXT and "\n____" in text:
        tail = FOOTER.search(text, max(0, len(text) - LONGEST_FOOTER))
        text = text[: tail.start()] if tail else text
    joined = "\n".join(
        (subject, content.from_name[:MAX_LINE], " ".join(text[: 2 * MAX_TEXT].split())[:MAX_TEXT])
    )
    return joined.encode("utf-8", "replace").translate(FOLD)


def tokens(message: Message) -> Iterator[str]:
    """Yield what is known of the message's structure, in words."""
    content = message.content
    parts = content.parts
    yield f"parts {min(len(parts), MAX_PARTS)}"
    for part in parts[:MAX_PARTS]:
        yield f"type {part.content_type}"
        yield f"encoding {part.encoding} of {part.content_type}"
        if part.disposition == "attachment":
            yield f"attached {part.content_type}"
        if part.is_text:
            yield f"charset {_family(part.charset)}"
    yield f"text {len(content.text[:MAX_TEXT]).bit_length()}"
    yield f"subject {len(content.subject[:MAX_LINE]).bit_length()}"
    yield f"name {bool(content.from_name)}"
    links = sum(len(document.links) for document in content.documents)
    yield f"links {min(links, 63).bit_length()}"
    for name in (b"in-reply-to", b"references", b"reply-to", b"mime-version", b"x-priority", b"x-mailer"):
        yield f"{name.decode()} {name in content.names}"


def _family(charset: str) -> str:
    """Return the character set without its number: iso-8859-15 tells a language, which is no sign of spam."""
    return charset.rstrip("0123456789-")


def grams(octets: bytes) -> NDArray[np.uint32]:
    """Return the numbers of the 4-grams in octets, each below SIZE, with repetitions."""
    count = len(octets) - GRAM + 1
    if count <= 0:
        return np.empty(0, np.uint32)
    windows: NDArray[np.uint32] = np.ndarray((count,), "<u4", octets, 0, (1,))
    return (windows * FACTOR) >> SHIFT


@lru_cache(maxsize=4096)
def hashed(token: str) -> int:
    """Return the number of a token, below SIZE."""
    return zlib.crc32(token.encode()) >> (32 - BITS)


def indices(message: Message) -> NDArray[np.uint32]:
    """Return the numbers of the features that a message has: ascending, each once, shape (n,)."""
    found = np.concatenate((grams(words(message)), np.fromiter(map(hashed, tokens(message)), np.uint32)))
    found.sort()
    once = np.empty(len(found), np.bool_)
    once[:1] = True
    np.not_equal(found[1:], found[:-1], out=once[1:])
    return found[once]
