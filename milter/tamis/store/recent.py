"""Which copies were remembered of late, in memory: most messages have none, and need not wait to hear so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MOST = 100_000  # keys, of about 150 octets each; where there are more, the database is asked
SLACK = 3_000  # milliseconds by which nodes' clocks may differ, and commits be late


class Recent:
    """Keys and when they were remembered, in Unix milliseconds; for one thread."""

    def __init__(self) -> None:
        self._kept: dict[bytes, int] | None = None  # None: it is not known, or too many

    @property
    def is_empty(self) -> bool:
        """Whether it is known that there are none."""
        return self._kept is not None and not self._kept

    def learn(self, found: Mapping[bytes, int], *, since: int) -> None:
        """Take keys, the oldest first, and forget those that count no more."""
        kept = self._kept or {}
        kept.update(found)
        while kept and kept[first := next(iter(kept))] <= since:
            del kept[first]
        self._kept = kept if len(kept) <= MOST else None

    def among(self, keys: Iterable[bytes], *, since: int) -> frozenset[bytes] | None:
        """Return those that were remembered after a time, or None where the database must be asked."""
        kept = self._kept
        if kept is None:
            return None
        return frozenset(key for key in keys if kept.get(key, 0) > since)
