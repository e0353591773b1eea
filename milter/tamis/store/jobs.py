"""What the event loop asks of the store's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tamis.preferences import Resolution
from tamis.ticket import Ticket
from tamis.values import dataclass

Resolutions: TypeAlias = Mapping[str, Resolution]


@dataclass(frozen=True, slots=True)
class Addition:
    """A ticket to write."""

    ticket: Ticket
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Addresses to resolve."""

    addresses: Sequence[str]
    future: asyncio.Future[Resolutions]


@dataclass(frozen=True, slots=True)
class Recall:
    """Keys of copies that may have been accepted."""

    keys: Sequence[bytes]
    about_to_add: bool
    future: asyncio.Future[frozenset[bytes]]


@dataclass(frozen=True, slots=True)
class Remembrance:
    """Keys of copies to keep."""

    keys: Sequence[bytes]
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody who signed in to send mail; nobody waits for its record."""

    login: str
    client: str | None
    time: int  # Unix ms


AnyJob: TypeAlias = Addition | Lookup | Recall | Remembrance | SignIn
