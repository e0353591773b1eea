"""Bytes that no honest mail program writes: for hypothesis, and the worst that is known."""

from __future__ import annotations

import base64
import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st

from tamis.sandbox import wire
from tamis.sandbox.wire import Command

PIECES = (
    b"--x\r\n",
    b"--x--\r\n",
    b"--y\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"Content-Type: multipart/mixed; boundary=y\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-16\r\n",
    b"Content-Type: text/plain; name*0*=utf-8''%e2; name*1=a\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=",
    b"=?utf-8?b?w6k",
    b"?=",
    b"=E9=\r\n",
    b"aGVsbG8=",
    b"<a href='http://example.org'>here</a>",
    b"\x00\xff\xfe",
)
BODIES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=40).map(b"".join)
VALUES = st.lists(
    st.sampled_from((*PIECES, b'"', b"\\", b"(", b")", b"<", b">", b"@", b",", b";", b":", b"a@b.c"))
    | st.binary(max_size=8),
    max_size=20,
).map(b"".join)
NAMES = st.sampled_from(
    (b"From", b"to", b"Subject", b"Message-ID", b"Content-Type", b"content-transfer-encoding", b"X\xff")
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def nested(depth: int) -> bytes:
    return b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (number, number + 1)
        for number in range(depth)
    )


HOSTILE = {
    "deep multiparts": (b"multipart/mixed; boundary=b0", nested(3000)),
    "deep messages": (b"message/rfc822", b"Content-Type: message/rfc822\r\n\r\n" * 100_000),
    "many parts": (b"multipart/mixed; boundary=b", b"--b\r\n\r\n" * 1_000_000),
    "many boundaries unlike ours": (b"multipart/mixed; boundary=b", b"--bb\r\n" * 1_000_000),
    "many lines like a delimiter": (b"multipart/mixed; boundary=b", b"x--b\n" * 1_000_000),
    "delimiters like those around": (
        b"multipart/mixed; boundary=b",
        b"".join(
            b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"b" * n, b"b" * (n + 1))
            for n in range(1, 30)
        )
        + (b"--" + b"b" * 40 + b"\n") * 100_000,
    ),
    "parts without an empty line": (
        b"multipart/mixed; boundary=b",
        (b"--b\r\n" + b"A: b\r\n" * 10_000) * 256,
    ),
    "texts in every part": (
        b"multipart/mixed; boundary=b",
        (b"--b\r\nContent-Type: text/plain; charset=utf-32\r\n\r\n" + b"abcd" * 20_000 + b"\r\n") * 256,
    ),
    "pages in every part": (
        b"multipart/mixed; boundary=b",
        (b"--b\r\nContent-Type: text/html\r\n\r\n" + b"<b>" * 2_000 + b"</i>" * 2_000 + b"\r\n") * 256,
    ),
    "ends of what never began": (b"text/html", b"<b>" * 4_000 + b"</i>" * 10_000),
    "nested divs": (b"text/html", b"<div>" * 200_000),
    "nested fonts": (b"text/html", b"<b><font><i>" * 20_000),
    "links in links": (b"text/html", b"<a href=x>" * 50_000),
    "tables in links": (b"text/html", b"<table><a href=x>" * 20_000),
    "a host as long as a page": (b"text/html", b"<a href=http://" + b"a" * 60_000 + b"/>x</a>"),
    "one huge line": (b"text/plain", b"a" * 10_000_000),
    "huge broken base64": (b"text/plain", b"!=" * 5_000_000),
    "parameters": (b"text/plain" + b";a=" * 30_000, b""),
    "parameter pieces": (b"text/plain" + b"".join(b";a*%d=x" % n for n in range(10_000)), b""),
    "escaped quotes": (b'text/plain; name="' + b'\\"' * 30_000, b""),
    "blanks": (b"text/plain;" + b" \t" * 30_000 + b"x", b""),
}
HOSTILE_FIELDS = (
    b'"' + b'\\"' * 30_000,
    b"(" + b"\\(" * 30_000,
    b"(" * 60_000,
    b"(a" * 30_000,
    b"()" * 30_000 + b"(",
    b"<" * 60_000,
    b"<\\>" * 20_000 + b'"',
    b"a@b," * 15_000,
    b"<>" * 30_000,
    b"((a)" * 15_000,
    b"<a@example.org>\n " * 60_000,
    b"=?utf-8?q?a?= " * 4_000,
    b"=?a?b?" * 10_000,
)

