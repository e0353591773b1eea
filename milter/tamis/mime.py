"""The MIME structure and the decoded fields of a message (RFC 2045, 2046, 2047, 2231, 5322).

Any bytes give an answer and never an exception; how much is looked at is bounded, and Content.truncated says
that a bound was met.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from tamis.decoding import MAX_FIELD, decode_charset, decode_transfer, decode_unlabelled, decode_words
from tamis.html import MAX_HTML, Document
from tamis.lazy import lazy
from tamis.mailboxes import parse_addresses

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]
Span: TypeAlias = tuple[int, int]
"""Where something begins and ends in a message's body, in octets."""
Entity: TypeAlias = tuple[Mapping[bytes, bytes], Span, int]
"""Content fields by lower-case name, body and depth."""

MAX_DEPTH = 24  # nested multiparts and messages; mail programs show no more, hostile mail has thousands
MAX_PARTS = 256  # leaves of one message; the same reason
MAX_TEXT = 1 << 17  # octets of one part that are decoded as text; spam says its word before that
MAX_TEXTS = 16  # text parts that are read; mail has two, sometimes a third from a list's footer
MAX_FIELDS = 10_000  # header fields that are read
MAX_FROM = 4  # From fields that are read; one is right, and with two nobody can tell whose the message is
MAX_DELIMITERS = 1024  # lines that begin like a multipart's delimiter; four times as many as there are parts
MAX_REMEMBERED = 80  # octets of a Content-Type that is remembered for the next message

