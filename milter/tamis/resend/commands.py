"""What is said to the relay of a copy's sender, recipients and origin; pure.

MAIL and RCPT carry the parameters that the client gave, where the relay offers their extensions. Those that
it does not offer are left out if the message is the same without them: BODY, as its 8-bit content has come
through this very MTA, and RET, ENVID, NOTIFY, ORCPT and BY, which ask for reports. What cannot be kept
without its extension is a refusal: an address that is not ASCII (SMTPUTF8), TLS all the way (REQUIRETLS).
AUTH is not passed on: who authenticated himself there has not done so here (RFC 4954 section 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from tamis.message import Envelope, Recipient

Extensions = Mapping[str, frozenset[str]]

# Parameters of MAIL and RCPT, and the extension that each is of; SIZE is told of the copy itself (RFC 1870).
PASSED_ON: Mapping[str, str] = {
    "BODY": "8BITMIME",  # RFC 6152
    "SMTPUTF8": "SMTPUTF8",  # RFC 6531
    "RET": "DSN",  # RFC 3461, as the next three
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
    "BY": "DELIVERBY",  # RFC 2852
    "REQUIRETLS": "REQUIRETLS",  # RFC 8689
}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_XFORWARD = 512  # octets with CRLF (Postfix's XFORWARD_README, note 2)
UNAVAILABLE = "[UNAVAILABLE]"
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,255}}$)(?:{LABEL}\.)*(?=[^.]*[A-Za-z]){LABEL}")  # no address of digits
HELO = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")
IDENTIFIER = re.compile(r"[A-Za-z0-9]{1,64}")


def mail(envelope: Envelope, offered: Extensions, *, size: int) -> bytes:
    """Return MAIL for a copy of so many octets."""
    parameters = _passed_on(envelope.mail_parameters, offered)
    if "SIZE" in offered:
        parameters.insert(0, f"SIZE={size}")
    return _line(" ".join((f"MAIL FROM:<{envelope.mail_from}>", *parameters)))


def rcpt(recipient: Recipient, offered: Extensions) -> bytes:
    """Return RCPT for a recipient."""
    parameters = _passed_on(recipient.parameters, offered)
    return _line(" ".join((f"RCPT TO:<{recipient.address}>", *parameters)))


def unfit(envelope: Envelope, offered: Extensions) -> str | None:
    """Return the code and status by which a message cannot be handed to this relay; None if it can."""
    if CONTROL.search(envelope.mail_from + "".join(envelope.mail_parameters)):
        return "553 5.1.7"
    if not envelope.mail_from.isascii() and "SMTPUTF8" not in offered:
        return "553 5.6.7"
    keywords = {one.upper() for one in envelope.mail_parameters}
    if "REQUIRETLS" in keywords and "REQUIRETLS" not in offered:
        return "550 5.7.30"
    return None


def unfit_recipient(recipient: Recipient, offered: Extensions) -> str | None:
    """Return the code and status by which a recipient cannot be named to this relay; None if he can."""
    if CONTROL.search(recipient.address + "".join(recipient.parameters)):
        return "553 5.1.3"
    if not recipient.address.isascii() and "SMTPUTF8" not in offered:
        return "553 5.6.7"
    return None


def xforward(envelope: Envelope, offered: Extensions) -> Iterator[bytes]:
    """Return the commands that make the relay's log show the real client (Postfix's XFORWARD_README).

    A milter is not told of PORT and PROTO. SOURCE is REMOTE for local users' mail, too: what the MTA does to
    their header fields it did before we saw them, and must not do to all that comes from our address. It is
    the first, as a relay that refuses a value has taken those before. What would need xtext is unavailable.
    """
    values = {
        "SOURCE": "REMOTE",
        "IDENT": envelope.queue_id or "",
        "NAME": envelope.client_name if HOST_NAME.fullmatch(envelope.client_name) else UNAVAILABLE,
        "ADDR": _address(envelope.client_ip),
        "HELO": envelope.helo if HELO.fullmatch(envelope.helo) else UNAVAILABLE,
    }
    if not IDENTIFIER.fullmatch(values["IDENT"]):
        values["IDENT"] = UNAVAILABLE
    line = ""
    for name, value in values.items():
        if name not in offered.get("XFORWARD", ()):
            continue
        word = f" {name}={value}"
        if line and len(line) + len(word) > LONGEST_XFORWARD - len("XFORWARD\r\n"):
            yield _line(f"XFORWARD{line}")
            line = ""
        line += word
    if line:
        yield _line(f"XFORWARD{line}")


def _passed_on(parameters: tuple[str, ...], offered: Extensions) -> list[str]:
    return [one for one in parameters if PASSED_ON.get(one.partition("=")[0].upper()) in offered]


def _address(text: str | None) -> str:
    """Return an address as RFC 5321 section 4.1.3 writes it, without brackets."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return UNAVAILABLE
    return f"IPv6:{address}" if address.version == 6 else str(address)


def _line(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\r\n"