FIELDS = (
    (b"From", b" Anna <anna@example.net>"),
    (b"To", b" bob@example.org"),
    (b"Subject", b" hello"),
    (b"Date", b" Mon, 23 Nov 2026 10:14:05 +0100"),
    (b"Message-ID", b" <1@example.net>"),
)


@dataclass(frozen=True, slots=True)
class Story:
    """What an MTA tells of one message, in any bytes."""

    fields: Sequence[tuple[bytes, bytes]] = FIELDS
    body: bytes = b"Hello\r\n"
    host: bytes = b"mail.example.net"
    helo: bytes = b"mail.example.net"
    sender: bytes = b"<anna@example.net>"
    recipients: Sequence[bytes] = (b"<bob@example.org>",)
    macros: bytes = b"i\x004XyZ\0"  # at end of message
    greeting: bool = True  # whether it is the first of its connection

    def commands(self) -> Iterator[bytes]:
        """Yield its packets, as one that awaits no answer before the end sends them."""
        if self.greeting:
            yield wire.negotiate(wire.Options())
            yield wire.frame(Command.CONNECT, self.host + b"\x004\x00\x19192.0.2.7\0")
            yield wire.frame(Command.HELO, self.helo + b"\0")
        yield wire.frame(Command.MAIL, self.sender + b"\0")
        yield from (wire.frame(Command.RCPT, one + b"\0") for one in self.recipients)
        yield from (wire.frame(Command.HEADER, name + b"\0" + value + b"\0") for name, value in self.fields)
        yield from wire.body(self.body)
        yield wire.frame(Command.MACRO, b"E" + self.macros)
        yield wire.frame(Command.END_OF_MESSAGE)


def _with(name: bytes, value: bytes) -> Story:
    """Return a story with a field in place of that of the same name."""
    return Story(fields=(*(one for one in FIELDS if one[0] != name), (name, value)))


def _of_type(content_type: bytes, body: bytes, *, encoding: bytes = b"8bit") -> Story:
    more = ((b"Content-Type", b" " + content_type), (b"Content-Transfer-Encoding", b" " + encoding))
    return Story(fields=(*FIELDS, *more), body=body)


def _in_base64(content_type: bytes, content: bytes) -> Story:
    return _of_type(content_type, base64.encodebytes(content).replace(b"\n", b"\r\n"), encoding=b"base64")


def archive_in_archives(depth: int, copies: int) -> bytes:
    """Return a ZIP archive of archives of archives, at the bottom of which are a few MB of zeroes."""
    content, name = bytes(4_000_000), "zeroes"
    for level in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(copies):
                archive.writestr(f"{name}{number}", content)
        content, name = packed.getvalue(), f"level{level}.zip"
    return content


HUGE = [b"<" + b"a+" * 200_000 + b"@example.org>", b"<bob@" + b"a." * 200_000 + b"example.org>"]


# What no MTA sends. libmilter itself answers the first with a hang-up, and the second not at all.
BEYOND_LIBMILTER: Mapping[str, Story] = {
    "empty name": Story(fields=[*FIELDS, (b"", b" x")]),
    "no recipients": Story(recipients=()),
}


def many_recipients(count: int) -> Sequence[bytes]:
    """Return paths of so many different recipients."""
    return [b"<user%d@example.org>" % number for number in range(count)]


