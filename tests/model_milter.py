"""A milter's side of a connection on one page, written apart from the code: its answers, and its messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

LONGEST = 1 << 20  # octets of one packet
QUIET = 0xDF080  # all that SMFIP_NR_* says of connection, HELO, MAIL, RCPT, DATA, header, its end, and body
QUIET_BUT_RCPT = 0xD7080
Message: TypeAlias = tuple[tuple[tuple[bytes, bytes], ...], bytes, str, tuple[str, ...]]
"""Fields, body, reverse-path and recipients."""


@dataclass
class Told:
    """The words of the answers, "E" for those to an end of message; and the messages that were ended."""

    words: bytes = b""
    messages: list[Message] = field(default_factory=list)


def may_join(admitted: int, turned_away: int) -> bool:
    """Tell whether a milter that answers at RCPT takes a recipient behind so many others."""
    return (admitted + 2 * turned_away) % 4 != 2


def told(octets: bytes, *, asks: bool = False) -> Told:
    """Return what a connection comes to on which an MTA sends these octets.

    asks: the milter answers at RCPT once options are agreed on, "y" to those who may not join.
    """
    found = Told()
    quiet = asking = False
    turned_away = 0
    fields: list[tuple[bytes, bytes]] = []
    recipients: list[str] = []
    body, sender = b"", ""
    while len(octets) > 4:
        length = int.from_bytes(octets[:4])
        if not 0 < length <= LONGEST or len(octets) < 4 + length:
            break
        word, payload, octets = octets[4:5], octets[5 : 4 + length], octets[4 + length :]
        match word:
            case b"Q":
                break
            case b"O":
                if len(payload) < 12:
                    break
                silent = QUIET_BUT_RCPT if asks else QUIET
                quiet = int.from_bytes(payload[8:12]) & silent == silent
                asking = asks
                found.words += b"O"
            case b"M":
                sender = _path(payload)
            case b"R" if asking and not may_join(len(recipients), turned_away):
                turned_away += 1
                found.words += b"y"
                continue
            case b"R":
                recipients.append(_path(payload))
            case b"L":
                name, _, value = payload.partition(b"\0")
                fields.append((name, value.removesuffix(b"\0")))
            case b"B":
                body += payload
            case b"E":
                found.messages.append((tuple(fields), body + payload, sender, tuple(recipients)))
                found.words += b"E"
        if word in (b"M", b"A", b"K", b"E"):
            fields, body, recipients, turned_away = [], b"", [], 0
        if word in (b"A", b"K", b"E"):
            sender = ""
        if word == b"U" or (word == b"R" and asking) or (not quiet and word and word in b"CHMRTLNB"):
            found.words += b"c"
    return found


def _path(payload: bytes) -> str:
    path = payload.partition(b"\0")[0].decode("utf-8", "surrogateescape").strip()
    return path[1:-1] if path.startswith("<") and path.endswith(">") else path
