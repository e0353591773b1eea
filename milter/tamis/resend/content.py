r"""The octets of a copy as they go after DATA (RFC 5321 sections 2.3.8 and 4.5.2); pure.

They are those that the MTA would queue of the same plan, and no server may see the end of the message in the
midst of them. Postfix and Sendmail end a line at each LF, whether a CR stands before it or not. So each LF
becomes CRLF, and a dot behind it is doubled: nowhere is there "\n.\r\n" or "\n.\n". A CR alone ends no line
for them; it stays, as NUL does, for the MTA that takes the copy is the one that had let them in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tamis.message import HeaderField, Message

CHUNK = 1 << 16  # octets of body in one piece, about 50 us of work; between pieces the loop does other work
END = b".\r\n"

Fields = Sequence[tuple[str, str]]
Removals = Sequence[tuple[str, int]]


def head(message: Message, fields: Fields, remove: Removals) -> bytes:
    """Return the header section of a copy, with the empty line.

    fields go on top, in that order; remove names fields and their occurrence, from 1, among those received.
    """
    kept = _without(message.fields, remove) if remove else None
    rest = message.head if kept is None else Message(message.envelope, kept, b"").head
    top = "".join(f"{name}: {value}\n" for name, value in fields).encode("utf-8", "surrogateescape")
    return b"".join((_crlf(top), rest, b"\r\n"))


def size(top: bytes, message: Message) -> int:
    """Return the octets of a copy with that header section, before dots are doubled (RFC 1870)."""
    return len(top) + len(message.body)


def pieces(top: bytes, message: Message) -> Iterator[bytes]:
    """Yield what goes after DATA, the end of data included; none is empty."""
    before = b"\n"  # the octet ahead of a piece
    waiting = b""
    for piece in _cut(top, message.body):
        if waiting:
            yield waiting
        waiting = _stuffed(_crlf(piece), begins_line=before == b"\n")
        before = piece[-1:]
    yield waiting + (END if before == b"\n" else b"\r\n" + END)


def _without(fields: Sequence[HeaderField], remove: Removals) -> tuple[HeaderField, ...]:
    wanted = {(name.lower().encode("utf-8", "surrogateescape"), occurrence) for name, occurrence in remove}
    count: dict[bytes, int] = {}
    kept = []
    for field in fields:
        name = field[0].rstrip(b" \t").lower()
        count[name] = count.get(name, 0) + 1
        if (name, count[name]) not in wanted:
            kept.append(field)
    return tuple(kept)


def _cut(top: bytes, body: bytes) -> Iterator[bytes]:
    """Yield header section and body in pieces, none of which ends between CR and LF."""
    at = min(CHUNK, len(body))
    at += body[at - 1 : at + 1] == b"\r\n"
    yield top + body[:at]
    while at < len(body):
        end = at + CHUNK
        end += body[end - 1 : end + 1] == b"\r\n"
        yield body[at:end]
        at = end


def _crlf(octets: bytes) -> bytes:
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _stuffed(octets: bytes, *, begins_line: bool) -> bytes:
    """Return octets with each dot at the start of a line doubled."""
    if b"\n." in octets:
        octets = octets.replace(b"\n.", b"\n..")
    return b"." + octets if begins_line and octets.startswith(b".") else octets
