"""A small SMTP server (RFC 5321) that asks a milter as Postfix does and delivers into Maildirs."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session, syntax
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from tamis.interfaces import Directory, StoreUnavailable
from tamis.message import Recipient
from tamis.sandbox.client import (
    UNAVAILABLE,
    Answer,
    Client,
    Connection,
    MilterUnavailable,
    Unfiltered,
    Verdict,
)
from tamis.sandbox.edit import apply
from tamis.sandbox.maildir import OUTSIDE, Mailbox, Maildirs
from tamis.sandbox.section import split
from tamis.sandbox.wire import ProtocolError

log = logging.getLogger(__name__)

MAX_COMMAND = (
    2048  # octets; RFC 5321's 512, and what SIZE, AUTH and DSN parameters add (RFC 3461 section 4.1)
)
PATH = re.compile(r'((?:FROM|TO):\s*<(?:"(?:[^"\\]|\\.)*"|[^>"])*>)\s*(.*)', re.IGNORECASE | re.DOTALL)
DSN = re.compile(r"(?:NOTIFY|ORCPT|RET|ENVID)=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server is set up."""

    milter: str | None  # its address; None for a listener that asks none
    domains: tuple[str, ...]  # delivered here, lower case
    delimiter: str  # between address and detail; "" for none
    max_message: int  # octets
    name: str  # of this host
    maildir: Path | None  # where mail is kept; None to keep none
    client_ip: str | None = None  # stands for the address of every client; None to tell the true ones


