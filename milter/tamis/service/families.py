"""What Tamis tells Prometheus of itself: names, labels, sentences (prometheus.io, Metric and label naming).

Labels come from closed sets: no address, no domain and nothing of a message can stand in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from tamis.finding import Filter, Graymail
from tamis.interfaces import Answer, Tempfail
from tamis.ticket import Action, Direction

Labels = tuple[str, ...]  # values, in the order of the family's label names

CLAMDS = 16  # of antivirus.clamd; those behind them are counted with the last
# Upper bounds in seconds: from what computing takes, over a busy clamd, to milter.deadline.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Kind(StrEnum):
    """Types of the exposition format, and how the rows of several processes become one value."""

    COUNTER = "counter"  # sum
    GAUGE = "gauge"  # sum, too: each process has its share
    HISTOGRAM = "histogram"  # sum
    STATE = "state"  # a gauge, 1 or 0: what whoever tried last has found
    EACH = "each"  # a gauge, shown for each worker that has one


class Restart(StrEnum):
    """Why a worker was replaced."""

    DIED = "died"
    HUNG = "hung"
    RECYCLED = "recycled"


class Reload(StrEnum):
    """What became of a SIGHUP."""

    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics of one name."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    samples: tuple[Labels, ...] = ((),)

    @property
    def width(self) -> int:
        """Return how many numbers a sample takes; a histogram's are its buckets', one more, and the sum."""
        return len(SECONDS) + 2 if self.kind is Kind.HISTOGRAM else 1


def _each(values: Sequence[str]) -> tuple[Labels, ...]:
    return tuple((str(value),) for value in values)


WAYS = (Direction.INCOMING, Direction.OUTGOING)
UNKNOWN = "unknown"
VERDICTS_OF = {
    Filter.ANTIVIRUS: ("clean", "infected", "error", "off"),
    Filter.ANTISPAM: ("ham", "spam", "error", "off"),
    Filter.GRAYMAIL: (*(one.value for one in Graymail), "error", "off"),
}
POSITIONS = _each([str(number) for number in range(CLAMDS)])

MESSAGES = Family(
    "tamis_messages_total",
    Kind.COUNTER,
    "Messages by what the MTA was told at their end; none: it hung up, unknown: nothing was looked up yet.",
    ("direction", "answer"),
    (
        *product(WAYS, (Answer.ACCEPT, Answer.REFUSE, Answer.TEMPFAIL)),
        *product((UNKNOWN,), (Answer.TEMPFAIL, Answer.NONE)),
    ),
)
RECIPIENTS = Family(
    "tamis_recipients_total",
    Kind.COUNTER,
    "Recipients of ticketed messages by what was done for each, or would have been in mode shadow.",
    ("direction", "action"),
    tuple(product(WAYS, Action)),
)
DEFERRED = Family(
    "tamis_recipients_deferred_total",
    Kind.COUNTER,
    "Recipients who were asked to come in a transaction of their own (milter.defer_mixed).",
)
VERDICTS = Family(
    "tamis_verdicts_total",
    Kind.COUNTER,
    "Ticketed messages by what a filter said, once for each verdict where recipients' differ.",
    ("direction", "filter", "verdict"),
    tuple((way, name.value, verdict) for way in WAYS for name in Filter for verdict in VERDICTS_OF[name]),
)
TEMPFAILS = Family(
    "tamis_tempfails_total",
    Kind.COUNTER,
    "Messages that the MTA was told to try again later, by reason.",
    ("reason",),
    _each(tuple(Tempfail)),
)
MESSAGE_SECONDS = Family(
    "tamis_message_duration_seconds",
    Kind.HISTOGRAM,
    "Time from the end of a ticketed message to its answer.",
)
IN_FLIGHT = Family(
    "tamis_messages_in_flight", Kind.GAUGE, "Messages that have ended and are not answered yet."
)
HELD = Family(
    "tamis_messages_held_bytes",
    Kind.GAUGE,
    "Memory of messages, those that still come in included; milter.max_in_memory bounds each worker's.",
)
CONNECTIONS = Family("tamis_connections", Kind.GAUGE, "Connections of the MTA that are open.")
CLAMD_REQUESTS = Family(
    "tamis_clamd_requests_total",
    Kind.COUNTER,
    "Requests to a clamd, by its position in antivirus.clamd.",
    ("clamd",),
    POSITIONS,
)
CLAMD_ERRORS = Family(
    "tamis_clamd_errors_total",
    Kind.COUNTER,
    "Requests that a clamd gave no good answer to in time.",
    ("clamd",),
    POSITIONS,
)
CLAMD_SECONDS = Family(
    "tamis_clamd_request_duration_seconds",
    Kind.HISTOGRAM,
    "Time until a clamd's good answer.",
    ("clamd",),
    POSITIONS,
)
CLAMD_UP = Family(
    "tamis_clamd_up",
    Kind.STATE,
    "Whether a clamd's last answer was good; not there before the first.",
    ("clamd",),
    POSITIONS,
)
TICKETS = Family("tamis_store_tickets_total", Kind.COUNTER, "Tickets committed.")
COMMIT_SECONDS = Family(
    "tamis_store_commit_duration_seconds",
    Kind.HISTOGRAM,
    "Time for a commit, waiting for the database's lock included; one is shared by several tickets.",
)
STORE_ERRORS = Family("tamis_store_errors_total", Kind.COUNTER, "Commits and look-ups that failed.")
STORE_UP = Family(
    "tamis_store_up",
    Kind.STATE,
    "Whether the last commit was good and nothing has failed since; not there before the first.",
)
WORKERS = Family("tamis_workers", Kind.GAUGE, "Workers as configured.")
WORKERS_READY = Family("tamis_workers_ready", Kind.GAUGE, "Workers that take connections.")
RESTARTS = Family(
    "tamis_worker_restarts_total",
    Kind.COUNTER,
    "Workers, and writers of their tickets, that were replaced, by reason.",
    ("reason",),
    _each(tuple(Restart)),
)
MEMORY = Family(
    "tamis_worker_resident_memory_bytes",
    Kind.EACH,
    "Resident memory of each worker, what they share included.",
    ("worker",),
)
RELOADS = Family(
    "tamis_config_reloads_total",
    Kind.COUNTER,
    "Reloads of the configuration.",
    ("result",),
    _each(tuple(Reload)),
)
RELOADED = Family(
    "tamis_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    "Unix time since when the configuration has been in force.",
)
STARTED = Family("tamis_start_time_seconds", Kind.GAUGE, "Unix time at which the service was started.")
BUILD = Family("tamis_build_info", Kind.GAUGE, "Always 1; the version stands in the label.", ("version",))

# As they stand in the file.
FAMILIES = (
    BUILD,
    STARTED,
    MESSAGES,
    RECIPIENTS,
    DEFERRED,
    VERDICTS,
    TEMPFAILS,
    MESSAGE_SECONDS,
    IN_FLIGHT,
    HELD,
    CONNECTIONS,
    CLAMD_REQUESTS,
    CLAMD_ERRORS,
    CLAMD_SECONDS,
    CLAMD_UP,
    TICKETS,
    COMMIT_SECONDS,
    STORE_ERRORS,
    STORE_UP,
    WORKERS,
    WORKERS_READY,
    RESTARTS,
    MEMORY,
    RELOADS,
    RELOADED,
)
