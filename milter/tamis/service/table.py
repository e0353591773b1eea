"""The numbers behind the metrics, in memory that the supervisor makes before it forks and all share.

Each process has a row and alone writes there, so that there are no locks; a number of eight octets is written
whole. A worker that takes the place of another goes on with that one's row, so that no counter goes back.
"""

from __future__ import annotations

import mmap
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from tamis.interfaces import Answer, Tempfail
from tamis.service import families
from tamis.service.families import CLAMDS, FAMILIES, SECONDS, Family, Kind, Labels, Reload, Restart
from tamis.ticket import Direction, Ticket

ROWS = 4096  # processes at a time; memory is used from a row's first number on
OCTETS = 8  # of a number, a float64


def _layout() -> tuple[Mapping[str, Mapping[Labels, int]], int]:
    """Return the place in a row of each sample's first number, and how many numbers a row has."""
    places: dict[str, Mapping[Labels, int]] = {}
    end = 0
    for family in FAMILIES:
        places[family.name] = {
            labels: end + number * family.width for number, labels in enumerate(family.samples)
        }
        end += len(family.samples) * family.width
    return places, end


PLACES, WIDTH = _layout()


def _place(family: Family) -> int:
    """Return the place of a family without labels."""
    return PLACES[family.name][()]


def _list(family: Family) -> Sequence[int]:
    """Return the places of a family's samples in order."""
    return tuple(PLACES[family.name].values())


MESSAGES = PLACES[families.MESSAGES.name]
RECIPIENTS = PLACES[families.RECIPIENTS.name]
VERDICTS = PLACES[families.VERDICTS.name]
TEMPFAILS = PLACES[families.TEMPFAILS.name]
RESTARTS = PLACES[families.RESTARTS.name]
RELOADS = PLACES[families.RELOADS.name]
MESSAGE_SECONDS = _place(families.MESSAGE_SECONDS)
DEFERRED = _place(families.DEFERRED)
COMMIT_SECONDS = _place(families.COMMIT_SECONDS)
CLAMD_REQUESTS = _list(families.CLAMD_REQUESTS)
CLAMD_ERRORS = _list(families.CLAMD_ERRORS)
CLAMD_SECONDS = _list(families.CLAMD_SECONDS)
CLAMD_UP = _list(families.CLAMD_UP)
TICKETS = _place(families.TICKETS)
STORE_ERRORS = _place(families.STORE_ERRORS)
STORE_UP = _place(families.STORE_UP)
IN_FLIGHT = _place(families.IN_FLIGHT)
HELD = _place(families.HELD)
CONNECTIONS = _place(families.CONNECTIONS)
MEMORY = _place(families.MEMORY)
WORKERS = _place(families.WORKERS)
WORKERS_READY = _place(families.WORKERS_READY)
RELOADED = _place(families.RELOADED)
STARTED = _place(families.STARTED)
BUILD = _place(families.BUILD)
# What is over with the process.
PASSING = (IN_FLIGHT, HELD, CONNECTIONS, MEMORY)


