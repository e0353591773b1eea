"""Messages that the tests send; invented, each with a Message-ID of its own, lines ended by CRLF."""

from __future__ import annotations

import base64
import io
import itertools
import os
import zipfile

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

_serial = itertools.count(1)


def eicar() -> bytes:
    """Return the test file of the antivirus industry; put together here, so that no file holds it."""
    return rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def message(
    body: str | bytes,
    *,
    sender: str = "Pat Jones <pat@example.net>",
    subject: str = "Lunch",
    fields: str = "",
) -> bytes:
    """Return a message; fields stand before the others, each with its line end."""
    content = body.encode() if isinstance(body, str) else body
    kind = "" if "content-type:" in fields.lower() else "Content-Type: text/plain; charset=utf-8\n"
    head = (
        f"{fields}From: {sender}\nTo: you@example.org\nSubject: {subject}\n"
        f"Date: Mon, 23 Nov 2026 10:14:05 +0100\n"
        f"Message-ID: <{os.getpid()}.{next(_serial)}@example.net>\nMIME-Version: 1.0\n{kind}\n"
    )
    return head.encode().replace(b"\n", b"\r\n") + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def message_id(raw: bytes) -> str:
    """Return a message's Message-ID with its angle brackets."""
    line = next(line for line in raw.split(b"\r\n") if line.startswith(b"Message-ID: "))
    return line.removeprefix(b"Message-ID: ").decode()


def letter() -> bytes:
    """Return a personal letter."""
    text = (
        "Hello Anna,\n\nshall we have lunch on Thursday? I could be at the station at half past twelve;\n"
        "the small place with the green door is closed, so let us try the one behind the market.\n\n"
        "Bring the photographs of the garden if you find them.\n\nBest wishes\nPat\n"
    )
    return message(text, subject="Lunch on Thursday?")


def gtube() -> bytes:
    """Return the test message of the antispam industry."""
    return message(f"This is a test of the filter.\n\n{GTUBE}\n", subject="A test")


def spam() -> bytes:
    """Return what nobody asked for."""
    text = (
        '<html><body><p style="font-size:1px;color:#ffffff">weather garden letter</p>'
        "<h1>CONGRATULATIONS WINNER!!!</h1><p>You have been selected to receive <b>$5,000,000.00 USD</b> "
        "in cash!!! Act now, this is a limited time offer, 100% free, no obligation.</p>"
        '<p>Cheap viagra and cialis, no prescription: <a href="http://192.0.2.77/buy/pills.exe">'
        "https://www.example-bank.example.com/login</a></p>"
        "<p>CLICK HERE to verify your account password immediately or it will be suspended. "
        "Make money fast working from home. Risk free! Earn extra cash!</p></body></html>\n"
    )
    return message(
        text,
        sender='"WINNER NOTIFICATION" <a8f3k2x9@promo.example.com>',
        subject="CONGRATULATIONS!!! YOU WON $5,000,000 - ACT NOW!!!",
        fields="Content-Type: text/html; charset=iso-8859-1\nReply-To: claims@example.net\nX-Priority: 1\n",
    )


def newsletter() -> bytes:
    """Return an issue of a newsletter that one can leave with one click (RFC 8058)."""
    fields = (
        "List-Unsubscribe: <https://news.example.net/u/4711>, <mailto:leave@news.example.net>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nPrecedence: bulk\n"
        "List-Id: Garden news <garden.news.example.net>\n"
    )
    text = (
        "Garden news for November\n\nThis month we plant tulips, mend the greenhouse and cook pumpkins.\n"
        "Read more on our page: https://news.example.net/november\n\n"
        "You receive this newsletter because you subscribed to it.\n"
        "Unsubscribe: https://news.example.net/u/4711\n"
    )
    sender = "Garden News <news@news.example.net>"
    return message(text, sender=sender, subject="Garden news: tulips in November", fields=fields)


def social() -> bytes:
    """Return a forge's notification."""
    fields = (
        "X-GitLab-Project: tools\nX-GitLab-Issue-ID: 12\nX-GitLab-NotificationReason: subscribed\n"
        "List-Id: garden/tools <12.tools.garden.gitlab.example.net>\n"
        "List-Unsubscribe: <https://gitlab.example.net/unsubscribe/4711>\nAuto-Submitted: auto-generated\n"
    )
    text = "Quinn commented:\n\nThe spade works now.\n\n-- \nReply to this email directly.\n"
    sender = "Quinn (@quinn) <gitlab@gitlab.example.net>"
    return message(text, sender=sender, subject="Re: tools | Spade breaks (#12)", fields=fields)


def list_post() -> bytes:
    """Return a post to a discussion list (RFC 2369, RFC 2919)."""
    fields = (
        "List-Id: Users of garden tools <users.lists.example.net>\n"
        "List-Post: <mailto:users@lists.example.net>\n"
        "List-Help: <mailto:users-request@lists.example.net?subject=help>\n"
        "List-Archive: <https://lists.example.net/archives/users>\n"
        "List-Unsubscribe: <mailto:users-leave@lists.example.net>\nPrecedence: list\n"
        "Sender: users-bounces@lists.example.net\nX-Mailman-Version: 3.3.8\n"
        "In-Reply-To: <4710@example.net>\nReferences: <4710@example.net>\n"
    )
    text = (
        "Robin wrote:\n> Which handle do you use for the long spade?\n\nAsh, thirty inches; it bends.\n\n"
        "Pat\n____________________\nUsers mailing list -- users@lists.example.net\n"
    )
    return message(text, subject="Re: [Users] Handle of the long spade", fields=fields)


def eicar_in_plain_part() -> bytes:
    """Return the test file as a plain text part."""
    return _multipart(_part("text/plain", b"See below.\n"), _part("text/plain; name=a.com", eicar()))


def eicar_in_zip() -> bytes:
    """Return the test file in a zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("invoice.com", eicar())
    return _multipart(_part("text/plain", b"The invoice.\n"), _base64("application/zip", archive.getvalue()))


def eicar_in_nested_multipart() -> bytes:
    """Return the test file in base64, three multiparts deep."""
    innermost = _base64("application/octet-stream", eicar())
    inner = _part('multipart/mixed; boundary="inner"', _joined("inner", innermost))
    middle = _part('multipart/mixed; boundary="middle"', _joined("middle", inner))
    return _multipart(middle)


def _joined(boundary: str, *parts: bytes) -> bytes:
    line = f"--{boundary}\n".encode()
    return b"".join(line + part + b"\n" for part in parts) + f"--{boundary}--\n".encode()


def _part(kind: str, content: bytes) -> bytes:
    return f"Content-Type: {kind}\n\n".encode() + content


def _base64(kind: str, content: bytes) -> bytes:
    head = f'Content-Type: {kind}\nContent-Disposition: attachment; filename="invoice"\n'
    return f"{head}Content-Transfer-Encoding: base64\n\n".encode() + base64.encodebytes(content)


def _multipart(*parts: bytes) -> bytes:
    fields = 'Content-Type: multipart/mixed; boundary="outer"\n'
    return message(_joined("outer", *parts), subject="Your invoice", fields=fields)
