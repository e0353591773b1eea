"""What the models see of a message: hashed byte 4-grams of its words, and tokens about its structure.

Left out is what tells a collection from another rather than spam from ham: trace and list fields,
recipients, list tags in the subject, list footers, numbers (years among them), versions of mail programs.
"""

from __future__ import annotations

import re
import weakref
import zlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tamis.message import Message
from tamis.mime import Part

BITS = 18  # of a feature's number; 2^16 to 2^22 are the same within noise, and 2^18 float16 are 0.5 MB
SIZE = 1 << BITS
GRAM = 4  # octets
MAX_TEXT = 2048  # characters of text; more told nothing more in trials
MOSTLY = 2560  # characters of which MAX_TEXT are mostly left without their superfluous blanks
MAX_LINE = 512  # characters of the subject and of the display name
MAX_PARTS = 8  # parts of which type and encoding are told
MAX_REMEMBERED = 200  # characters that tell the kind of a part; longer ones are hostile, and not remembered
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
BLANKS = bytes.maketrans(b"\t\n\v\f\r\x1c\x1d\x1e\x1f", b" " * 9)  # what str.split() parts words at
# Fields that tell something by being there.
FIELDS = (b"in-reply-to", b"references", b"reply-to", b"mime-version", b"x-priority", b"x-mailer")
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
    dense = _dense(text[:MOSTLY])
    if len(dense) < MAX_TEXT and len(text) > MOSTLY:
        dense = _dense(text[: 2 * MAX_TEXT])
    joined = "\n".join((subject, content.from_name[:MAX_LINE], dense[:MAX_TEXT]))
    return joined.encode("utf-8", "replace").translate(FOLD)


def _dense(text: str) -> str:
    """Return a text with single blanks between its words."""
    if not text.isascii():
        return " ".join(text.split())
    octets = np.frombuffer(text.encode().translate(BLANKS), np.uint8)  # the same in two thirds of the time
    kept = octets != ord(" ")
    kept[:-1] |= kept[1:]  # of several blanks the last one
    return octets.compress(kept).tobytes().decode().lstrip(" ")


def structure(message: Message) -> list[NDArray[np.uint32]]:
    """Return the numbers of the tokens that tell how the message is built."""
    content = message.content
    parts = content.parts
    links = sum(len(document.links) for document in content.documents)
    found = [
        _of_message(
            min(len(parts), MAX_PARTS),
            min(len(content.text), MAX_TEXT).bit_length(),
            min(len(content.subject), MAX_LINE).bit_length(),
            min(links, 63).bit_length(),
            bool(content.from_name),
            tuple([name in content.by_name for name in FIELDS]),
        )
    ]
    found.extend(map(_of_part, parts[:MAX_PARTS]))
    return found


@lru_cache(maxsize=4096)
def _of_message(
    parts: int, text: int, subject: int, links: int, named: bool, fields: tuple[bool, ...]
) -> NDArray[np.uint32]:
    tokens = [f"parts {parts}", f"text {text}", f"subject {subject}", f"name {named}", f"links {links}"]
    tokens.extend(f"{name.decode()} {there}" for name, there in zip(FIELDS, fields, strict=True))
    return hashed(tokens)


def _of_part(part: Part) -> NDArray[np.uint32]:
    known = (part.content_type, part.encoding, part.disposition, part.charset if part.is_text else None)
    if len(known[0]) + len(known[2]) + len(known[3] or "") > MAX_REMEMBERED:
        return _of_kind.__wrapped__(*known)
    return _of_kind(*known)


@lru_cache(maxsize=1024)
def _of_kind(content_type: str, encoding: str, disposition: str, charset: str | None) -> NDArray[np.uint32]:
    tokens = [f"type {content_type}", f"encoding {encoding} of {content_type}"]
    if disposition == "attachment":
        tokens.append(f"attached {content_type}")
    if charset is not None:
        tokens.append(f"charset {_family(charset)}")
    return hashed(tokens)


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


def hashed(tokens: Iterable[str]) -> NDArray[np.uint32]:
    """Return the numbers of tokens, each below SIZE."""
    return np.array([zlib.crc32(token.encode()) >> (32 - BITS) for token in tokens], np.uint32)


def indices(message: Message) -> NDArray[np.uint32]:
    """Return the numbers of the features that a message has: ascending, each once, shape (n,)."""
    found = np.concatenate([grams(words(message)), *structure(message)])
    found.sort()
    once = np.empty(len(found), np.bool_)
    once[:1] = True
    np.not_equal(found[1:], found[:-1], out=once[1:])
    return found.compress(once)  # a third of the time of found[once]


class Latest:
    """Remembers the features of one message, for models that are asked about it one after the other."""

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[Message], NDArray[np.uint32]] | None = None

    def indices(self, message: Message) -> NDArray[np.uint32]:
        """Return what the function of that name does, not to be written to."""
        last = self._last  # looked at once: other threads ask about other messages
        if last is not None and last[0]() is message:
            return last[1]
        found = indices(message)
        self._last = weakref.ref(message), found
        return found
