"""Octets to text: transfer encodings, character sets and encoded words (RFC 2045, 2047), read leniently."""

from __future__ import annotations

import binascii
import re
from encodings.aliases import aliases
from functools import lru_cache

MAX_FIELD = 1 << 16  # octets of one field that are decoded; Postfix's header_size_limit is 102,400
ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
# Python's codecs that are no character sets of mail, and may be slow or give what is no text.
NO_CHARSETS = frozenset(
    ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7", "mbcs", "oem")
)
# Those that Python knows under no other name.
MORE_CHARSETS = ("koi8_t", "koi8_u", "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "utf_8_sig")
CODECS = frozenset((*aliases.values(), *MORE_CHARSETS))
MAX_CHARSET = 64  # characters of a character set's name; IANA's longest has 45
NOT_ALNUM = re.compile(r"[^a-z0-9]+")


def decode_transfer(octets: bytes, encoding: str) -> bytes:
    """Return content without its transfer encoding; broken encodings give what can be read of them."""
    if encoding == "base64":
        clean = octets.replace(b"\r\n", b"")
        try:
            return binascii.a2b_base64(clean, strict_mode=True)
        except ValueError:
            clean = NOT_BASE64.sub(b"", clean)
            spare = len(clean) % 4
            if spare == 1:
                clean, spare = clean[:-1], 0
            return binascii.a2b_base64(clean + b"=" * (-spare % 4))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(octets.replace(b"\r\n", b"\n"))
    return octets


@lru_cache(maxsize=512)
def _codec(charset: str) -> str:
    """Return Python's name for a character set, "" for US-ASCII and for what is none.

    Only names known beforehand are looked up, as Python remembers for ever each that it is asked for.
    """
    name = NOT_ALNUM.sub("_", charset.lower()).strip("_")
    codec = aliases.get(name, name)
    if codec in ("latin_1", "cp1252"):
        return "cp1252"  # a superset, and what is meant (WHATWG Encoding Standard section 4.2)
    known = codec in CODECS and codec not in NO_CHARSETS and codec != "ascii"
    return codec if known else ""


def decode_charset(octets: bytes, charset: str) -> str:
    """Return octets as text; an unknown character set is read as UTF-8, or else as windows-1252."""
    codec = _codec(charset[:MAX_CHARSET])
    if octets.isascii() and not codec.startswith(("iso2022", "hz", "utf_16", "utf_32")):
        return octets.decode("ascii")
    if codec:
        try:
            return octets.decode(codec, "replace")
        except (LookupError, ValueError):  # a codec of bytes, not of text; a broken state
            pass
    return decode_unlabelled(octets)


def decode_unlabelled(octets: bytes) -> str:
    """Return octets of which no character set is known as text."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("windows-1252", "replace")


def decode_words(value: bytes) -> str:
    """Return a field body with its encoded-words decoded and its folds removed (RFC 2047)."""
    value = value[:MAX_FIELD].replace(b"\r", b"").replace(b"\n", b"").strip()
    if b"=?" not in value:
        return decode_unlabelled(value)
    found: list[str] = []
    held, held_charset = b"", ""  # words of one character are sometimes cut in two
    end = 0
    for match in ENCODED_WORD.finditer(value):
        between = value[end : match.start()]
        charset = match[1].partition(b"*")[0].decode("ascii", "replace").lower()
        joined = end > 0 and not between.strip()
        if held and not (joined and charset == held_charset):
            found.append(decode_charset(held, held_charset))
            held = b""
        if not joined:
            found.append(decode_unlabelled(between))
        if match[2] in b"bB":
            held += decode_transfer(match[3], "base64")
        else:
            held += binascii.a2b_qp(match[3], header=True)
        held_charset = charset
        end = match.end()
    if held:
        found.append(decode_charset(held, held_charset))
    found.append(decode_unlabelled(value[end:]))
    return "".join(found)
