"""Pseudonyms: keyed hashes that stand in old tickets for addresses and message-IDs.

Each looks like an address of a domain that there cannot be (RFC 6761 section 6.4), so that a ticket keeps its
shape; those of equal addresses are equal.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from tamis.retention.fields import Field
from tamis.store import secrets

DIGITS = 32  # hexadecimal ones, of the 64 of HMAC-SHA-256 (RFC 2104 section 5 allows half of it)
DOMAIN = "pseudonym.invalid"
FORM = re.compile(rf"[0-9a-f]{{{DIGITS}}}@{re.escape(DOMAIN)}")
LEFT_OUT = frozenset((Field.SUBJECT, Field.CLIENT_ADDRESS))  # of what tickets.fields adds
MESSAGE_ID = "message-id:"  # before one that is hashed, which may be somebody's address

Object = Mapping[str, Any]


def is_pseudonym(address: str) -> bool:
    """Tell whether an address has the form of a pseudonym."""
    return FORM.fullmatch(address) is not None


def is_pseudonymous(ticket: Object) -> bool:
    """Tell whether a ticket (its JSON object) names nobody any more."""
    named = [one for one in (*_addresses(ticket), bare(ticket["message_id"] or "")) if one]
    return all(map(is_pseudonym, named)) and not LEFT_OUT & ticket.keys()


def bare(message_id: str) -> str:
    """Return a message-ID without its angle brackets."""
    return message_id.strip().removeprefix("<").removesuffix(">")


def _addresses(ticket: Object) -> Iterator[str | None]:
    yield from (ticket["sender"], ticket["sender_account"])
    for one in ticket["recipients"]:
        yield from (one["address"], one["account"])


class Pseudonyms:
    """Those under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, address: str) -> str:
        """Return an address's pseudonym; case does not matter."""
        return self._hash(address.lower())

    def of_message(self, message_id: str) -> str:
        """Return a message-ID's pseudonym, which has angle brackets; the message-ID may lack them."""
        return f"<{self._hash(MESSAGE_ID + bare(message_id))}>"

    def hide(self, ticket: Object) -> dict[str, Any]:
        """Return a ticket with pseudonyms, without subject and client address; as it is if it has them."""
        if is_pseudonymous(ticket):
            return dict(ticket)
        hidden = {name: value for name, value in ticket.items() if name not in LEFT_OUT}
        if ticket["message_id"]:
            hidden["message_id"] = self.of_message(ticket["message_id"])
        hidden |= {name: self._hidden(ticket[name]) for name in ("sender", "sender_account")}
        hidden["recipients"] = [
            {**one, **{name: self._hidden(one[name]) for name in ("address", "account")}}
            for one in ticket["recipients"]
        ]
        return hidden

    def _hidden(self, address: str | None) -> str | None:
        return self.of(address) if address else address  # the null sender stays

    def _hash(self, text: str) -> str:
        octets = text.encode("utf-8", "surrogatepass")  # what a client sent need not be UTF-8
        return f"{hmac.digest(self._key, octets, 'sha256').hex()[:DIGITS]}@{DOMAIN}"


def get(connection: Connection) -> Pseudonyms:
    """Return the store's; raise StoreUnavailable where their key is missing."""
    return Pseudonyms(secrets.get(connection, secrets.PSEUDONYMS))


def names(connection: Connection, address: str) -> tuple[str, str]:
    """Return by what an account (lower case) is found: its address, and its pseudonym."""
    return address, get(connection).of(address)