RESULTS = b"Authentication-Results"
_ENVELOPES: Mapping[str, Callable[[], Story]] = {
    "helo in any bytes": lambda: Story(helo=bytes(range(1, 256)), host=bytes(range(255, 0, -1))),
    "huge helo": lambda: Story(helo=b"a." * 200_000, host=b"\xff" * 400_000),
    "no helo, no host": lambda: Story(helo=b"", host=b""),
    "missing macros": lambda: Story(macros=b""),
    "macros cut off": lambda: Story(macros=b"i"),
    "many macros": lambda: Story(macros=b"".join(b"{m%d}\0x\0" % number for number in range(50_000))),
    "huge macro": lambda: Story(macros=b"i\0" + b"x" * 500_000 + b"\0"),
    "sender in any bytes": lambda: Story(sender=b"<\xff\xfe\r\n%s@\x80>"),
    "huge addresses": lambda: Story(sender=b"<" + b"a" * 400_000 + b"@example.net>", recipients=HUGE),
    "addresses without end": lambda: Story(recipients=[b"<" * 1000, b"@" * 1000, b'"' * 1000, b"", b"<>"]),
    "as many recipients as an MTA takes": lambda: Story(recipients=many_recipients(1_000)),
}
_HEADERS: Mapping[str, Callable[[], Story]] = {
    "8-bit names": lambda: Story(fields=[*FIELDS, (b"\xff\xfe\x80", b" x"), (b"Subj\xe9ct", b" \xff")]),
    "names of no letters": lambda: Story(fields=[*FIELDS, (b" ", b""), (b":", b":"), (b"\t\n", b"\0")]),
    "no fields": lambda: Story(fields=()),
    "neither fields nor body": lambda: Story(fields=(), body=b""),
    "fields as long as Postfix lets them be": lambda: _with(b"Subject", b" " + b"x" * 102_400),
    "field of nearly a packet": lambda: _with(b"X-Long", b" " + b"\xff" * ((1 << 20) - 100)),
    "10,000 fields": lambda: Story(fields=[*FIELDS, *((b"X-%d" % n, b" v") for n in range(10_000))]),
    "10,000 fields of one name": lambda: Story(fields=[*FIELDS, *((b"Received", b" x"),) * 10_000]),
    "10,000 authors": lambda: Story(fields=[*FIELDS, *((b"From", b" <a@b>" * 10),) * 10_000]),
    "10,000 verifiers": lambda: Story(fields=[*FIELDS, *((RESULTS, b"(" * 50 + b"x;"),) * 10_000]),
    "100 fields of our names": lambda: Story(fields=[*FIELDS, *((b"X-Spam-Flag", b" NO"),) * 100]),
    "NULs and bare CR and LF": lambda: _with(b"Subject", b"\0a\0\rb\nc\r\n\r\nFrom: x\r\n\n\0"),
    "a megabyte of references": lambda: _with(b"References", b"\n <a@example.org>" * 60_000),
    "encoded words gone wrong": lambda: _with(
        b"Subject", b"=?utf-8?b?\xff?= =?x?q?=zz?= =??b??= =?a?b?c" * 900
    ),
    "encoded words without end": lambda: _with(b"From", b"=?utf-8?q?a_?=\n " * 7_000 + b"<a@example.net>"),
    "nested comments": lambda: _with(b"From", b"(" * 50_000 + b"a" + b")" * 50_000 + b" <a@example.net>"),
    "parentheses": lambda: _with(b"Subject", b"((((" * 25_000),
    "long run of blanks": lambda: _with(b"Subject", b"a" + b" " * 100_000 + b"b"),
    "long run of folds": lambda: _with(b"Subject", b"\n " * 50_000),
}
CHARSETS = (b"x-unknown", b"utf-16", b"utf-7", b"iso-2022-jp", b"unicode_escape", b"base64", b"\xff", b"")
_BODIES: Mapping[str, Callable[[], Story]] = {
    "empty body": lambda: Story(body=b""),
    "NULs": lambda: Story(body=b"\0" * 200_000),
    "bare CR": lambda: Story(body=b"a\r" * 100_000),
    "bare LF": lambda: Story(body=b"a\n.\n" * 50_000),
    "13,000 nested elements": lambda: _of_type(b"text/html", b"<div>" * 13_000),
    "tags that never close": lambda: _of_type(b"text/html", b"<a<a<a" * 40_000),
    "equals signs": lambda: _of_type(b"text/plain", b"====" * 60_000, encoding=b"quoted-printable"),
    "parentheses in the body": lambda: Story(body=b"((((" * 60_000),
    "blanks in the body": lambda: Story(body=b" " * 250_000 + b"x"),
    "addresses of the web": lambda: Story(body=b"http://example.org/" * 13_000),
    "broken base64": lambda: _of_type(b"text/plain", b"QUFB=" * 50_000, encoding=b"base64"),
    "100,000 parts": lambda: _of_type(b"multipart/mixed; boundary=x", b"--x\r\n\r\nx\r\n" * 100_000),
    "zip bomb": lambda: _in_base64(b"application/zip; name=a.zip", archive_in_archives(depth=4, copies=8)),
    "one line of 5 MB": lambda: Story(body=b"a" * 5_000_000),
    "more than is judged": lambda: Story(body=b"a\r\n" * 2_000_000),
    **{
        f"charset {number}": partial(_of_type, b"text/plain; charset=" + name, bytes(range(256)) * 900)
        for number, name in enumerate(CHARSETS)
    },
}