class Row:
    """The numbers of one process, as its Metrics."""

    def __init__(self, numbers: memoryview[float]) -> None:
        self._numbers = numbers

    def reset(self) -> None:
        """Note that the process has ended, or has just been started: counters stay."""
        for place in PASSING:
            self._numbers[place] = 0.0

    def answered(self, ticket: Ticket, answer: Answer, *, reason: Tempfail | None, seconds: float) -> None:
        """Count a ticketed message, answered so many seconds after its end."""
        numbers = self._numbers
        way = ticket.direction
        numbers[MESSAGES[way, answer]] += 1
        for one in ticket.recipients:
            numbers[RECIPIENTS[way, one.action]] += 1
        # Of outgoing mail what the operator's checks said, as its recipients are mostly others'.
        judged = ticket.recipients if ticket.outgoing is None else (ticket.outgoing,)
        if len(judged) == 1:
            (only,) = judged
            numbers[VERDICTS[way, "antivirus", only.antivirus]] += 1
            numbers[VERDICTS[way, "antispam", only.antispam]] += 1
            numbers[VERDICTS[way, "graymail", only.graymail]] += 1
        else:
            for name in ("antivirus", "antispam", "graymail"):
                for verdict in {getattr(one, name) for one in judged}:
                    numbers[VERDICTS[way, name, verdict]] += 1
        if reason is not None:
            numbers[TEMPFAILS[reason,]] += 1
        self._observe(MESSAGE_SECONDS, seconds)

    def unticketed(
        self, answer: Answer, reason: Tempfail | None = None, *, direction: Direction | None = None
    ) -> None:
        """Count a message that has no ticket; its direction may not be known."""
        self._numbers[MESSAGES[direction or families.UNKNOWN, answer]] += 1
        if reason is not None:
            self._numbers[TEMPFAILS[reason,]] += 1

    def deferred(self) -> None:
        """Count a recipient who was asked to come in a transaction of his own."""
        self._numbers[DEFERRED] += 1

    def clamd_answered(self, position: int, seconds: float) -> None:
        """Count a good answer of the clamd at a position of antivirus.clamd, from 0."""
        position = min(position, CLAMDS - 1)
        self._numbers[CLAMD_REQUESTS[position]] += 1
        self._numbers[CLAMD_UP[position]] = time.monotonic()
        self._observe(CLAMD_SECONDS[position], seconds)

    def clamd_failed(self, position: int) -> None:
        """Count a request that a clamd gave no good answer to."""
        position = min(position, CLAMDS - 1)
        self._numbers[CLAMD_REQUESTS[position]] += 1
        self._numbers[CLAMD_ERRORS[position]] += 1
        self._numbers[CLAMD_UP[position]] = -time.monotonic()

    def committed(self, tickets: int, seconds: float) -> None:
        """Count a commit; on the store's thread."""
        self._numbers[TICKETS] += tickets
        self._numbers[STORE_UP] = time.monotonic()
        self._observe(COMMIT_SECONDS, seconds)

    def store_failed(self) -> None:
        """Count something that the store could not do; on the store's thread."""
        self._numbers[STORE_ERRORS] += 1
        self._numbers[STORE_UP] = -time.monotonic()

    def sample(self, *, in_flight: int, held: int, connections: int, memory: int) -> None:
        """Note how a worker is: messages in flight, octets of messages, connections, resident octets."""
        self._numbers[IN_FLIGHT] = in_flight
        self._numbers[HELD] = held
        self._numbers[CONNECTIONS] = connections
        self._numbers[MEMORY] = memory

    # What the supervisor alone knows.

    def started(self) -> None:
        """Note the start of the service."""
        self._numbers[BUILD] = 1
        self._numbers[STARTED] = self._numbers[RELOADED] = time.time()

    def workers(self, *, wanted: int, ready: int) -> None:
        """Note how many workers there shall be, and how many take connections."""
        self._numbers[WORKERS] = wanted
        self._numbers[WORKERS_READY] = ready

    def restarted(self, reason: Restart) -> None:
        """Count a worker that is replaced."""
        self._numbers[RESTARTS[reason,]] += 1

    def reloaded(self, result: Reload) -> None:
        """Count a reload."""
        self._numbers[RELOADS[result,]] += 1
        if result is Reload.OK:
            self._numbers[RELOADED] = time.time()

    def _observe(self, place: int, seconds: float) -> None:
        self._numbers[place + bisect_left(SECONDS, seconds)] += 1
        self._numbers[place + len(SECONDS) + 1] += seconds


class Table:
    """The rows of the supervisor and its workers."""

    def __init__(self) -> None:
        self._numbers = memoryview(mmap.mmap(-1, ROWS * WIDTH * OCTETS)).cast("d")
        self._used = 1  # rows, the supervisor's first

    @property
    def own(self) -> Row:
        """The supervisor's row."""
        return self._row(0)

    def worker(self, slot: int) -> Row:
        """Return the row of a worker slot, from 0; more processes than rows share the last one."""
        number = min(slot + 1, ROWS - 1)
        self._used = max(self._used, number + 1)
        return self._row(number)

    def numbers(self, family: Family, labels: Labels) -> Sequence[float]:
        """Return the numbers of a sample, put together from all rows: one, or a histogram's."""
        first = PLACES[family.name][labels]
        columns = [self._column(place) for place in range(first, first + family.width)]
        if family.kind is Kind.STATE:  # times of what was found, below 0 where it was bad
            return [max(column, key=abs) for column in columns]
        return [sum(column) for column in columns]

    def each(self, family: Family) -> Sequence[float]:
        """Return the number of each worker slot."""
        return self._column(_place(family))[1:]

    def _column(self, place: int) -> Sequence[float]:
        return [self._numbers[row * WIDTH + place] for row in range(self._used)]

    def _row(self, number: int) -> Row:
        return Row(self._numbers[number * WIDTH : (number + 1) * WIDTH])
