"""The milter protocol, version 6, from the MTA's side: its words and frames (libmilter/mfdef.h); pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from typing import TypeAlias

VERSION = 6  # SMFI_PROT_VERSION
CHUNK = 65535  # octets of body in one frame (MILTER_CHUNK_SIZE)
LONGEST = 1 << 20  # octets of a response that we take; far above what libmilter sends (MILTER_MAX_DATA_SIZE)


class Command(Enum):
    """What the MTA says (SMFIC_*)."""

    ABORT = b"A"
    BODY = b"B"
    CONNECT = b"C"
    MACRO = b"D"
    END_OF_MESSAGE = b"E"  # SMFIC_BODYEOB
    HELO = b"H"
    HEADER = b"L"
    MAIL = b"M"
    END_OF_HEADER = b"N"  # SMFIC_EOH
    NEGOTIATE = b"O"  # SMFIC_OPTNEG; also the filter's answer to it
    QUIT = b"Q"
    RCPT = b"R"
    DATA = b"T"
    UNKNOWN = b"U"


class Response(Enum):
    """What the filter answers (SMFIR_*)."""

    ADD_RECIPIENT = b"+"  # SMFIR_ADDRCPT
    ADD_RECIPIENT_WITH_PARAMETERS = b"2"  # SMFIR_ADDRCPT_PAR
    REMOVE_RECIPIENT = b"-"  # SMFIR_DELRCPT
    SHUTDOWN = b"4"
    ACCEPT = b"a"
    REPLACE_BODY = b"b"  # SMFIR_REPLBODY
    CONTINUE = b"c"
    DISCARD = b"d"
    CHANGE_SENDER = b"e"  # SMFIR_CHGFROM
    ADD_FIELD = b"h"  # SMFIR_ADDHEADER
    INSERT_FIELD = b"i"  # SMFIR_INSHEADER
    CHANGE_FIELD = b"m"  # SMFIR_CHGHEADER
    NEGOTIATE = b"O"
    PROGRESS = b"p"
    QUARANTINE = b"q"
    REJECT = b"r"
    SKIP = b"s"
    TEMPFAIL = b"t"
    REPLY = b"y"  # SMFIR_REPLYCODE


class Actions(IntFlag):
    """What the filter may ask for at end of message (SMFIF_*)."""

    ADD_FIELDS = 0x1  # SMFIF_ADDHDRS; inserting too
    REPLACE_BODY = 0x2  # SMFIF_CHGBODY
    ADD_RECIPIENTS = 0x4  # SMFIF_ADDRCPT
    REMOVE_RECIPIENTS = 0x8  # SMFIF_DELRCPT
    CHANGE_FIELDS = 0x10  # SMFIF_CHGHDRS
    QUARANTINE = 0x20
    CHANGE_SENDER = 0x40  # SMFIF_CHGFROM
    ADD_RECIPIENTS_WITH_PARAMETERS = 0x80  # SMFIF_ADDRCPT_PAR
    CHOOSE_MACROS = 0x100  # SMFIF_SETSYMLIST


class Steps(IntFlag):
    """Which commands the filter does not want, which ones it does not answer, and details (SMFIP_*)."""

    NO_CONNECT = 0x1
    NO_HELO = 0x2
    NO_MAIL = 0x4
    NO_RCPT = 0x8
    NO_BODY = 0x10
    NO_HEADERS = 0x20  # SMFIP_NOHDRS
    NO_END_OF_HEADER = 0x40  # SMFIP_NOEOH
    QUIET_HEADER = 0x80  # SMFIP_NR_HDR
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP = 0x400  # the MTA understands SMFIR_SKIP
    REJECTED_RCPT = 0x800  # SMFIP_RCPT_REJ: send refused recipients, too
    QUIET_CONNECT = 0x1000  # SMFIP_NR_CONN
    QUIET_HELO = 0x2000
    QUIET_MAIL = 0x4000
    QUIET_RCPT = 0x8000
    QUIET_DATA = 0x10000
    QUIET_UNKNOWN = 0x20000  # SMFIP_NR_UNKN
    QUIET_END_OF_HEADER = 0x40000  # SMFIP_NR_EOH
    QUIET_BODY = 0x80000
    LEADING_SPACE = 0x100000  # SMFIP_HDR_LEADSPC


ALL_ACTIONS = Actions(0x1FF)  # SMFI_CURR_ACTS
ALL_STEPS = Steps(0x1FFFFF)  # SMFI_CURR_PROT


class Stage(IntEnum):
    """Where macros are sent (SMFIM_*)."""

    CONNECT = 0
    HELO = 1
    MAIL = 2  # SMFIM_ENVFROM
    RCPT = 3  # SMFIM_ENVRCPT
    DATA = 4
    END_OF_MESSAGE = 5
    END_OF_HEADER = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What MTA and filter agreed to; macros only where the filter chose them itself."""

    version: int = VERSION
    actions: Actions = ALL_ACTIONS
    steps: Steps = ALL_STEPS
    macros: Mapping[Stage, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddField:
    """SMFIR_ADDHEADER: a header field at the end; the value from behind the colon on."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class InsertField:
    """SMFIR_INSHEADER: a header field at a position, 0 for the top."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeField:
    """SMFIR_CHGHEADER: the index-th field of a name, from 1 on; an empty value removes it."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """SMFIR_ADDRCPT and SMFIR_ADDRCPT_PAR: an address without angle brackets, and ESMTP parameters."""

    address: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveRecipient:
    """SMFIR_DELRCPT: an address without angle brackets."""

    address: str


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """SMFIR_REPLBODY: a part of the new body."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """SMFIR_CHGFROM: an address without angle brackets, and ESMTP parameters."""

    address: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantine:
    """SMFIR_QUARANTINE: keep the message back."""

    reason: str


Modification: TypeAlias = (
    AddField
    | InsertField
    | ChangeField
    | AddRecipient
    | RemoveRecipient
    | ReplaceBody
    | ChangeSender
    | Quarantine
)


class ProtocolError(Exception):
    """The other side does not speak the protocol; nothing of a message is quoted."""


def text(octets: bytes) -> str:
    """Return octets as text; those that are not UTF-8 survive as surrogates (PEP 383)."""
    return octets.decode("utf-8", "surrogateescape")


def octets(text: str) -> bytes:
    """Return what text() was made from."""
    return text.encode("utf-8", "surrogateescape")


def string(value: bytes) -> bytes:
    """Return a NUL-terminated string; it ends at its first NUL, as Postfix's do."""
    return value.partition(b"\0")[0] + b"\0"


def frame(word: Command | Response, payload: bytes = b"") -> bytes:
    """Return one packet: length of what follows, word, payload."""
    octets: bytes = word.value
    return struct.pack("!I", len(payload) + 1) + octets + payload


def negotiate(options: Options) -> bytes:
    """Return SMFIC_OPTNEG: the MTA's offer, or the filter's answer with its lists of macros."""
    payload = struct.pack("!III", options.version, options.actions, options.steps)
    for stage, names in options.macros.items():
        payload += struct.pack("!I", stage) + string(octets(" ".join(names)))
    return frame(Command.NEGOTIATE, payload)


def macros(command: Command, values: Mapping[str, str]) -> bytes:
    """Return SMFIC_MACRO: the macros that go with the next command; names of one letter or in braces."""
    pairs = (string(octets(name)) + string(octets(value)) for name, value in values.items())
    return frame(Command.MACRO, command.value + b"".join(pairs))


def connect(hostname: str, ip: str | None, port: int) -> bytes:
    """Return SMFIC_CONNECT; ip None: the client's address is not known (SMFIA_UNKNOWN)."""
    name = string(octets(hostname))
    if ip is None:
        return frame(Command.CONNECT, name + b"U")
    family = b"6" if ":" in ip else b"4"  # SMFIA_INET6, SMFIA_INET
    return frame(Command.CONNECT, name + family + struct.pack("!H", port) + string(octets(ip)))


def helo(name: str) -> bytes:
    """Return SMFIC_HELO."""
    return frame(Command.HELO, string(octets(name)))


def mail(address: str, parameters: Sequence[str] = ()) -> bytes:
    """Return SMFIC_MAIL; the address without angle brackets."""
    return frame(Command.MAIL, _path(address, parameters))


def rcpt(address: str, parameters: Sequence[str] = ()) -> bytes:
    """Return SMFIC_RCPT; the address without angle brackets."""
    return frame(Command.RCPT, _path(address, parameters))


def _path(address: str, parameters: Sequence[str]) -> bytes:
    return b"".join(string(octets(one)) for one in (f"<{address}>", *parameters))


def header(name: bytes, value: bytes) -> bytes:
    """Return SMFIC_HEADER."""
    return frame(Command.HEADER, string(name) + string(value))


def body(octets: bytes) -> Iterator[bytes]:
    """Yield SMFIC_BODY for each chunk of the body."""
    for start in range(0, len(octets), CHUNK):
        yield frame(Command.BODY, octets[start : start + CHUNK])


class Decoder:
    """Cuts a stream of octets into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[tuple[bytes, bytes]]:
        """Return word and payload of each frame that is complete by now; raise ProtocolError."""
        self._buffer += octets
        found = []
        start = 0
        while len(self._buffer) - start >= 4:
            (length,) = struct.unpack_from("!I", self._buffer, start)
            if not 0 < length <= LONGEST:
                raise ProtocolError(f"frame of {length} octets")
            end = start + 4 + length
            if len(self._buffer) < end:
                break
            found.append((bytes(self._buffer[start + 4 : start + 5]), bytes(self._buffer[start + 5 : end])))
            start = end
        del self._buffer[:start]
        return found


def response(word: bytes) -> Response:
    """Return the response that a frame's word stands for; raise ProtocolError."""
    try:
        return Response(word)
    except ValueError:
        raise ProtocolError(f"unknown response {word!r}") from None


def options(payload: bytes) -> Options:
    """Return what SMFIC_OPTNEG carries; raise ProtocolError."""
    if len(payload) < 12:
        raise ProtocolError("negotiation cut short")
    version, actions, steps = struct.unpack_from("!III", payload)
    chosen: dict[Stage, tuple[str, ...]] = {}
    rest = payload[12:]
    while len(rest) > 4:
        (stage,) = struct.unpack_from("!I", rest)
        names, _, rest = rest[4:].partition(b"\0")
        if stage not in tuple(Stage):
            raise ProtocolError(f"macros for unknown stage {stage}")
        chosen[Stage(stage)] = tuple(text(names).split())
    return Options(version, Actions(actions), Steps(steps), chosen)


def modification(word: Response, payload: bytes) -> Modification | None:
    """Return the change that a response asks for, None where it asks for none; raise ProtocolError."""
    match word:
        case Response.ADD_FIELD:
            return AddField(*_strings(payload, 2))
        case Response.INSERT_FIELD:
            return InsertField(_index(payload), *_strings(payload[4:], 2))
        case Response.CHANGE_FIELD:
            return ChangeField(_index(payload), *_strings(payload[4:], 2))
        case Response.ADD_RECIPIENT | Response.ADD_RECIPIENT_WITH_PARAMETERS:
            return AddRecipient(*_address(payload))
        case Response.REMOVE_RECIPIENT:
            return RemoveRecipient(_address(payload)[0])
        case Response.CHANGE_SENDER:
            return ChangeSender(*_address(payload))
        case Response.REPLACE_BODY:
            return ReplaceBody(payload)
        case Response.QUARANTINE:
            return Quarantine(text(payload.partition(b"\0")[0]))
        case _:
            return None


def reply(payload: bytes) -> str:
    """Return the SMTP reply in SMFIR_REPLYCODE; its lines parted by CRLF. Raise ProtocolError.

    Sendmail takes the text as a format, so filters double each "%".
    """
    line = payload.partition(b"\0")[0].replace(b"%%", b"%")
    if line[:1] not in (b"4", b"5") or not line[:3].isdigit():
        raise ProtocolError("malformed SMTP reply")
    return text(line)


def _strings(payload: bytes, count: int) -> list[bytes]:
    parts = payload.split(b"\0")
    if len(parts) != count + 1 or parts[-1]:
        raise ProtocolError(f"expected {count} strings")
    return parts[:-1]


def _index(payload: bytes) -> int:
    if len(payload) < 4:
        raise ProtocolError("index cut short")
    (index,) = struct.unpack_from("!I", payload)
    return int(index)


def _address(payload: bytes) -> tuple[str, tuple[str, ...]]:
    parts = [text(part) for part in payload.rstrip(b"\0").split(b"\0")]
    address = parts[0].strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    return address, tuple(parts[1].split()) if len(parts) > 1 else ()
