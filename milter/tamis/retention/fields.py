"""What a ticket holds only where the operator names it."""

from __future__ import annotations

from enum import StrEnum


class Field(StrEnum):
    """A field of tickets, by its name in tickets.fields and in the ticket."""

    SUBJECT = "subject"  # content, as nothing else in a ticket is
    CLIENT_ADDRESS = "client_address"
    SIZE = "size"  # octets of the message
