"""Speaks the milter protocol as Postfix 3.7 does, on asyncio, for the sandbox and the tests."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import TracebackType
from typing import Self

from tamis import address, sockets
from tamis.message import Envelope, Recipient
from tamis.sandbox import wire
from tamis.sandbox.events import Event, Teller
from tamis.sandbox.section import Section, split
from tamis.sandbox.wire import (
    AddField,
    ChangeField,
    Command,
    InsertField,
    Modification,
    Options,
    ProtocolError,
    Response,
    Steps,
)

CONNECT_TIMEOUT = 30.0  # seconds; Postfix's milter_connect_timeout
COMMAND_TIMEOUT = 30.0  # seconds; milter_command_timeout
CONTENT_TIMEOUT = 300.0  # seconds; milter_content_timeout
CONTENT = (Command.HEADER, Command.END_OF_HEADER, Command.BODY, Command.END_OF_MESSAGE)
REFUSED = "550 5.7.1 Command rejected"
UNAVAILABLE = "451 4.7.1 Service unavailable - try again later"

_serial = itertools.count(1)


class Verdict(Enum):
    """What a filter decided."""

    ACCEPT = "accept"
    TEMPFAIL = "tempfail"
    REJECT = "reject"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client on whose behalf a filter is asked, and the MTA that asks."""

    ip: str | None = "192.0.2.25"
    name: str = "unknown"
    port: int = 49152
    mta_name: str = "mx.example.org"
    daemon_name: str | None = None  # None: the MTA's name, Postfix's default of milter_macro_daemon_name

    def macros(self) -> Mapping[str, str]:
        """Return the macros that hold for the whole connection."""
        ip = self.ip or "unknown"
        return {
            "j": self.mta_name,
            "v": "Tamis sandbox",
            "_": f"{self.name} [{ip}]",
            "{daemon_name}": self.daemon_name or self.mta_name,
            "{daemon_addr}": "127.0.0.1",
            "{client_addr}": ip,
            "{client_name}": self.name,
            "{client_port}": str(self.port),
        }


STRANGER = Client()  # some client of the outside world