class Server:
    """Listens for SMTP clients; a Conversation for each."""

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self.settings = settings
        self.directory = directory
        self.maildirs = Maildirs(settings.maildir) if settings.maildir is not None else None
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs addresses and content
        self._conversations: set[Conversation] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Open the socket; raise OSError."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._converse, host, port)

    def _converse(self) -> Conversation:
        one = Conversation(self)
        self._conversations.add(one)
        return one

    def forget(self, one: Conversation) -> None:
        """Drop a conversation that has ended."""
        self._conversations.discard(one)

    async def close(self) -> None:
        """Hang up on everybody."""
        for one in tuple(self._conversations):
            one.hang_up()
            await one.end()

    async def mailboxes(self, recipient: Recipient) -> list[Mailbox]:
        """Return where a recipient's copies go, after aliases, groups and detail."""
        local, _, domain = recipient.address.rpartition("@")
        if domain.lower() not in self.settings.domains:
            return [Mailbox(OUTSIDE)]
        detail = local.partition(self.settings.delimiter)[2] if self.settings.delimiter else ""
        (resolution,) = await self.directory.resolve([recipient.address])
        found = []
        for member in resolution.members:
            if member.local:
                owner = member.account or self._without_detail(member.address or recipient.address.lower())
                found.append(Mailbox(owner, detail))
            else:
                found.append(Mailbox(OUTSIDE))
        return found

    def _without_detail(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        name = local.partition(self.settings.delimiter)[0] if self.settings.delimiter else local
        return f"{name}@{domain}"


class Conversation(SMTP):
    """One SMTP connection, and the milter connection that goes with it."""

    line_length_limit = 1 << 26  # octets; any line that SIZE lets in, as Postfix takes them

    def __init__(self, server: Server) -> None:
        super().__init__(
            self,
            data_size_limit=server.settings.max_message,
            enable_SMTPUTF8=True,
            hostname=server.settings.name,
            ident="ESMTP Tamis sandbox",
            auth_require_tls=False,
            authenticator=_believe,
            loop=asyncio.get_running_loop(),
        )
        self.command_size_limit = MAX_COMMAND
        self.command_size_limits = defaultdict(lambda: MAX_COMMAND)
        self._server = server
        self._milter: Connection | Unfiltered | None = None  # None, too, where it was lost
        self._parameters: tuple[str, ...] = ()
        self._recipients: list[Recipient] = []
        self._ending: asyncio.Task[None] | None = None

    # aiosmtpd knows no DSN parameters, which are taken from the commands here.

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        """Take MAIL FROM with the parameters of DSN."""
        await super().smtp_MAIL(self._take_parameters(arg))

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take RCPT TO with the parameters of DSN."""
        await super().smtp_RCPT(self._take_parameters(arg))

    def _take_parameters(self, arg: str | None) -> str | None:
        match = PATH.fullmatch(arg or "")
        if match is None:
            return arg
        words = match[2].split()
        self._parameters = tuple(words)
        return " ".join((match[1], *(word for word in words if not DSN.match(word))))

    # Hooks of aiosmtpd, which calls its handler: this object itself.

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: SmtpEnvelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Tell the milter of EHLO, and the client of DSN."""
        session.host_name = hostname
        refusal = await self._greet(hostname)
        return [refusal] if refusal is not None else [*responses[:-1], "250-DSN", responses[-1]]

    async def handle_HELO(self, server: SMTP, session: Session, envelope: SmtpEnvelope, hostname: str) -> str:
        """Tell the milter of HELO."""
        session.host_name = hostname
        return await self._greet(hostname) or f"250 {self._server.settings.name}"

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: SmtpEnvelope, address: str, options: list[str]
    ) -> str:
        """Tell the milter of the sender."""
        self._recipients = []
        if self._milter is None:
            return UNAVAILABLE
        sender = "" if address == "<>" else address
        user = session.auth_data if isinstance(session.auth_data, str) else None
        try:
            refusal = await self._milter.mail(sender, self._parameters, auth_user=user)
        except (MilterUnavailable, ProtocolError) as error:
            return await self._lose(error)
        if refusal is None:
            envelope.mail_from = address
        return refusal or "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: SmtpEnvelope, address: str, options: list[str]
    ) -> str:
        """Refuse to relay for strangers, and tell the milter of the others."""
        strange = self._server.settings.milter is not None and not session.authenticated
        if strange and not self._is_local(address):
            return f"554 5.7.1 <{address}>: Relay access denied"
        if self._milter is None:
            return UNAVAILABLE
        recipient = Recipient(address, self._parameters)
        try:
            refusal = await self._milter.rcpt(recipient)
        except (MilterUnavailable, ProtocolError) as error:
            return await self._lose(error)
        if refusal is None:
            self._recipients.append(recipient)
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: SmtpEnvelope) -> str:
        """Ask the milter what becomes of the message, and do it."""
        if self._milter is None:
            return UNAVAILABLE
        raw = envelope.original_content or b""
        name = self._milter.queue_id
        try:
            answer = await self._milter.message(split(raw))
        except (MilterUnavailable, ProtocolError) as error:
            return await self._lose(error)
        log.info("%s: recipients=%d milter=%s", name, len(self._recipients), answer.verdict.value)
        if answer.reply is not None:
            return answer.reply
        try:
            if answer.verdict is Verdict.ACCEPT:
                await self._deliver(raw, answer, sender=envelope.mail_from or "", name=name)
        except (OSError, StoreUnavailable) as error:
            log.error("%s: not delivered: %s", name, type(error).__name__)
            return "451 4.3.0 Mail cannot be delivered now, try again later"
        return f"250 2.0.0 Ok: queued as {name}"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: SmtpEnvelope) -> str:
        """Tell the milter that the message is given up."""
        if self._milter is not None:
            self._milter.abort()
        return "250 2.0.0 Ok"

    async def handle_exception(self, error: Exception) -> str:
        """Say that something is wrong, and what, but not in the exception's words: they may quote mail."""
        log.error("conversation failed error=%s", type(error).__name__)
        return "451 4.3.0 Internal error, try again later"

    def connection_lost(self, error: Exception | None) -> None:
        """Let the milter know that the client has gone."""
        super().connection_lost(error)
        self._ending = asyncio.get_running_loop().create_task(self.end())

    async def end(self) -> None:
        """Hang up on the milter."""
        self._server.forget(self)
        milter, self._milter = self._milter, None
        if milter is not None:
            await milter.close()

    def hang_up(self) -> None:
        """Hang up on the client."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.close()

    async def _greet(self, hostname: str) -> str | None:
        """Connect to the milter if need be, and say who the client says he is; return a refusal."""
        try:
            if self._milter is None:
                where = self._server.settings.milter
                self._milter = await Connection.open(where, self._client()) if where else Unfiltered()
            return await self._milter.helo(hostname)
        except (MilterUnavailable, ProtocolError) as error:
            await self._lose(error)  # MAIL will be refused for now, as with milter_default_action = tempfail
            return None

    def _client(self) -> Client:
        ip, port = self._peer()
        return Client(ip=ip, port=port, mta_name=self._server.settings.name)

    def _peer(self) -> tuple[str, int]:
        """Return address and port of the client, or the address that stands for all."""
        ip, port = self._writer.get_extra_info("peername")[:2]
        return self._server.settings.client_ip or str(ip), int(port)

    async def _lose(self, error: Exception) -> str:
        log.warning("milter %s: %s", self._server.settings.milter, error)
        milter, self._milter = self._milter, None
        if milter is not None:
            await milter.close()
        return UNAVAILABLE

    def _is_local(self, address: str) -> bool:
        return address.rpartition("@")[2].lower() in self._server.settings.domains

    async def _deliver(self, raw: bytes, answer: Answer, *, sender: str, name: str) -> None:
        """Write a copy for each mailbox, with the trace that an MTA puts on top (RFC 5321 section 4.4)."""
        received = self._received(name)
        content, recipients = apply(raw, self._recipients, answer.modifications, received=received)
        copies: dict[Mailbox, Recipient] = {}
        for recipient in recipients:
            for mailbox in await self._server.mailboxes(recipient):
                copies.setdefault(mailbox, recipient)
        for mailbox, recipient in copies.items():
            path = f"<{sender.removeprefix('<').removesuffix('>')}>"
            trace = f"Return-Path: {path}\r\nDelivered-To: {recipient.address}\r\n"
            if self._server.maildirs is not None:
                octets = trace.encode("utf-8", "surrogateescape") + content
                self._server.maildirs.deliver(mailbox, octets)

    def _received(self, name: str) -> bytes:
        assert self.session is not None  # noqa: S101  # aiosmtpd sets it before anything is said
        ip, _ = self._peer()
        literal = f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"
        protocol = "ESMTPA" if self.session.authenticated else "ESMTP"
        lines = (
            f"Received: from {self.session.host_name} ({literal})",
            f"\tby {self._server.settings.name} (Tamis sandbox) with {protocol} id {name};",
            f"\t{format_datetime(datetime.now(UTC))}",
            "",
        )
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _believe(
    server: SMTP, session: Session, envelope: SmtpEnvelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    """Let everybody in, with any password."""
    return AuthResult(success=True, auth_data=data.login.decode("utf-8", "replace"))
