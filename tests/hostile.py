"""Bytes that no honest mail program writes: for hypothesis, and the worst that is known."""

from __future__ import annotations

from hypothesis import strategies as st

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
