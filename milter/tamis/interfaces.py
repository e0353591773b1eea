"""The Protocols through which parts of one layer meet without knowing each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from tamis.finding import GraymailFinding, SpamFinding, VirusFinding
from tamis.message import Message
from tamis.preferences import Resolution
from tamis.ticket import Direction, Ticket


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


class SignIns(Protocol):
    """Where it is kept who signed in to send mail."""

    def signed_in(self, login: str, client: str | None) -> None:
        """Take note of a login and the client's address; return at once, and never fail."""


class CopyGuard(Protocol):
    """Which copies the relay has accepted already, so that none goes out twice when the MTA tries again."""

    @property
    def remembers(self) -> bool:
        """Whether there may be any that count."""

    async def accepted(self, keys: Sequence[bytes], *, about_to_add: bool = True) -> frozenset[bytes]:
        """Return those keys that were remembered not too long ago; raise StoreUnavailable.

        Where some are about to be added, the store has shown by then that it takes them, and knows all that
        any process has remembered. Else it may not know yet what another one has, within the last second.
        """

    async def remember(self, keys: Sequence[bytes]) -> None:
        """Return once it is durable that the copies of these keys were accepted; raise StoreUnavailable.

        They are remembered, too, where the caller is cancelled meanwhile.
        """


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


class Answer(StrEnum):
    """What the MTA is told at end of message."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    TEMPFAIL = "tempfail"
    NONE = "none"  # it hung up before


class Tempfail(StrEnum):
    """Why a message is to come again."""

    IN_FLIGHT = "in_flight"
    MEMORY = "memory"
    STORE = "store"
    CLAMD = "clamd"
    CHECK = "check"
    RELAY = "relay"
    FIELDS = "fields"
    DEADLINE = "deadline"
    ERROR = "error"


class Metrics(Protocol):
    """What is counted for those who watch over the service; on the loop's thread, unless it says so."""

    def answered(self, ticket: Ticket, answer: Answer, *, reason: Tempfail | None, seconds: float) -> None:
        """Count a ticketed message, answered so many seconds after its end."""

    def unticketed(
        self, answer: Answer, reason: Tempfail | None = None, *, direction: Direction | None = None
    ) -> None:
        """Count a message that has no ticket; its direction may not be known."""

    def deferred(self) -> None:
        """Count a recipient who was asked to come in a transaction of his own."""

    def clamd_answered(self, position: int, seconds: float) -> None:
        """Count a good answer of the clamd at a position of antivirus.clamd, from 0."""

    def clamd_failed(self, position: int) -> None:
        """Count a request that a clamd gave no good answer to."""

    def committed(self, tickets: int, seconds: float) -> None:
        """Count a commit; on the store's thread."""

    def store_failed(self) -> None:
        """Count something that the store could not do; on the store's thread."""


class Uncounted:
    """Metrics of a process that nobody watches over."""

    def answered(self, ticket: Ticket, answer: Answer, *, reason: Tempfail | None, seconds: float) -> None:
        """Count nothing."""

    def unticketed(
        self, answer: Answer, reason: Tempfail | None = None, *, direction: Direction | None = None
    ) -> None:
        """Count nothing."""

    def deferred(self) -> None:
        """Count nothing."""

    def clamd_answered(self, position: int, seconds: float) -> None:
        """Count nothing."""

    def clamd_failed(self, position: int) -> None:
        """Count nothing."""

    def committed(self, tickets: int, seconds: float) -> None:
        """Count nothing."""

    def store_failed(self) -> None:
        """Count nothing."""


UNCOUNTED = Uncounted()
