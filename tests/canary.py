"""Messages of many kinds with the same text in each part that must not be kept."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator

from tests.servers import mail
from tests.servers.strace import needles

WORD = "quokkavelvetmarimba"
LINES = (f"{WORD} {WORD} {WORD}\n" * 20).encode()
DEFLATED = (f"{WORD} " * 9).encode()  # what an archive holds, which is another text in its packed form
MAX_MESSAGE = 400_000  # octets, to be the milter's limit
BIG = MAX_MESSAGE - 100_000  # octets of a message that is judged in an executor
SUBJECT = f"About {WORD}"
SENDER = f'"{WORD}" <pat@example.net>'


def _archive(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, content)
    return packed.getvalue()


def _packed() -> bytes:
    """Return octets from the middle of the packed text."""
    whole = _archive("a", DEFLATED)
    start = 30 + len("a")  # APPNOTE.TXT section 4.3.7: the local file header's length
    return whole[start : start + 18]


PACKED = _packed()
NEEDLES = needles(WORD.encode(), PACKED)


def _message(body: bytes, fields: str = "") -> bytes:
    return mail.message(body, sender=SENDER, subject=SUBJECT, fields=fields)


def _mixed(*parts: bytes) -> bytes:
    body = b"".join(b"--outer\n" + one + b"\n" for one in parts) + b"--outer--\n"
    return _message(body, 'Content-Type: multipart/mixed; boundary="outer"\n')


def _attached(kind: str, content: bytes, encoding: str = "base64") -> bytes:
    head = (
        f'Content-Type: {kind}; name="{WORD}.bin"\n'
        f'Content-Disposition: attachment; filename="{WORD}.bin"\nContent-Transfer-Encoding: {encoding}\n\n'
    )
    return head.encode() + (base64.encodebytes(content) if encoding == "base64" else content)


def _repeated(size: int) -> bytes:
    return LINES * (size // len(LINES) + 1)


def harmless() -> Iterator[tuple[str, bytes]]:
    """Yield messages that are delivered, each with its kind."""
    page = f'<html><body><p>{WORD}</p><a href="http://{WORD}.example.net/{WORD}">{WORD}</a></body></html>\n'
    yield "clean", _message(LINES)
    yield "spam", _message(LINES + mail.GTUBE.encode() + b"\n")
    yield "HTML", _mixed(_attached("text/html", page.encode() * 5), _attached("text/plain", LINES, "7bit"))
    yield "base64", _mixed(*(_attached("text/plain", b"." * before + LINES) for before in range(3)))
    yield "archive", _mixed(_attached("application/zip", _archive(f"{WORD}.txt", DEFLATED)))
    yield "big", _message(_repeated(BIG))
    yield "huge", _message(_repeated(MAX_MESSAGE))
    yield from _malformed()


def _malformed() -> Iterator[tuple[str, bytes]]:
    nested = b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (one, one + 1) for one in range(200)
    )
    yield "nested deeply", _message(nested + LINES, "Content-Type: multipart/mixed; boundary=b0\n")
    yield "broken base64", _mixed(_attached("text/html", LINES, "base64")[:-7] + b"=!=" + LINES)
    yield "broken archive", _mixed(_attached("application/zip", _archive("a.txt", DEFLATED)[:-30]))
    yield "unknown character set", _message(LINES, 'Content-Type: text/html; charset="utf-17"\n')
    yield "controls", _message(b"\0\xff\xfe\r" + LINES.replace(b" ", b"\0"), f"X-{WORD}: \x01\x7f{WORD}\n")
    yield "name with octets", f"X-{WORD}é: {WORD}\r\n".encode() + _message(LINES)
    yield "no header", LINES


def infected() -> Iterator[tuple[str, bytes]]:
    """Yield messages that are refused, each with its kind."""
    yield (
        "infected",
        _mixed(_attached("application/x-msdownload", mail.eicar()), _attached("text/plain", LINES)),
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(f"{WORD}.txt", DEFLATED)
        opened.writestr(f"{WORD}.com", mail.eicar())
    yield "infected archive", _mixed(_attached("application/zip", archive.getvalue()))
