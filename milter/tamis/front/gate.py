"""Bounds what one worker has in hand: messages in flight, and the octets of all that it was told."""

from __future__ import annotations

import threading
from typing import Protocol

from tamis.config import Milter
from tamis.interfaces import Tempfail

SMALL = 1 << 14  # octets; a message that comes in counts from there on: most never do, and cost nothing


class Incoming(Protocol):
    """A message that still comes in."""

    def drop(self) -> None:
        """Let go of it, as there is no room; to be answered with a tempfail at its end.

        Called on the thread of another message, and at no time after Gate.release().
        """


class Gate:
    """Counts, on any thread."""

    def __init__(self, settings: Milter) -> None:
        self._inside = 0
        self._in_flight = 0  # octets
        self._incoming: dict[Incoming, int] = {}  # octets; the message that came on latest is last
        self._octets = 0  # of both
        self._lock = threading.Lock()
        self.apply(settings)

    def apply(self, settings: Milter) -> None:
        """Take the limits; what is in hand stays."""
        self._max_messages = settings.max_in_flight
        self._max_octets = settings.memory

    @property
    def inside(self) -> int:
        """Messages in flight."""
        return self._inside

    @property
    def octets(self) -> int:
        """Octets in hand."""
        return self._octets

    def words(self, reason: Tempfail) -> str:
        """Return what the log says where there was no room."""
        if reason is Tempfail.MEMORY:
            return f"too much mail in memory limit={self._max_octets}"
        return f"too many messages in flight limit={self._max_messages}"

    def hold(self, one: Incoming, octets: int) -> None:
        """Note what a message that comes in takes by now, and drop messages where it gets too much.

        First go those that have not come on for the longest time, and last this one: connections that hang
        with a lot in hand must not keep others out.
        """
        if octets < SMALL and one not in self._incoming:
            return
        with self._lock:
            self._octets -= self._incoming.pop(one, 0)
            if octets >= SMALL:
                self._incoming[one] = octets
                self._octets += octets
                self._make_room()

    def release(self, one: Incoming) -> None:
        """Forget a message that came in; it will not be dropped any more."""
        with self._lock:
            self._octets -= self._incoming.pop(one, 0)

    def enter(self, octets: int) -> Tempfail | None:
        """Take a place for a complete message; where there is none, return why."""
        with self._lock:
            if self._inside >= self._max_messages:
                return Tempfail.IN_FLIGHT
            if self._in_flight + octets > self._max_octets:
                return Tempfail.MEMORY
            self._inside += 1
            self._in_flight += octets
            self._octets += octets
            self._make_room()
        return None

    def leave(self, octets: int) -> None:
        """Give the place back."""
        with self._lock:
            self._inside -= 1
            self._in_flight -= octets
            self._octets -= octets

    def _make_room(self) -> None:
        while self._octets > self._max_octets and self._incoming:
            first = next(iter(self._incoming))
            self._octets -= self._incoming.pop(first)
            first.drop()
