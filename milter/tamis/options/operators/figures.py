"""What the overview shows, from the milter's metrics: pure sums, nobody's address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tamis import prometheus
from tamis.interfaces import Answer, Tempfail
from tamis.service import families
from tamis.service.families import SECONDS, Family, Restart
from tamis.store.hours import HOUR, Counters, Hour
from tamis.ticket import Action, Direction
from tamis.words.catalogue import text

HOURS = 24  # that are shown

STARTED = families.STARTED.name
COUNTED = (
    families.MESSAGES.name,
    families.RECIPIENTS.name,
    families.TEMPFAILS.name,
    f"{families.MESSAGE_SECONDS.name}_bucket",
    families.CLAMD_ERRORS.name,
    families.STORE_ERRORS.name,
    families.RESTARTS.name,
    families.RELOADS.name,
)
ANSWERS: Mapping[Answer, str] = {
    Answer.ACCEPT: text("Accepted"),
    Answer.REFUSE: text("Refused"),
    Answer.TEMPFAIL: text("To come again"),
}
ACTIONS: Mapping[Action, str] = {
    Action.DELIVER: text("Delivered as it came"),
    Action.MARK: text("Marked in its header"),
    Action.FILE: text("Put into a folder"),
    Action.REFUSE: text("Refused"),
    Action.DISCARD: text("Not delivered: malware"),
    Action.TEMPFAIL: text("To come again"),
}


def _known(family: Family, *values: str) -> str:
    return prometheus.sample(family.name, family.labels, values)


def _clamds(family: Family) -> tuple[str, ...]:
    return tuple(_known(family, *labels) for labels in family.samples)


# What is a fault, and the samples that count it.
FAULTS: Mapping[str, tuple[str, ...]] = {
    text("A worker had more messages than milter.max_in_flight"): (
        _known(families.TEMPFAILS, Tempfail.IN_FLIGHT),
    ),
    text("A worker had more of messages in memory than milter.max_in_memory"): (
        _known(families.TEMPFAILS, Tempfail.MEMORY),
    ),
    text("The store did not take a ticket"): (_known(families.TEMPFAILS, Tempfail.STORE),),
    text("No clamd answered for a message"): (_known(families.TEMPFAILS, Tempfail.CLAMD),),
    text("A filter failed on a message"): (_known(families.TEMPFAILS, Tempfail.CHECK),),
    text("The relay did not take a copy"): (_known(families.TEMPFAILS, Tempfail.RELAY),),
    text("A message had too many header fields to remove"): (_known(families.TEMPFAILS, Tempfail.FIELDS),),
    text("A message took longer than milter.deadline"): (_known(families.TEMPFAILS, Tempfail.DEADLINE),),
    text("Tamis erred: see its log"): (_known(families.TEMPFAILS, Tempfail.ERROR),),
    text("A request to clamd failed"): _clamds(families.CLAMD_ERRORS),
    text("A look-up or commit in the store failed"): (_known(families.STORE_ERRORS),),
    text("A worker died"): (_known(families.RESTARTS, Restart.DIED),),
    text("A worker hung"): (_known(families.RESTARTS, Restart.HUNG),),
    text("A new configuration was refused"): (_known(families.RELOADS, families.Reload.FAILED),),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One hour of the chart and the table."""

    begin: int  # Unix ms
    messages: Mapping[Direction, Mapping[Answer, int]]
    half: float | None  # seconds in which half of the messages were answered; None without messages
    most: float | None  # in which 95 of 100 were


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong."""

    about: str
    times: int
    last: int  # the beginning of the last hour that it happened in


def counters(read: Counters) -> Counters:
    """Return those numbers of the metrics that are kept by the hour."""
    return {known: number for known, number in read.items() if known.partition("{")[0] in COUNTED}


def until_now(found: Sequence[Hour], read: Counters, now: int) -> tuple[Hour, ...]:
    """Return the hours that were noted, the last one up to what the metrics say now."""
    started = read.get(STARTED)
    if started is None:
        return tuple(found)
    begin, service = now - now % HOUR, round(started * 1000)
    noted = next((one for one in found if (one.begin, one.started) == (begin, service)), None)
    present = Hour(begin, service, noted.first if noted else counters(read), counters(read))
    return (*(one for one in found if one is not noted), present)


def by_hour(found: Sequence[Hour]) -> Mapping[int, Counters]:
    """Return what was counted in each hour, by its beginning.

    An hour counts on from the end of the one before. Where that is not known, nobody has looked, and what was
    counted before the first look in the hour is left out, unless the service was started in it.
    """
    counted: dict[int, dict[str, float]] = {}
    before: dict[int, Hour] = {}
    for one in found:
        former = before.get(one.started)
        if former is not None and former.begin == one.begin - HOUR:
            base = former.last
        else:
            base = {} if one.started >= one.begin else one.first
        before[one.started] = one
        sums = counted.setdefault(one.begin, {})
        for known, number in one.last.items():
            sums[known] = sums.get(known, 0) + max(0, number - base.get(known, 0))
    return counted


def columns(counted: Mapping[int, Counters], now: int) -> tuple[Column, ...]:
    """Return the last 24 hours, the present one at the end."""
    last = now - now % HOUR
    return tuple(
        _column(begin, counted.get(begin, {})) for begin in range(last - (HOURS - 1) * HOUR, last + 1, HOUR)
    )


def outcomes(counted: Mapping[int, Counters]) -> Mapping[Action, Mapping[Direction, int]]:
    """Return what was done, for how many recipients."""
    return {
        action: {way: _sum(counted, [_known(families.RECIPIENTS, way, action)]) for way in families.WAYS}
        for action in ACTIONS
    }


def faults(counted: Mapping[int, Counters]) -> tuple[Fault, ...]:
    """Return what went wrong, the latest first."""
    found = []
    for about, samples in FAULTS.items():
        times = _sum(counted, samples)
        if times:
            when = [hour for hour, sums in counted.items() if any(sums.get(one) for one in samples)]
            found.append(Fault(about, times, max(when)))
    return tuple(sorted(found, key=lambda one: -one.last))


def quantile(share: float, counts: Sequence[float]) -> float | None:
    """Return the seconds within which a share of messages were answered, as Prometheus estimates it.

    Counts are those of the histogram's buckets, each with all below it; None without messages.
    """
    wanted = share * counts[-1]
    if not counts[-1]:
        return None
    lower = below = 0.0
    for bound, count in zip(SECONDS, counts, strict=False):
        if count >= wanted:
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return SECONDS[-1]


def _column(begin: int, counted: Counters) -> Column:
    messages = {
        way: {answer: round(counted.get(_known(families.MESSAGES, way, answer), 0)) for answer in ANSWERS}
        for way in families.WAYS
    }
    buckets = [counted.get(one, 0) for one in _buckets()]
    return Column(begin, messages, quantile(0.5, buckets), quantile(0.95, buckets))


def _buckets() -> Iterator[str]:
    for bound in (*map(prometheus.shown, SECONDS), "+Inf"):
        yield prometheus.sample(f"{families.MESSAGE_SECONDS.name}_bucket", ("le",), (bound,))


def _sum(counted: Mapping[int, Counters], samples: Sequence[str]) -> int:
    return round(sum(sums.get(one, 0) for sums in counted.values() for one in samples))
