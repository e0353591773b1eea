"""The Protocols through which parts of one layer meet without knowing each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tamis.finding import GraymailFinding, SpamFinding, VirusFinding
from tamis.message import Message
from tamis.preferences import Resolution
from tamis.ticket import Ticket


class StoreUnavailable(Exception):
    """The store cannot be reached, is locked beyond its time-out, or is full."""


class Directory(Protocol):
    """Who is behind an address and what he wants."""

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return one Resolution per address, in order; raise StoreUnavailable."""

    async def account(self, address: str) -> str | None:
        """Return the one account behind an address (the sender's, say), or None."""


class Tickets(Protocol):
    """Where tickets are kept."""

    async def add(self, ticket: Ticket) -> None:
        """Return once the ticket is durable; raise StoreUnavailable."""


class VirusScanner(Protocol):
    """The antivirus filter."""

    async def run(self, message: Message) -> VirusFinding:
        """Return what the scanner says; a scanner out of reach is a finding, not an exception."""


class SpamCheck(Protocol):
    """The antispam filter."""

    def run(self, message: Message) -> SpamFinding:
        """Return score and reasons; any bytes are data, never an exception."""


class GraymailCheck(Protocol):
    """The graymail filter."""

    def run(self, message: Message) -> GraymailFinding:
        """Return class, confidence and way out; any bytes are data, never an exception."""


class Source(Protocol):
    """Something that knows accounts and aliases: the store's table, a file, an SQL query."""

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the targets of those lower-case names that are aliases.

        A name is an address, "@domain" for a catch-all or a domain alias (whose one target is "@other").
        """
