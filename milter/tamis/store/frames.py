"""What a worker and the writer say to each other: frames of a length in four octets and JSON in ASCII.

The worker names the store first, then hands over tickets, each under a number of its own, and takes back
those whose answer was given without them. The writer answers with numbers, and the error that these met.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tamis.config import Store as Settings
from tamis.store.tickets import Row

LENGTH = 4  # octets
LARGEST = 256 * 10**6  # octets of a frame; a ticket of 100,000 recipients has 30 MB

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Broken(Exception):
    """What came is not one of our frames."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Which store the tickets that follow are for."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Addition:
    """A ticket to write."""

    number: int
    row: Row


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A ticket that shall not be written any more, if it is not yet."""

    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tickets that are durable, or met an error."""

    numbers: Sequence[int]
    error: str | None


Request: TypeAlias = Opening | Addition | Withdrawal


def opening(settings: Settings) -> bytes:
    """Return the frame that names the store."""
    return _frame({"url": settings.url, "timeout": settings.timeout})


def addition(number: int, row: Row) -> bytes:
    """Return the frame that hands a ticket over; raise ValueError for one that is too large."""
    return _frame([number, row.id, row.message_id, row.accounts, row.body])


def withdrawal(number: int) -> bytes:
    """Return the frame that takes a ticket back."""
    return _frame([number])


def outcome(numbers: Sequence[int], error: str | None) -> bytes:
    """Return the frame that tells what became of tickets."""
    return _frame([error, *numbers])


def request(value: object) -> Request:
    """Return what a worker says; raise Broken."""
    match value:
        case [int(number), str(name), None | str() as message_id, list(accounts), str(body)]:
            if all(isinstance(one, str) for one in accounts):
                return Addition(number, Row(name, message_id, accounts, body))
        case [int(number)]:
            return Withdrawal(number)
        case dict():
            return Opening(_settings(value))
    raise Broken("no request")


def answer(value: object) -> Outcome:
    """Return what the writer says; raise Broken."""
    match value:
        case [None | str() as error, *given]:
            numbers = [one for one in given if isinstance(one, int)]
            if len(numbers) == len(given):
                return Outcome(numbers, error)
    raise Broken("no answer")


class Frames:
    """Parts a stream into the values of its frames."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def take(self, octets: bytes) -> Sequence[object]:
        """Return the values that are whole with these octets; raise Broken."""
        buffer = self._octets
        buffer += octets
        values = []
        start = 0
        while len(buffer) - start >= LENGTH:
            begin = start + LENGTH
            length = int.from_bytes(buffer[start:begin])
            if length > LARGEST:
                raise Broken("too long")
            if len(buffer) < begin + length:
                break
            start = begin + length
            try:
                values.append(json.loads(str(buffer[begin:start], "ascii")))
            except (ValueError, RecursionError):
                raise Broken("no JSON") from None
        del buffer[:start]
        return values


def _settings(value: Mapping[str, object]) -> Settings:
    try:
        return Settings.model_validate(value)
    except ValueError:
        raise Broken("no store") from None


def _frame(value: object) -> bytes:
    octets = _encode(value).encode("ascii")
    if len(octets) > LARGEST:
        raise ValueError(f"more than {LARGEST} octets")
    return len(octets).to_bytes(LENGTH) + octets
