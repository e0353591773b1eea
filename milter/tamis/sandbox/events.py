"""What Postfix 3.7 tells a milter, and with which macros, command by command; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tamis.sandbox import wire
from tamis.sandbox.section import Section
from tamis.sandbox.wire import Command, Options, Stage, Steps

# Postfix's milter_*_macros; a filter's own list takes the place of the one of its stage.
DEFAULT_MACROS: Mapping[Stage, tuple[str, ...]] = {
    Stage.CONNECT: ("j", "{daemon_name}", "{daemon_addr}", "v", "_"),
    Stage.HELO: ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"),
    Stage.MAIL: (
        "i",
        "{auth_type}",
        "{auth_authen}",
        "{auth_author}",
        "{mail_addr}",
        "{mail_host}",
        "{mail_mailer}",
    ),
    Stage.RCPT: ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
    Stage.DATA: ("i",),
    Stage.END_OF_HEADER: ("i",),
    Stage.END_OF_MESSAGE: ("i",),
}

# For each command: the stage whose macros go with it, the bit that leaves it out, and the bit that leaves it
# unanswered. Postfix sends the macros of end of header with each field, and those of end of message with each
# chunk of the body.
RULES: Mapping[Command, tuple[Stage, Steps, Steps]] = {
    Command.CONNECT: (Stage.CONNECT, Steps.NO_CONNECT, Steps.QUIET_CONNECT),
    Command.HELO: (Stage.HELO, Steps.NO_HELO, Steps.QUIET_HELO),
    Command.MAIL: (Stage.MAIL, Steps.NO_MAIL, Steps.QUIET_MAIL),
    Command.RCPT: (Stage.RCPT, Steps.NO_RCPT, Steps.QUIET_RCPT),
    Command.DATA: (Stage.DATA, Steps.NO_DATA, Steps.QUIET_DATA),
    Command.HEADER: (Stage.END_OF_HEADER, Steps.NO_HEADERS, Steps.QUIET_HEADER),
    Command.END_OF_HEADER: (Stage.END_OF_HEADER, Steps.NO_END_OF_HEADER, Steps.QUIET_END_OF_HEADER),
    Command.BODY: (Stage.END_OF_MESSAGE, Steps.NO_BODY, Steps.QUIET_BODY),
    Command.END_OF_MESSAGE: (Stage.END_OF_MESSAGE, Steps(0), Steps(0)),
}


@dataclass(frozen=True, slots=True)
class Event:
    """A command with its macros: the octets to send, and whether the filter answers them."""

    command: Command
    octets: bytes
    answered: bool


class Teller:
    """Tells a filter what happens, as was negotiated with it."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def connect(self, hostname: str, ip: str | None, port: int, *, macros: Mapping[str, str]) -> Event:
        """Return the event of a new client."""
        return self._event(Command.CONNECT, wire.connect(hostname, ip, port), macros)

    def helo(self, name: str, macros: Mapping[str, str]) -> Event:
        """Return the event of HELO or EHLO."""
        return self._event(Command.HELO, wire.helo(name), macros)

    def mail(self, address: str, parameters: Sequence[str], macros: Mapping[str, str]) -> Event:
        """Return the event of MAIL FROM."""
        return self._event(Command.MAIL, wire.mail(address, parameters), macros)

    def rcpt(self, address: str, parameters: Sequence[str], macros: Mapping[str, str]) -> Event:
        """Return the event of RCPT TO."""
        return self._event(Command.RCPT, wire.rcpt(address, parameters), macros)

    def data(self, macros: Mapping[str, str]) -> Event:
        """Return the event of DATA."""
        return self._event(Command.DATA, wire.frame(Command.DATA), macros)

    def message(self, section: Section, macros: Mapping[str, str]) -> Iterator[Event]:
        """Yield the events of a message's content, end of message included."""
        keep_space = bool(self._options.steps & Steps.LEADING_SPACE)
        for field in section.fields:
            value = field.value if keep_space else field.value.removeprefix(b" ")
            yield self._event(Command.HEADER, wire.header(field.name, value), macros)
        yield self._event(Command.END_OF_HEADER, wire.frame(Command.END_OF_HEADER), macros)
        for chunk in wire.body(section.body):
            yield self._event(Command.BODY, chunk, macros)
        yield self._event(Command.END_OF_MESSAGE, wire.frame(Command.END_OF_MESSAGE), macros)

    def _event(self, command: Command, packet: bytes, macros: Mapping[str, str]) -> Event:
        """Return a command behind its macros, which are sent even where the command is not."""
        stage, unwanted, quiet = RULES[command]
        names = self._options.macros.get(stage) or DEFAULT_MACROS[stage]
        known = {name: macros[name] for name in names if name in macros}
        octets = wire.macros(command, known)
        if self._options.steps & unwanted:
            return Event(command, octets, answered=False)
        return Event(command, octets + packet, answered=not self._options.steps & quiet)


def writes(events: Sequence[Event]) -> Iterator[tuple[bytes, Event]]:
    """Yield the octets to send in one write up to each event that is answered, and that event.

    The last event must be an answered one, as end of message is.
    """
    octets: list[bytes] = []
    for event in events:
        octets.append(event.octets)
        if event.answered:
            yield b"".join(octets), event
            octets.clear()
