"""What one milter connection has told so far, collected in bytes, and the message that it makes."""

from __future__ import annotations

from collections.abc import Iterable

from tamis.message import Envelope, HeaderField, Message, Recipient

MAX_NAME = 2048  # octets of a HELO or host name, or of a macro's value; Postfix's line_length_limit
# What Python takes beside the octets that the MTA sent: objects and their places in lists.
FIELD = 150  # octets
RECIPIENT = 400  # octets


def text(octets: bytes) -> str:
    """Return octets as text; those that are not UTF-8 survive as surrogates (PEP 383)."""
    return octets.decode("utf-8", "surrogateescape")


def path(octets: bytes) -> str:
    """Return the address in a path such as <anna@example.org> (RFC 5321 section 4.1.2)."""
    address = text(octets).strip()
    return address[1:-1] if address.startswith("<") and address.endswith(">") else address


def rcpt_to(octets: bytes, parameters: Iterable[bytes], resolved: str) -> Recipient:
    """Return a recipient as told; resolved is the MTA's {rcpt_addr}, or ""."""
    return Recipient(path(octets), tuple(map(text, parameters)), resolved)


def cut(octets: bytes) -> str:
    """Return a name that outlives a message as text, as far as one may go."""
    return text(octets[:MAX_NAME])


class Session:
    """One connection; mail() begins a message, what is added makes it, message() or forget() ends it."""

    __slots__ = (
        "asks",
        "auth_user",
        "begun",
        "chunks",
        "client_ip",
        "client_name",
        "daemon_name",
        "dropped",
        "failed",
        "fields",
        "helo",
        "kept",
        "mail_from",
        "mail_parameters",
        "mta_name",
        "omitted",
        "quiet",
        "received",
        "recipients",
        "turned_away",
    )

    def __init__(self) -> None:
        self.client_ip: str | None = None
        self.client_name = ""
        self.helo = ""
        self.daemon_name: str | None = None
        self.mta_name = ""
        self.quiet = False  # the MTA awaits no answer but that to end of message
        self.asks = False  # and that to each recipient
        self.forget()

    def forget(self) -> None:
        """Be between two messages."""
        self.begun = False
        self.mail_from = ""
        self.mail_parameters: tuple[bytes, ...] = ()
        self.auth_user: str | None = None
        self.failed = False  # a callback raised: what was collected is not the whole message
        self.dropped = False  # there was no room for it
        self.turned_away = 0  # recipients that it does not have
        self._empty()

    def drop(self) -> None:
        """Let go of what was collected, as there is no room; its end will be answered with a tempfail."""
        self.dropped = True
        self._empty()

    def _empty(self) -> None:
        self.recipients: list[Recipient] = []
        self.fields: list[HeaderField] = []
        self.chunks: list[bytes] = []
        self.received = 0  # octets, as the MTA sent them
        self.kept = 0  # octets of the body
        self.omitted = 0  # octets of the body that are not kept

    def mail(self, sender: bytes, parameters: tuple[bytes, ...]) -> None:
        """Begin a message."""
        self.forget()
        self.begun = True
        self.mail_from = path(sender)
        self.mail_parameters = parameters

    def came_from(self, address: str | None) -> None:
        """Note {client_addr} where CONNECT told no address; Sendmail's "0" is a program of its own host."""
        if self.client_ip is None and address != "0":
            self.client_ip = address

    def body(self, chunk: bytes, most: int) -> None:
        """Add a part of the body, unless there are more than so many octets of it already."""
        if self.kept > most:
            self.omitted += len(chunk)
        else:
            self.chunks.append(chunk)
            self.kept += len(chunk)

    @property
    def octets(self) -> int:
        """What the message takes in memory, about."""
        objects = FIELD * len(self.fields) + RECIPIENT * len(self.recipients)
        return self.received - self.omitted + objects

    def envelope(self, queue_id: str | None) -> Envelope:
        """Return the envelope collected so far."""
        return Envelope(
            mail_from=self.mail_from,
            recipients=tuple(self.recipients),
            client_ip=self.client_ip,
            client_name=self.client_name,
            helo=self.helo,
            queue_id=queue_id,
            auth_user=self.auth_user,
            daemon_name=self.daemon_name,
            mta_name=self.mta_name,
            mail_parameters=tuple(map(text, self.mail_parameters)),
        )

    def message(self, queue_id: str | None) -> Message:
        """Return the message collected, and forget it."""
        message = Message(self.envelope(queue_id), tuple(self.fields), b"".join(self.chunks), self.omitted)
        self.forget()
        return message
