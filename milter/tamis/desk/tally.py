"""What a purge has done so far, in counts: the receipt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.retention.due import Action
from tamis.store import receipts
from tamis.ticket import new_id, timestamp


@dataclass(slots=True)
class Count:
    """Records of a class to which one rule did something."""

    count: int
    oldest: int  # Unix ms, as the following
    newest: int


class Tally:
    """Counts by what was done, class and rule."""

    def __init__(self, now: int) -> None:
        self._counts: dict[tuple[Action, str, str], Count] = {}
        self._id = new_id(now)
        self._time = timestamp(now)

    def add(self, kind: str, rule: str, times: Iterable[int], action: Action = Action.DELETE) -> None:
        """Count records, by the Unix times in ms at which they were made."""
        for time in times:
            count = self._counts.setdefault((action, kind, rule), Count(0, time, time))
            count.count += 1
            count.oldest = min(count.oldest, time)
            count.newest = max(count.newest, time)

    def lines(self, action: Action = Action.DELETE) -> list[dict[str, object]]:
        """Return the counts of an action as JSON objects, by class and rule in the order they came in."""
        return [
            {
                "class": kind,
                "rule": rule,
                "count": one.count,
                "oldest": timestamp(one.oldest),
                "newest": timestamp(one.newest),
            }
            for (done, kind, rule), one in self._counts.items()
            if done is action
        ]

    def receipt(self, finished: int | None) -> dict[str, object]:
        """Return the receipt; finished is a Unix time in ms, None while a purge is at work."""
        done = None if finished is None else timestamp(finished)
        return {
            "id": self._id,
            "time": self._time,
            "finished": done,
            "purged": self.lines(),
            "pseudonymised": self.lines(Action.PSEUDONYMISE),
        }

    def write(self, connection: Connection, finished: int | None = None) -> None:
        """Write the receipt, in the transaction that deletes what it counts."""
        receipts.put(connection, self._id, self.receipt(finished))
