"""What an MTA writes to a milter for one message, encoded once and sent many times.

The order of the commands and the macros of each stage are Postfix's (milter(5), milter8.c of its source).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tamis.sandbox import wire
from tamis.sandbox.wire import Command, Options, Stage, Steps

# Command: the stage of its macros, the bit "not wanted", the bit "not answered".
STEPS: Mapping[Command, tuple[Stage | None, Steps, Steps]] = {
    Command.CONNECT: (Stage.CONNECT, Steps.NO_CONNECT, Steps.QUIET_CONNECT),
    Command.HELO: (Stage.HELO, Steps.NO_HELO, Steps.QUIET_HELO),
    Command.MAIL: (Stage.MAIL, Steps.NO_MAIL, Steps.QUIET_MAIL),
    Command.RCPT: (Stage.RCPT, Steps.NO_RCPT, Steps.QUIET_RCPT),
    Command.DATA: (Stage.DATA, Steps.NO_DATA, Steps.QUIET_DATA),
    Command.HEADER: (None, Steps.NO_HEADERS, Steps.QUIET_HEADER),
    Command.END_OF_HEADER: (Stage.END_OF_HEADER, Steps.NO_END_OF_HEADER, Steps.QUIET_END_OF_HEADER),
    Command.BODY: (None, Steps.NO_BODY, Steps.QUIET_BODY),
    Command.END_OF_MESSAGE: (Stage.END_OF_MESSAGE, Steps(0), Steps(0)),
}
# Where the filter does not choose: the defaults of Postfix's milter_*_macros.
MACROS: Mapping[Stage, tuple[str, ...]] = {
    Stage.CONNECT: ("j", "{daemon_name}", "{daemon_addr}", "v", "_"),
    Stage.MAIL: ("i", "{auth_type}", "{auth_authen}", "{mail_addr}", "{mail_host}", "{mail_mailer}"),
    Stage.RCPT: ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
    Stage.DATA: ("i",),
    Stage.END_OF_HEADER: ("i",),
    Stage.END_OF_MESSAGE: ("i",),
}
KNOWN_FROM_DATA_ON = "i"  # Postfix has a queue file, and so a queue ID, once it took a recipient
EARLY = (Stage.CONNECT, Stage.HELO, Stage.MAIL, Stage.RCPT)
OPENING = (Command.CONNECT, Command.HELO)
PORT = 25252  # of the client; it does not matter
ID = b"0QUEUEID0000"  # stands for the queue ID in encoded messages; as long as one


@dataclass(frozen=True, slots=True)
class Mail:
    """One message and its envelope, as an SMTP client would give them."""

    fields: tuple[tuple[bytes, bytes], ...]  # name, and value with the blank after the colon, folds as LF
    body: bytes  # lines ended by CRLF
    mail_from: str = "sender@example.net"
    recipients: tuple[str, ...] = ("user@example.org",)
    client_ip: str = "192.0.2.10"
    helo: str = "client.example.net"


@dataclass(frozen=True, slots=True)
class Segment:
    """Commands up to one that the filter answers: octets between the places of the queue ID."""

    pieces: tuple[bytes, ...]


def script(mail: Mail, agreed: Options, *, first: bool = True) -> tuple[Segment, ...]:
    """Return all that is sent for a message, cut where the filter's answer must be awaited.

    A message that is not the first of its SMTP session goes without connect and helo.
    """
    segments: list[Segment] = []
    pending: list[bytes] = []
    for command, packets in _commands(mail, agreed):
        if command in OPENING and not first:
            continue
        pending.append(packets)
        if not agreed.steps & STEPS[command][2]:
            segments.append(Segment(tuple(b"".join(pending).split(ID))))
            pending = []
    return tuple(segments)


def _commands(mail: Mail, agreed: Options) -> Iterator[tuple[Command, bytes]]:
    """Return each command that the filter wants, with its macros before it."""
    values = _values(mail)
    chosen = {**MACROS, **agreed.macros}
    for command, packet, more in _packets(mail, agreed):
        stage, unwanted, _ = STEPS[command]
        values.update(more)
        if agreed.steps & unwanted:
            continue
        macros = {
            name: values[name]
            for name in (chosen.get(stage, ()) if stage is not None else ())
            if name in values and not (name == KNOWN_FROM_DATA_ON and stage in EARLY)
        }
        yield command, (wire.macros(command, macros) if macros else b"") + packet


def _packets(mail: Mail, agreed: Options) -> Iterator[tuple[Command, bytes, dict[str, str]]]:
    """Return each command, and the macros that get a value with it."""
    yield Command.CONNECT, wire.connect(mail.helo, mail.client_ip, PORT), {}
    yield Command.HELO, wire.helo(mail.helo), {}
    yield Command.MAIL, wire.mail(mail.mail_from), {}
    for recipient in mail.recipients:
        host = recipient.rpartition("@")[2]
        macros = {"{rcpt_addr}": recipient, "{rcpt_host}": host, "{rcpt_mailer}": "local"}
        yield Command.RCPT, wire.rcpt(recipient), macros
    yield Command.DATA, wire.frame(Command.DATA), {}
    keeps_blank = Steps.LEADING_SPACE in agreed.steps
    for name, value in mail.fields:
        yield Command.HEADER, wire.header(name, value if keeps_blank else value.removeprefix(b" ")), {}
    yield Command.END_OF_HEADER, wire.frame(Command.END_OF_HEADER), {}
    for packet in wire.body(mail.body):
        yield Command.BODY, packet, {}
    yield Command.END_OF_MESSAGE, wire.frame(Command.END_OF_MESSAGE), {}


def _values(mail: Mail) -> dict[str, str]:
    return {
        "i": ID.decode(),
        "j": "mx.example.org",
        "v": "Postfix 3.7.11",
        "_": f"{mail.helo} [{mail.client_ip}]",
        "{daemon_name}": "smtpd",
        "{daemon_addr}": "192.0.2.1",
        "{client_addr}": mail.client_ip,
        "{client_name}": mail.helo,
        "{mail_addr}": mail.mail_from,
        "{mail_host}": mail.mail_from.rpartition("@")[2],
        "{mail_mailer}": "smtp",
    }
