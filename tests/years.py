"""Five years in which people and authorities do things at random, for tests that go day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from tests.model_retention import Paper, Person, Span, Window

DAYS = 5 * 365 + 2  # with a leap day, 2028-02-29
BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PEOPLE = 3
# The age of tickets from which on they have pseudonyms, in presets without a floor by age.
HIDDEN = {"": Span(months=6), "mailpro": Span(months=9)}


@dataclass(frozen=True)
class Event:
    """Something that a person or an authority does."""

    day: int
    hour: int
    what: str
    person: int
    days: int  # of a hold


@dataclass(frozen=True)
class Making:
    """A record that is made."""

    day: int
    hour: int
    kind: str
    people: frozenset[int]


people = st.integers(0, PEOPLE - 1)
hours = st.integers(0, 23)


def events(*what: str, days: int = DAYS) -> st.SearchStrategy[Event]:
    """Return events of some kinds."""
    return st.builds(Event, st.integers(1, days), hours, st.sampled_from(what), people, st.integers(1, 900))


def makings(*kinds: str, days: int = DAYS) -> st.SearchStrategy[Making]:
    """Return records of some classes."""
    about = st.frozensets(people, min_size=0, max_size=2)
    return st.builds(Making, st.integers(1, days), hours, st.sampled_from(kinds), about)


def by_day(both: Iterable[Event | Making]) -> Mapping[int, list[Event | Making]]:
    """Return what happens on each day, in its order."""
    found: dict[int, list[Event | Making]] = {}
    for one in sorted(both, key=lambda one: one.hour):
        found.setdefault(one.day, []).append(one)
    return found


def time_of(one: Event | Making) -> datetime:
    """Return when something happens: after the purge of the night."""
    return BEGIN + timedelta(days=one.day, hours=max(one.hour, 4))


def night(day: int, minutes: int) -> datetime:
    """Return when a timer runs that keeps the time of Paris, where it is 3 o'clock, and somewhat late."""
    now = BEGIN + timedelta(days=day, minutes=minutes)
    return now + timedelta(hours=1 if 4 <= now.month <= 10 else 2)


def ms(moment: datetime) -> int:
    """Return Unix milliseconds."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def note(person: Person, what: str, now: datetime) -> None:
    """Note what a person does; one whose account is closed can only reopen it."""
    match what:
        case "close":
            person.closed = person.closed or now
        case "reopen" if person.closed:
            person.closed, person.last_sign_in = None, now
        case "sign_in" if not person.closed:
            person.last_sign_in = now
        case "erase":
            person.erasure = now
        case "restrict":
            person.restricted = now
        case "lift":
            person.restricted = None


def was_in_time(paper: Paper, known: Window, now: datetime, last: datetime) -> None:
    """See that a record that is there before a purge did not have to be gone since the last one."""
    in_time = known.must_go > now or max(known.guarded_until, paper.made) > last
    assert in_time, f"{paper} is there between two purges, though it had to be gone"