@dataclass(frozen=True, slots=True)
class Answer:
    """What a filter decided on a message, and what it asked for; reply None leaves the words to the MTA."""

    verdict: Verdict
    reply: str | None = None
    modifications: tuple[Modification, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()  # recipients refused at RCPT, and the replies


class MilterUnavailable(Exception):
    """The filter cannot be reached, hung up, or answered nothing in time."""


def new_queue_id() -> str:
    """Return a queue ID that was not used before, in the form of Postfix's short ones."""
    return f"{time.time_ns() // 1000 & 0xFFFFF:05X}{next(_serial) & 0xFFFFFF:06X}"


class Connection:
    """One connection to a filter, for one SMTP client: begun by open(), ended by close().

    Each step returns the SMTP reply with which the filter refuses it, or None to go on. Raises
    MilterUnavailable and wire.ProtocolError; the connection is of no use after either.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Client = STRANGER
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client
        self._macros = dict(client.macros())
        self._decoder = wire.Decoder()
        self._frames: list[tuple[bytes, bytes]] = []
        self._waiting: list[bytes] = []  # commands that await no answer go out with the next that does
        self._all: Answer | None = None  # the filter's answer to the whole connection
        self._message: Answer | None = None  # its answer to this message, given before its end
        self._skipped: Command | None = None  # it wants no more of these for now
        self.options = Options()
        self.queue_id = ""  # of the message in hand

    @classmethod
    async def open(cls, milter: str, client: Client = STRANGER, helo: str | None = None) -> Self:
        """Connect to "unix:/PATH" or "inet:HOST:PORT", negotiate, and tell who the client is."""
        where = address.parse(milter)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                streams = await asyncio.open_connection(sock=await sockets.connect(where))
        except (OSError, TimeoutError) as error:
            raise MilterUnavailable(f"cannot connect to {where}: {error}") from error
        connection = cls(*streams, client)
        try:
            await connection._begin()
            if helo is not None:
                await connection.helo(helo)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye and hang up."""
        try:
            self._writer.write(b"".join(self._waiting) + wire.frame(Command.QUIT))
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            return  # the filter was faster

    async def _begin(self) -> None:
        self._writer.write(wire.negotiate(Options()))
        word, payload = await self._next(COMMAND_TIMEOUT)
        if word != Command.NEGOTIATE.value:
            raise ProtocolError("the filter does not negotiate")
        self.options = wire.options(payload)
        if self.options.version > wire.VERSION or self.options.actions & ~wire.ALL_ACTIONS:
            raise ProtocolError("the filter asks for more than it was offered")
        self._teller = Teller(self.options)
        one = self._client
        name = f"[{one.ip}]" if one.name == "unknown" and one.ip else one.name
        await self._tell(self._teller.connect(name, one.ip, one.port, macros=self._macros))

    async def helo(self, name: str) -> str | None:
        """Tell of HELO or EHLO."""
        return await self._tell(self._teller.helo(name, self._macros))

    async def mail(
        self,
        address: str,
        parameters: Sequence[str] = (),
        *,
        auth_user: str | None = None,
        queue_id: str | None = None,
    ) -> str | None:
        """Tell of MAIL FROM, and who has authenticated himself; queue_id is a new one if not given."""
        self._message = None
        self.queue_id = queue_id or new_queue_id()
        macros = {**self._client.macros(), "{mail_addr}": address, "{mail_mailer}": "smtp"}
        macros["{mail_host}"] = address.rpartition("@")[2]
        if auth_user is not None:
            macros |= {"{auth_type}": "PLAIN", "{auth_authen}": auth_user}
        self._macros = macros
        return await self._tell(self._teller.mail(address, parameters, self._macros))

    async def rcpt(self, recipient: Recipient) -> str | None:
        """Tell of RCPT TO; a refusal is for this recipient alone.

        Postfix makes its queue file, and so the queue ID, once it has taken a recipient.
        """
        address, parameters = recipient.address, recipient.parameters
        macros = {**self._macros, "{rcpt_addr}": recipient.resolved or address, "{rcpt_mailer}": "smtp"}
        macros["{rcpt_host}"] = address.rpartition("@")[2]
        refusal = await self._tell(self._teller.rcpt(address, parameters, macros))
        if refusal is None:
            self._macros["i"] = self.queue_id
        return refusal

    async def message(self, section: Section) -> Answer:
        """Tell of DATA and of the message, and return what becomes of it."""
        self._macros["i"] = self.queue_id
        modifications: list[Modification] = []
        for event in (self._teller.data(self._macros), *self._teller.message(section, self._macros)):
            if self._done is not None:
                break
            if event.command is not self._skipped:
                self._message = await self._ask(event, modifications)
        answer = replace(self._done or Answer(Verdict.ACCEPT), modifications=tuple(modifications))
        self.abort()  # as Postfix does after each message, too
        return answer

    def abort(self) -> None:
        """Tell, with the next command, that the message is given up (RSET); the connection goes on."""
        self._waiting.append(wire.frame(Command.ABORT))
        self._message = None

    async def send(self, envelope: Envelope, raw: bytes) -> Answer:
        """Send one message, octets as after SMTP's DATA, and return what becomes of it.

        Of the envelope, the client's part was told when the connection was opened. Recipients that are
        refused at RCPT are left out; if all are, the answer is the last one's refusal.
        """
        refusal = await self.mail(
            envelope.mail_from,
            envelope.mail_parameters,
            auth_user=envelope.auth_user,
            queue_id=envelope.queue_id,
        )
        if refusal is not None:
            self.abort()
            return _refusal(refusal)
        refused = []
        for one in envelope.recipients:
            if (refusal := await self.rcpt(one)) is not None:
                refused.append((one.address, refusal))
        if refused and len(refused) == len(envelope.recipients):
            self.abort()
            return replace(_refusal(refused[-1][1]), refused=tuple(refused))
        answer = await self.message(split(raw))
        return replace(answer, refused=tuple(refused))

    @property
    def _done(self) -> Answer | None:
        return self._all or self._message

    async def _tell(self, event: Event) -> str | None:
        """Tell of a step of the dialogue; return the reply that refuses it."""
        if self._done is not None:
            return self._done.reply
        answer = await self._ask(event, [])
        if answer is None:
            return None
        if event.command in (Command.CONNECT, Command.HELO):
            self._all = answer if answer.verdict is not Verdict.DISCARD else None
        elif event.command is not Command.RCPT or answer.reply is None:
            self._message = answer
        return answer.reply

    async def _ask(self, event: Event, modifications: list[Modification]) -> Answer | None:
        """Send a command and return the filter's decision, None for going on.

        The modifications that come before the decision at end of message are added to the list.
        """
        self._waiting.append(event.octets)
        if not event.answered:
            return None
        octets, self._waiting = b"".join(self._waiting), []
        try:
            self._writer.write(octets)
            await self._writer.drain()
        except OSError as error:
            raise MilterUnavailable(f"hung up: {error}") from error
        patience = CONTENT_TIMEOUT if event.command in CONTENT else COMMAND_TIMEOUT
        while True:
            word, payload = await self._next(patience)
            response = wire.response(word)
            change = wire.modification(response, payload)
            if change is not None:
                if event.command is not Command.END_OF_MESSAGE:
                    raise ProtocolError(f"{response.name} before end of message")
                modifications.append(self._spaced(change))
            elif response is not Response.PROGRESS:
                self._skipped = event.command if response is Response.SKIP else None
                return _answer(response, payload)

    def _spaced(self, change: Modification) -> Modification:
        """Return a change with the space behind the colon, which the MTA adds unless negotiated."""
        if self.options.steps & Steps.LEADING_SPACE:
            return change
        match change:
            case AddField() | InsertField():
                return replace(change, value=b" " + change.value)
            case ChangeField() if change.value:
                return replace(change, value=b" " + change.value)
            case _:
                return change

    async def _next(self, timeout: float) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(timeout):
                while not self._frames:
                    octets = await self._reader.read(65536)
                    if not octets:
                        raise MilterUnavailable("hung up")
                    self._frames = self._decoder.feed(octets)
        except (OSError, TimeoutError) as error:
            raise MilterUnavailable(f"no answer: {type(error).__name__}") from error
        return self._frames.pop(0)


class Unfiltered:
    """Stands for the connection to a filter where there is none, as at a listener for copies."""

    def __init__(self) -> None:
        self.queue_id = ""

    async def helo(self, name: str) -> None:
        """Go on."""

    async def mail(
        self, address: str, parameters: Sequence[str] = (), *, auth_user: str | None = None
    ) -> None:
        """Go on with a new message."""
        self.queue_id = new_queue_id()

    async def rcpt(self, recipient: Recipient) -> None:
        """Go on."""

    async def message(self, section: Section) -> Answer:
        """Take it as it is."""
        return Answer(Verdict.ACCEPT)

    def abort(self) -> None:
        """Go on."""

    async def close(self) -> None:
        """Do nothing."""


def _answer(response: Response, payload: bytes) -> Answer | None:
    match response:
        case Response.ACCEPT:
            return Answer(Verdict.ACCEPT)
        case Response.DISCARD:
            return Answer(Verdict.DISCARD)
        case Response.REJECT:
            return _refusal(REFUSED)
        case Response.TEMPFAIL:
            return _refusal(UNAVAILABLE)
        case Response.REPLY:
            return _refusal(wire.reply(payload))
        case Response.SHUTDOWN:
            return _refusal("421 4.7.0 Service closing")
        case Response.CONTINUE | Response.SKIP:
            return None
        case _:
            raise ProtocolError(f"{response.name} is no answer")


def _refusal(reply: str) -> Answer:
    return Answer(Verdict.TEMPFAIL if reply.startswith("4") else Verdict.REJECT, reply)
