"""A message as the MTA handed it over: envelope, header fields and body, in bytes (RFC 5321, RFC 5322)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import field
from itertools import chain
from typing import TypeAlias

from tamis.lazy import lazy
from tamis.mime import Content
from tamis.spelling import PLAIN, plain, routed
from tamis.values import dataclass

HeaderField: TypeAlias = tuple[bytes, bytes]
"""Field name, and field body from behind the colon up to (not with) the last CRLF, folds as received."""

FIELD_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")  # RFC 5322 section 3.6.8


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: the address without angle brackets, and its ESMTP parameters such as NOTIFY and ORCPT."""

    address: str
    parameters: tuple[str, ...] = ()
    resolved: str = field(default="", compare=False)  # as the MTA understands it; "" if it did not tell

    @property
    def meant(self) -> str:
        """The address whose owner gets the message.

        There are many ways to write one, such as "anna"@example.org, anna@example.org. and example.org!anna;
        whoever sends the message must not choose by them whose settings count. Postfix tells the address that
        it understands. Sendmail tells a local user's name, behind its own aliases and without a domain.
        """
        if PLAIN.fullmatch(self.address):
            return self.address
        if "@" in self.resolved:
            return plain(self.resolved) if '"' in self.resolved else self.resolved
        return routed(plain(self.address)) if self.resolved else plain(self.address)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP said outside the message; None or "" where the MTA did not tell."""

    mail_from: str = ""  # reverse-path without angle brackets, "" for the null sender
    recipients: tuple[Recipient, ...] = ()
    client_ip: str | None = None
    client_name: str = ""
    helo: str = ""
    queue_id: str | None = None
    auth_user: str | None = None  # {auth_authen}
    daemon_name: str | None = None
    mta_name: str = ""  # {j}
    mail_parameters: tuple[str, ...] = ()

    @property
    def reverse_path(self) -> str:
        """The address in MAIL FROM, however it was spelled; lower case, "" for the null sender."""
        return plain(self.mail_from.lower())


@dataclass(frozen=True)
class Message:
    """One message of one milter transaction; parsed once, on demand."""

    envelope: Envelope
    fields: tuple[HeaderField, ...]
    body: bytes = field(repr=False)
    omitted: int = 0  # octets at the end of a very large body that were not kept: it must not be handed on

    @lazy
    def raw(self) -> bytes:
        """The message as it came over SMTP, lines ended by CRLF."""
        return b"".join((self.head, b"\r\n", self.body))

    @lazy
    def head(self) -> bytes:
        """The header section with its line ends, without the empty line."""
        lines = [name + b":" + value for name, value in self.fields]
        lines.append(b"")
        head = b"\r\n".join(lines)
        if b"\n" in head.replace(b"\r\n", b""):  # folds reach a milter as bare LF
            head = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return head

    @lazy
    def size(self) -> int:
        """Octets of the message, with those that were not kept."""
        # Nearly all messages need no head. It has a line end of two octets for every second of these colons,
        # one more behind the last field, and CRLF for each bare LF.
        said = b":".join(chain.from_iterable(self.fields))
        head = len(said) + said.count(b"\n") - said.count(b"\r\n")
        if self.fields:
            head += len(self.fields) + 1
        return head + 2 + len(self.body) + self.omitted

    @lazy
    def fingerprint(self) -> bytes:
        """SHA-256 of fields and body as received, each after its length, so that no octet can shift."""
        parts = [len(self.fields).to_bytes(8)]
        for one in chain.from_iterable(self.fields):
            parts += (len(one).to_bytes(8), one)
        digest = hashlib.sha256(b"".join(parts))
        digest.update(self.body)
        return digest.digest()

    @lazy
    def content(self) -> Content:
        """The message's MIME structure and decoded fields."""
        return Content(self.fields, self.body)

    def values(self, name: bytes) -> list[bytes]:
        """Return the bodies of the fields of that name (lower case), in the message's order."""
        return [value for key, value in self.fields if key.lower() == name]


def split(raw: bytes) -> tuple[tuple[HeaderField, ...], bytes]:
    """Return the fields and the body that an MTA would hand over for a message with LF or CRLF line ends."""
    if raw.startswith(b"From "):  # mbox
        raw = raw.partition(b"\n")[2]
    raw = raw.replace(b"\r\n", b"\n")
    found: list[tuple[bytes, int, int]] = []  # name, and where its body begins and ends
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at)
        end = len(raw) if end < 0 else end
        line = raw[at:end]
        if line[:1] in (b" ", b"\t") and found:
            found[-1] = (*found[-1][:2], end)
        elif FIELD_NAME.match(line):
            name = line.partition(b":")[0]
            found.append((name, at + len(name) + 1, end))
        else:  # without an empty line, too, the body has begun, as MTAs see it
            at = at if line else end + 1
            break
        at = end + 1
    return tuple((name, raw[start:end]) for name, start, end in found), raw[at:].replace(b"\n", b"\r\n")
