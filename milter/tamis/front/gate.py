"""Bounds what one worker has in hand: messages in flight, and the octets of all that it was told."""

from __future__ import annotations

import threading
from typing import Protocol

from tamis.config import Milter
from tamis.interfaces import Tempfail

SMALL = 1 << 14  # octets of an incoming message; less is not worth dropping for another's sake


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
        self._incoming: dict[Incoming, int] = {}  # octets
        self._large: dict[Incoming, None] = {}  # those worth dropping, the one that came on latest last
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
        """Note what a message that comes in takes by now; drop others where it gets too much, or else itself.

        First go those that have not come on for the longest time: connections that hang with a lot in hand
        must not keep others out.
        """
        with self._lock:
            self._octets += octets - self._incoming.get(one, 0)
            self._incoming[one] = octets
            self._large.pop(one, None)
            if octets >= SMALL:
                self._large[one] = None
            if self._octets > self._max_octets and not self._make_room(one):
                self._drop(one)

    def release(self, one: Incoming) -> None:
        """Forget a message that came in; it will not be dropped any more."""
        with self._lock:
            self._octets -= self._incoming.pop(one, 0)
            self._large.pop(one, None)

    def enter(self, octets: int) -> Tempfail | None:
        """Take a place for a complete message; where there is none, return why."""
        with self._lock:
            if self._inside >= self._max_messages:
                return Tempfail.IN_FLIGHT
            if self._in_flight + octets > self._max_octets:
                return Tempfail.MEMORY
            self._octets += octets
            if not self._make_room():
                self._octets -= octets
                return Tempfail.MEMORY
            self._inside += 1
            self._in_flight += octets
        return None

    def leave(self, octets: int) -> None:
        """Give the place back."""
        with self._lock:
            self._inside -= 1
            self._in_flight -= octets
            self._octets -= octets

    def _make_room(self, latest: Incoming | None = None) -> bool:
        """Drop what came before the latest; False where that is not enough."""
        while self._octets > self._max_octets:
            first = next(iter(self._large), None)
            if first is None or first is latest:
                return False
            self._drop(first)
        return True

    def _drop(self, one: Incoming) -> None:
        self._octets -= self._incoming.pop(one, 0)
        self._large.pop(one, None)
        one.drop()