PARAMETER = re.compile(
    rb';\s*([!#$%&\'*+.^_`{|}~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))', re.S
)
CONTENT_FIELD = re.compile(rb"^(content-[a-z-]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I | re.M)
MESSAGE_ID = re.compile(rb"<[^<>]*>", re.S)


class Part:
    """A leaf of the MIME tree: content that is not multipart."""

    def __init__(
        self,
        content_type: str,
        parameters: Mapping[str, str],
        *,
        disposition: str,
        encoding: str,
        whole: bytes,
        span: Span,
        depth: int,
    ) -> None:
        self.content_type = content_type  # lower case, "text/plain" where none is given
        self.disposition = disposition  # lower case, "" where none is given
        self.encoding = encoding  # lower case, "" for none
        self.depth = depth  # 0 for the only part of a message
        self.charset = parameters.get("charset", "us-ascii").lower()  # as declared
        self.filename = parameters.get("filename") or parameters.get("name", "")  # "" where none is given
        # Whether a mail program shows this as the message's text.
        self.is_text = content_type in ("text/plain", "text/html") and disposition != "attachment"
        self._whole = whole  # the message's body, and where in it this part stands: a copy would take memory
        self._start, self._end = span

    @property
    def encoded(self) -> bytes:
        """The octets as received."""
        return self._whole[self._start : self._end]

    def beginning(self, octets: int) -> bytes:
        """Return the first octets as received, at most so many."""
        return self._whole[self._start : min(self._end, self._start + octets)]

    @lazy
    def decoded(self) -> bytes:
        """The content without its transfer encoding; base64 with garbage is read as mail programs do."""
        return decode_transfer(self.encoded, self.encoding)

    @lazy
    def text(self) -> str:
        """The start of the content as text, at most MAX_TEXT octets of it; wrong characters are replaced."""
        start = decode_transfer(self.beginning(2 * MAX_TEXT), self.encoding)[:MAX_TEXT]
        return decode_charset(start, self.charset)

    @lazy
    def document(self) -> Document:
        """The text and links that a reader of an HTML part sees."""
        return Document(self.text)


class Content:
    """What a message says: parts and decoded fields, most of them computed when first asked for."""

    def __init__(self, fields: Fields, body: bytes) -> None:
        self._body = body
        self.by_name = _by_name(fields[:MAX_FIELDS])
        # The raw body of the first field for each lower-case name.
        self.first: Mapping[bytes, bytes] = {name: values[0] for name, values in self.by_name.items()}

    @lazy
    def _tree(self) -> tuple[tuple[Part, ...], bool]:
        parts: list[Part] = []
        todo: list[Entity] = [(self.first, (0, len(self._body)), 0)]
        truncated = False
        while todo:
            fields, span, depth = todo.pop()
            if len(parts) >= MAX_PARTS:
                truncated = True
                break
            content_type, parameters = parse_parameters(fields.get(b"content-type", b""))
            inner, cut = _children(content_type, parameters, whole=self._body, span=span, depth=depth)
            truncated = truncated or cut
            if inner is None:
                part = _leaf(fields, content_type, parameters, whole=self._body, span=span, depth=depth)
                parts.append(part)
            else:
                todo.extend(reversed(inner))
        return tuple(parts), truncated

    @property
    def parts(self) -> tuple[Part, ...]:
        """The leaves, in the message's order."""
        return self._tree[0]

    @property
    def truncated(self) -> bool:
        """Whether there are more parts than are looked at."""
        return self._tree[1]

    def values(self, name: bytes) -> list[bytes]:
        """Return the raw bodies of the fields of that name (lower case)."""
        return self.by_name.get(name, [])

    def decoded(self, name: bytes) -> str:
        """Return the decoded body of the first field of that name (lower case), "" where there is none."""
        values = self.values(name)
        return decode_words(values[0]) if values else ""

    @lazy
    def subject(self) -> str:
        """The decoded Subject."""
        return self.decoded(b"subject")

    def addresses(self, name: bytes) -> tuple[str, ...]:
        """Return the addr-specs in all fields of that name, lower case, in order."""
        return tuple(
            address for value in self.values(name) for _, address in parse_addresses(value) if address
        )

    @lazy
    def authors(self) -> tuple[tuple[str, str], ...]:
        """Display name and addr-spec, lower case or "", of each mailbox in the From fields."""
        fields = self.values(b"from")[:MAX_FROM]
        return tuple(mailbox for value in fields for mailbox in parse_addresses(value))

    @lazy
    def from_addresses(self) -> tuple[str, ...]:
        """The addr-specs of the From fields, lower case."""
        return tuple(address for _, address in self.authors if address)

    @property
    def from_name(self) -> str:
        """The display name of the first author."""
        return self.authors[0][0] if self.authors else ""

    @lazy
    def message_id(self) -> str | None:
        """The Message-ID with its angle brackets; None where there is none."""
        values = self.values(b"message-id")
        if not values:
            return None
        match = MESSAGE_ID.search(values[0])
        found = b"".join((match[0] if match else values[0]).split())
        return found[:998].decode("utf-8", "replace") or None  # RFC 5322 section 2.1.1

    @lazy
    def text(self) -> str:
        """What a reader sees first: the plain parts, or where there are none the HTML parts as text."""
        joined = _joined(part.text for part in self._shown("text/plain"))
        return joined if joined.strip() else _joined(document.text for document in self.documents)

    @lazy
    def documents(self) -> tuple[Document, ...]:
        """The HTML parts that a reader sees first, until there is enough to parse."""
        found: list[Document] = []
        length = 0
        for part in self._shown("text/html"):
            found.append(part.document)
            length += len(part.text)
            if length >= MAX_HTML:
                break
        return tuple(found)

    def _shown(self, content_type: str) -> Iterable[Part]:
        """Return the first parts of a type that a mail program shows as text."""
        shown = (part for part in self.parts if part.is_text and part.content_type == content_type)
        return islice(shown, MAX_TEXTS)


def _by_name(fields: Fields) -> Mapping[bytes, list[bytes]]:
    """Return the raw bodies of the fields by lower-case name, each in the message's order."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        key = name.lower()
        if key in found:
            found[key].append(value)
        else:
            found[key] = [value]
    return found


def _joined(texts: Iterable[str]) -> str:
    """Return the first of some texts in one, until there is enough to read."""
    found: list[str] = []
    length = 0
    for text in texts:
        found.append(text)
        length += len(text)
        if length >= MAX_TEXT:
            break
    return "\n".join(found)


def _children(
    content_type: str, parameters: Mapping[str, str], *, whole: bytes, span: Span, depth: int
) -> tuple[list[Entity] | None, bool]:
    """Return the entities inside one, None for a leaf; and whether some were left out."""
    boundary = parameters.get("boundary", "") if content_type.startswith("multipart/") else ""
    nested = content_type == "message/rfc822"
    if not boundary and not nested:
        return None, False
    if depth >= MAX_DEPTH:
        return None, True
    if nested:
        return [(*_split(whole, *span), depth + 1)], False
    mark = boundary.encode("utf-8", "surrogateescape")
    spans, cut = _between(whole, span, mark)
    return [(*_split(whole, *one), depth + 1) for one in spans] or None, cut


def _between(whole: bytes, span: Span, boundary: bytes) -> tuple[list[Span], bool]:
    """Return what stands between the delimiter lines of a multipart body (RFC 2046 section 5.1.1).

    And whether there is more of it than is looked at.
    """
    delimiter = b"--" + boundary
    first, last = span
    found: list[Span] = []
    start = None
    at = whole.find(delimiter, first, last)
    looks = 0
    while at >= 0:
        looks += 1
        if looks > MAX_DELIMITERS or len(found) == MAX_PARTS:
            return found, True
        line_end = whole.find(b"\n", at, last)
        if line_end < 0:
            line_end = last
        if at == first or whole[at - 1 : at] == b"\n":
            rest = whole[at + len(delimiter) : line_end].strip()
            if rest in (b"", b"--"):
                if start is not None:
                    found.append((start, max(start, at - 2 if whole[at - 2 : at] == b"\r\n" else at - 1)))
                if rest:
                    return found, False
                start = line_end + 1
        at = whole.find(delimiter, line_end, last)
    if start is not None:
        found.append((min(start, last), last))  # cut off before its last delimiter
    return found, False


def _split(whole: bytes, start: int, end: int) -> tuple[dict[bytes, bytes], Span]:
    """Return the content fields of an entity by lower-case name, and its body."""
    begin = whole[start : min(end, start + 2)]
    if begin[:1] in b"\r\n":
        return {}, (min(end, start + (2 if begin == b"\r\n" else 1)), end)
    head_end, body = _empty_line(whole, start, end)
    fields: dict[bytes, bytes] = {}
    for name, value in CONTENT_FIELD.findall(whole[start : min(head_end, start + MAX_FIELD)]):
        fields.setdefault(name.lower(), value)
    return fields, (body, end)


def _empty_line(whole: bytes, start: int, end: int) -> Span:
    """Return where an entity's fields end and where its body begins; lines may end in CRLF or LF."""
    crlf = whole.find(b"\n\r\n", start, end)
    lf = whole.find(b"\n\n", start, crlf if crlf >= 0 else end)
    if lf >= 0:
        return lf, lf + 2
    return (crlf, crlf + 3) if crlf >= 0 else (end, end)


def _leaf(
    fields: Mapping[bytes, bytes],
    content_type: str,
    parameters: Mapping[str, str],
    *,
    whole: bytes,
    span: Span,
    depth: int,
) -> Part:
    disposition = ""
    if b"content-disposition" in fields:
        disposition, more = parse_parameters(fields[b"content-disposition"])
        parameters = {**parameters, **more}
    encoding = fields.get(b"content-transfer-encoding", b"").strip().lower()
    return Part(
        content_type or "text/plain",
        parameters,
        disposition=disposition,
        encoding=encoding[:32].decode("ascii", "replace"),
        whole=whole,
        span=span,
        depth=depth,
    )


def parse_parameters(value: bytes) -> tuple[str, Mapping[str, str]]:
    """Return the lower-case value and the parameters of a Content-Type or Content-Disposition (RFC 2231)."""
    if not value:
        return "", {}
    folded = value.lower() if len(value) <= MAX_REMEMBERED else b"name"
    if b"name" in folded or b"boundary" in folded:
        return _parameters(value)
    return _usual_parameters(value)


def _parameters(value: bytes) -> tuple[str, Mapping[str, str]]:
    main = value.partition(b";")[0].split(b"(")[0].strip().lower()
    found: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bytes, bool]]] = {}
    for name, quoted, plain in PARAMETER.findall(value[:MAX_FIELD]):
        key = name.lower().decode("ascii")
        octets = quoted.replace(b"\\", b"") if quoted else plain
        if "*" in key:
            base, _, number = key.rstrip("*").partition("*")
            order = int(number) if number.isdecimal() and len(number) < 5 else 0
            pieces.setdefault(base, []).append((order, octets, key.endswith("*")))
        else:
            found.setdefault(key, decode_words(octets) if b"=?" in octets else decode_unlabelled(octets))
    for base, several in pieces.items():
        found[base] = _continued(several)
    return main.decode("ascii", "replace"), found


_usual_parameters = lru_cache(maxsize=512)(_parameters)


def _continued(pieces: list[tuple[int, bytes, bool]]) -> str:
    """Return a parameter value in pieces and with a charset (RFC 2231 sections 3 and 4)."""
    pieces.sort(key=lambda piece: piece[0])
    charset = "utf-8"
    octets = b""
    for number, (_, piece, extended) in enumerate(pieces):
        if extended and number == 0 and piece.count(b"'") >= 2:
            name, _, piece = piece.split(b"'", 2)
            charset = name.decode("ascii", "replace") or charset
        octets += unquote_to_bytes(piece) if extended else piece
    return decode_charset(octets, charset)
