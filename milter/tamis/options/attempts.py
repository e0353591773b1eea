"""Limits on attempts to sign in, calls and changes, counted in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MINUTE = 60_000  # milliseconds
HOUR = 60 * MINUTE
MOST_KEYS = 100_000  # some 20 MB; the oldest are forgotten beyond


@dataclass(slots=True)
class Count:
    """Attempts since a time."""

    since: int  # Unix ms
    attempts: int = 0


class Attempts:
    """So many attempts of each key in so much time."""

    def __init__(self, most: int, span: int) -> None:
        self._most = most
        self._span = span
        self._counts: OrderedDict[str, Count] = OrderedDict()

    def wait(self, key: str, now: int) -> int:
        """Count an attempt, before it is made, and return 0, or the milliseconds until one may be made."""
        wait = self.rest(key, now)
        if not wait:
            self.add(key, 1, now)
        return wait

    def rest(self, key: str, now: int) -> int:
        """Return 0, or the milliseconds until the next attempt may be made."""
        count = self._count(key, now)
        return count.since + self._span - now if count.attempts >= self._most else 0

    def add(self, key: str, attempts: int, now: int) -> None:
        """Count some that nobody may refuse any more."""
        self._count(key, now).attempts += attempts

    def give_back(self, key: str) -> None:
        """Count an attempt that succeeded no more."""
        count = self._counts.get(key)
        if count is not None:
            count.attempts = max(0, count.attempts - 1)

    def forget(self, key: str) -> None:
        """Count from the start again, as somebody has signed in."""
        self._counts.pop(key, None)

    def _count(self, key: str, now: int) -> Count:
        count = self._counts.get(key)
        if count is None or not count.since <= now < count.since + self._span:
            count = self._counts[key] = Count(now)
        self._counts.move_to_end(key)
        if len(self._counts) > MOST_KEYS:
            self._counts.popitem(last=False)
        return count
