"""An SMTP client that appears to come from elsewhere, and a server that keeps what it is given (RFC 5321)."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE = 60  # seconds that a test waits for a server at most

To = str | tuple[str, Sequence[str]]
"""A recipient, and its ESMTP parameters if it has any."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said last."""

    code: int
    text: str

    @property
    def queue_id(self) -> str:
        """The MTA's name for the message that it took: "Ok: queued as ID", or "ID Message accepted"."""
        if self.code != 250:
            raise AssertionError(f"not accepted: {self.code} {self.text}")
        _, found, queue_id = self.text.rpartition(" queued as ")
        return queue_id if found else self.text.split()[1]


class Connection:
    """One connection; several messages may be sent over it."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", name: str = "localhost") -> None:
        """Connect to a port on loopback, from an address there."""
        self._smtp = smtplib.SMTP(
            "127.0.0.1", port, local_hostname=name, timeout=PATIENCE, source_address=(source, 0)
        )
        self._smtp.ehlo()

    def appear_as(self, address: str, name: str = "mail.example.net") -> None:
        """Make the server take us for another host (Postfix's XCLIENT)."""
        code, text = self._smtp.docmd("XCLIENT", f"ADDR={address} NAME={name} HELO={name}")
        if code != 220:
            raise AssertionError(f"XCLIENT: {code} {text.decode()}")
        self._smtp.ehlo(name)

    def login(self, user: str) -> None:
        """Authenticate."""
        self._smtp.login(user, "any password")

    def send(
        self, message: bytes, *recipients: To, sender: str = "pat@example.net", options: Sequence[str] = ()
    ) -> Reply:
        """Send one message, and return the reply to its end, or to the recipient that was refused."""
        code, text = self._smtp.mail(sender, options)
        for one in recipients:
            if code == 250:
                address, parameters = (one, ()) if isinstance(one, str) else one
                # Not smtplib's rcpt(), which mends addresses.
                code, text = self._smtp.docmd("RCPT", " ".join((f"TO:<{address}>", *parameters)))
        if code == 250:
            code, text = self._smtp.data(message)
        if code != 250:
            self._smtp.rset()
        return Reply(code, text.decode())

    def offer(
        self, message: bytes, *recipients: str, sender: str = "pat@example.net"
    ) -> tuple[Reply, Mapping[str, Reply]]:
        """Send one message to those who are let in; return the reply to its end and those to the others."""
        self._smtp.mail(sender)
        replies = {one: self._smtp.rcpt(one) for one in recipients}
        code, text = self._smtp.data(message)
        others = {one: Reply(code, text.decode()) for one, (code, text) in replies.items() if code != 250}
        return Reply(code, text.decode()), others

    def greet(self, name: bytes) -> None:
        """Say who we are, in any bytes."""
        self._smtp.command_encoding = "latin-1"
        self._smtp.ehlo(name.decode("latin-1"))
        self._smtp.command_encoding = "ascii"

    def begin(self, recipient: str) -> None:
        """Begin a message."""
        self._smtp.mail("pat@example.net")
        self._smtp.rcpt(recipient)

    def reset(self) -> None:
        """Give up the message that was begun."""
        self._smtp.rset()

    def break_off(self, message: bytes, recipient: str) -> None:
        """Hang up in the middle of a message."""
        self.begin(recipient)
        self._smtp.docmd("DATA")
        self._smtp.send(message)
        self._smtp.close()

    def close(self) -> None:
        """Say goodbye."""
        if self._smtp.sock is not None:
            self._smtp.quit()


@contextmanager
def connection(
    port: int, *, client: str | None = "192.0.2.25", user: str | None = None
) -> Iterator[Connection]:
    """Yield a connection from an outside host, or from an authenticated user."""
    one = Connection(port)
    if client is not None:
        one.appear_as(client)
    if user is not None:
        one.login(user)
    try:
        yield one
    finally:
        one.close()


@dataclass(frozen=True, slots=True)
class Kept:
    """One message that the sink took."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes  # lines ended by CRLF


REFUSED = "refused@example.net"


class Sink:
    """The outside world: takes mail to all but one address, and keeps it."""

    def __init__(self, port: int) -> None:
        """Listen on a port on loopback."""
        self.port = port
        self._kept: list[Kept] = []
        self._changed = threading.Condition()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE, enable_SMTPUTF8=True
        )
        self._controller.start()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient; aiosmtpd's name."""
        if address == REFUSED:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a message; aiosmtpd's name."""
        content = envelope.original_content or b""
        with self._changed:
            self._kept.append(Kept(envelope.mail_from or "", tuple(envelope.rcpt_tos), content))
            self._changed.notify_all()
        return "250 2.0.0 kept"

    @property
    def kept(self) -> Sequence[Kept]:
        """What it took so far."""
        return tuple(self._kept)

    def wait_for(self, text: bytes) -> Kept:
        """Return the first message that has that text in it, waiting until it comes."""

        def found() -> Kept | None:
            return next((one for one in self._kept if text in one.content), None)

        with self._changed:
            one = self._changed.wait_for(found, PATIENCE)
        if one is None:
            raise AssertionError(f"no message with {text!r} came out of the MTA")
        return one

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()


def is_open(port: int) -> bool:
    """Tell whether somebody listens on a port on loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once a condition that nobody tells of is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
