"""Messages by local domain, day and outcome, counted from tickets and kept in memory alone."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, TypeAlias

from sqlalchemy import Connection

from tamis.desk.view import answer
from tamis.store import tickets
from tamis.store.tickets import Query, Unreadable
from tamis.ticket import Action, Direction, time_of

DAYS = 7  # that are counted, the present one among them

Key: TypeAlias = tuple[str, Direction, Action]
"""A domain, whether a message came for it or from it, and what was done."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of some days."""

    numbers: Mapping[Key, int]
    until: int  # Unix ms; what came later is not in it


class Tally:
    """The counts of the last days; one thread counts, others may ask."""

    def __init__(self, domains: Collection[str], zone: tzinfo, *, late: int) -> None:
        """Take the domains that are counted, the zone of days, and the ms in which tickets are committed."""
        self._domains = frozenset(domains)
        self._zone = zone
        self.late = late
        self._lock = threading.Lock()
        self._days: dict[date, Counter[Key]] = {}
        self._last = ""  # ID
        self._until = 0

    def advance(self, connection: Connection, *, now: int) -> bool:
        """Count the next few tickets of the last days; tell whether there may be more of them."""
        first = self._day(now) - timedelta(days=DAYS - 1)
        begin = round(datetime.combine(first, time.min, self._zone).timestamp() * 1000)
        end = now - self.late
        page = tickets.next_ones(
            connection, Query(since=begin, until=end), after=self._last, most=tickets.PAGE
        )
        is_more = len(page) == tickets.PAGE
        found: list[tuple[date, Collection[Key]]] = []
        with contextlib.suppress(Unreadable):  # what somebody has changed cannot be counted
            for one in tickets.read(page, lambda one: (self._day(time_of(one["id"])), self._keys(one))):
                found.append(one)
        with self._lock:
            for day, keys in found:
                self._days.setdefault(day, Counter()).update(keys)
            for day in [one for one in self._days if one < first]:
                del self._days[day]
            self._last = page[-1].id if page else self._last
            self._until = time_of(self._last) if is_more else end
        return is_more

    def counted(self, days: int, *, now: int) -> Counted:
        """Return what was counted of so many days, the present one among them."""
        first = self._day(now) - timedelta(days=days - 1)
        sums: Counter[Key] = Counter()
        with self._lock:
            for day, numbers in self._days.items():
                if day >= first:
                    sums.update(numbers)
            return Counted(sums, self._until)

    def _day(self, milliseconds: int) -> date:
        return datetime.fromtimestamp(milliseconds / 1000, self._zone).date()

    def _keys(self, ticket: Mapping[str, Any]) -> Collection[Key]:
        """Return what a message counts as: once for each domain and outcome, however many recipients."""
        found = {
            (domain, Direction.INCOMING, Action(one["action"]))
            for one in ticket["recipients"]
            for domain in self._local([one["address"]])
        }
        if ticket["direction"] == Direction.OUTGOING:
            by = ticket["sender_account"] or ticket["sender"]
            found |= {(domain, Direction.OUTGOING, answer(ticket)) for domain in self._local([by])}
        return found

    def _local(self, addresses: Iterable[str]) -> Collection[str]:
        return {one.rpartition("@")[2].lower() for one in addresses} & self._domains
