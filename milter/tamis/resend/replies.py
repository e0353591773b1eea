"""Replies of an SMTP server (RFC 5321 section 4.2), as they come in pieces; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_LINE = 4096  # octets; RFC 5321 section 4.5.3.1.5 says 512, Postfix writes up to 2,048
MOST_LINES = 128  # of one reply; EHLO's has about 15
GO_ON = 354  # to DATA
CLOSING = 421  # said at any time by a server that is about to hang up

LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
STATUS = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![^ ])")  # RFC 3463
# Postfix's "2.0.0 Ok: queued as 4Xy", and Sendmail's "2.0.0 0A1b Message accepted for delivery".
QUEUE_ID = re.compile(
    rb".* queued as (?P<postfix>[A-Za-z0-9]{1,64})"
    rb"|[0-9.]+ (?P<sendmail>[A-Za-z0-9]{1,64}) Message accepted for delivery"
)


class MalformedReply(Exception):
    """What came is no reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; its lines are the server's own text, which may hold addresses."""

    code: int
    lines: tuple[bytes, ...] = (b"",)  # without the code and the line ends

    @property
    def is_positive(self) -> bool:
        """Whether what was asked for is done."""
        return 200 <= self.code < 300

    @property
    def is_refusal(self) -> bool:
        """Whether it was refused, for now or for good."""
        return self.code >= 400

    @property
    def is_permanent(self) -> bool:
        """Whether it was refused for good."""
        return self.code >= 500

    @property
    def status(self) -> str:
        """Its code, and its enhanced status code if it has one: what can be logged of it."""
        match = STATUS.match(self.lines[-1])
        return f"{self.code} {match[0].decode()}" if match else str(self.code)

    @property
    def queue_id(self) -> str | None:
        """The server's name for the message that it accepted, where it tells one."""
        match = QUEUE_ID.fullmatch(self.lines[-1])
        return match[match.lastindex or 0].decode() if match else None


class Reader:
    """Makes replies of octets."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._code = 0

    @property
    def pending(self) -> bool:
        """Whether something was said that next() has not returned."""
        return bool(self._rest or self._lines)

    def feed(self, octets: bytes) -> None:
        """Take what came."""
        self._rest += octets

    def next(self) -> Reply | None:
        """Return the next reply once it is whole; raise MalformedReply."""
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            if self._take(line):
                lines, self._lines = tuple(self._lines), []
                return Reply(self._code, lines)
        if len(self._rest) > LONGEST_LINE:
            raise MalformedReply
        return None

    def _take(self, line: bytes) -> bool:
        """Add a line, and tell whether it is the last of its reply."""
        match = LINE.fullmatch(line)
        if match is None or len(line) > LONGEST_LINE or len(self._lines) == MOST_LINES:
            raise MalformedReply
        code = int(match[1])
        if self._lines and code != self._code:
            raise MalformedReply
        self._code = code
        self._lines.append(match[3] or b"")
        return match[2] != b"-"


def extensions(reply: Reply) -> Mapping[str, frozenset[str]]:
    """Return what a reply to EHLO offers: keywords and their parameters, in upper case (section 4.1.1.1)."""
    found = {}
    for line in reply.lines[1:]:
        keyword, *parameters = line.decode("ascii", "replace").upper().split()[:MOST_LINES] or [""]
        found[keyword] = frozenset(parameters)
    return found
