"""What the MTAs of the tests have in common: users, mailboxes, and how they are asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers.smtp import Connection, Sink

TOP = Path(__file__).parents[2]
DOMAINS = ("example.org", "example.com", "branch.example.org")
USERS = ("anna", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "zoë")
ACCOUNTS = tuple(f"{user}@example.org" for user in USERS)
FOLDERS = ("junk", "newsletters", "social", "lists")
MAILBOX_FIELDS = ("Return-Path", "X-Original-To", "Delivered-To")  # what delivers to a mailbox adds
FIELD = re.compile(rb"([!-9;-~]+):(.*\n(?:[ \t].*\n)*)")

ALIASES = {  # as Tamis's own; the milter sees recipients before the MTA follows these
    "info@example.org": ("bob@example.org",),
    "crew@example.org": ("anna@example.org", "kim@example.org"),
    "team@example.org": ("anna@example.org", "bob@example.org"),
    "club@example.org": ("anna@example.org", "erin@example.org"),
    "@branch.example.org": ("bob@example.org",),
    "@example.com": ("@example.org",),
}


def snippet(page: Path, name: str) -> str:
    """Return the block of an installation page that begins with the comment "name"."""
    block = rf"^```\n(?:#|--|dnl) {re.escape(name)}\n(.*?)^```$"
    match = re.search(block, page.read_text(), re.DOTALL | re.MULTILINE)
    assert match, f"{page.name} has no block {name}"
    return match[1]


@dataclass(frozen=True, slots=True)
class Listeners:
    """A milter's address, and the MTA's listeners that use it."""

    milter: str  # as Tamis writes it
    milter_in_mta: str  # as the MTA does
    mx: int  # port for the world
    submission: int  # port for authenticated users
    upstream: int = 0  # Postfix's port for mail that another MTA queues and brings


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message in a mailbox."""

    account: str
    folder: str  # "" for the inbox
    fields: tuple[tuple[str, str], ...]  # what the milter put on top
    raw: bytes
    content: bytes  # what is below the MTA's Received, lines ended by LF


def read_back(content: bytes, account: str, folder: str, *, queue_id: str = "") -> Delivered | None:
    """Return what is in a mailbox if it is that message: a mailbox's fields, the milter's, Received.

    Without a queue ID it is whatever message.
    """
    fields: list[tuple[str, str]] = []
    end = 0
    while match := FIELD.match(content, end):
        end = match.end()
        name, value = match[1].decode(), match[2].decode().strip()
        if name == "Received":
            is_it = not queue_id or f" id {queue_id}" in value
            return Delivered(account, folder, tuple(fields), content, content[end:]) if is_it else None
        if name not in MAILBOX_FIELDS:
            fields.append((name, value))
    return None


def without_trace(content: bytes) -> bytes:
    """Return a message without Received fields."""
    kept = b""
    end = 0
    while match := FIELD.match(content, end):
        end = match.end()
        if match[1] != b"Received":
            kept += match[0]
    return kept + content[end:]


class Mta(Protocol):
    """A running MTA."""

    listeners: Mapping[str, Listeners]
    copies: int  # port for copies
    sink: Sink  # where mail to the outside ends up
    settings: Mapping[str, Mapping[str, object]]  # what Tamis must know of it, by tables of the configuration

    def connect(
        self, port: int, *, client: str | None = "192.0.2.25", user: str | None = None
    ) -> AbstractContextManager[Connection]:
        """Connect as a host of 192.0.2.0/24, or from the MTA's own, and authenticate."""

    def delivered(self, queue_id: str) -> Sequence[Delivered]:
        """Return what came into mailboxes of a queued message, once it has left the queue."""

    def arrived(self) -> Sequence[Delivered]:
        """Return all that ever came into mailboxes, once nothing is in a queue."""

    def stop(self) -> None:
        """Stop all of it."""