def stories() -> Mapping[str, Callable[[], Story]]:
    """Return the hostile list: what is told by name, made when it is wanted."""
    found: dict[str, Callable[[], Story]] = {
        name: partial(_of_type, kind, body) for name, (kind, body) in HOSTILE.items()
    }
    found |= {
        f"{name.decode()} number {number}": partial(_with, name, value)
        for number, value in enumerate(HOSTILE_FIELDS)
        for name in (b"From", b"Subject", b"Authentication-Results")
    }
    return {**found, **_ENVELOPES, **_HEADERS, **_BODIES}


def _raw(word: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload) + 1) + word + payload


OPEN = wire.negotiate(wire.Options())
END = wire.frame(Command.END_OF_MESSAGE)
CONVERSATIONS: Mapping[str, bytes] = {
    "the end first": OPEN + END * 3,
    "the end before negotiating": END,
    "header and body before the sender": OPEN + _raw(b"L", b"a\0b\0") * 50 + _raw(b"B", b"c") * 50 + END,
    "recipient before the sender": OPEN + _raw(b"R", b"<bob@example.org>\0") + END,
    "senders and recipients in turn": OPEN + (_raw(b"M", b"<a@b>\0") + _raw(b"R", b"<c@d>\0")) * 50 + END,
    "body before header": b"".join([*Story().commands()][:5])
    + _raw(b"B", b"x")
    + _raw(b"L", b"a\0b\0")
    + END,
    "negotiation twice": OPEN * 2 + b"".join(Story(greeting=False).commands()),
    "negotiation cut short": _raw(b"O", b"\0\0\0\6"),
    "another version": _raw(b"O", b"\xff" * 12),
    "aborts": OPEN + wire.frame(Command.ABORT) * 1000 + END,
    "quit, and more": OPEN + wire.frame(Command.QUIT) + b"".join(Story().commands()),
    "next session in the middle of a message": b"".join([*Story().commands()][:8]) + _raw(b"K") + END,
    "unknown words": OPEN + b"".join(_raw(bytes((word,)), b"x\0") for word in range(256) if word not in b"Q"),
    "nothing behind the words": OPEN + b"".join(_raw(bytes((word,))) for word in b"CHDMRTLNBDE"),
    "connections without an address": OPEN
    + b"".join(_raw(b"C", b"x\0" + kind) for kind in (b"", b"4", b"L")),
    "length 0": OPEN + bytes(4) + b"M",
    "length of 4 GB": OPEN + b"\xff\xff\xff\xffB" + bytes(1000),
    "length too short": OPEN + struct.pack("!I", 3) + b"M<anna@example.net>\0" + END,
    "length too long": OPEN + struct.pack("!I", 1000) + b"M<anna@example.net>\0" + END,
    "another protocol": b"GET / HTTP/1.1\r\nHost: mx.example.org\r\n\r\n",
    "noise": random.Random(1).randbytes(5000),  # noqa: S311 - for tests
    "noise behind negotiation": OPEN + random.Random(2).randbytes(5000),  # noqa: S311
}
