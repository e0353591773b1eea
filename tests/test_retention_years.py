"""Five years, day by day: nothing goes under its floor, stays over its ceiling or is touched under hold."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model_retention import NEVER, PROMISES, YEARS, Paper, Person, Promise, Span, Window, window
from tests.years import (
    BEGIN,
    DAYS,
    HIDDEN,
    PEOPLE,
    Event,
    Making,
    by_day,
    events,
    makings,
    ms,
    night,
    note,
    time_of,
    was_in_time,
)

from tamis.retention.classes import RecordClass
from tamis.retention.due import Action, Owner, Record, due, to_be_warned
from tamis.retention.period import Period
from tamis.retention.presets import PRESETS
from tamis.retention.rules import Rules, assemble

# Worlds per preset: 25 in the tests, 1,250 with --hypothesis-profile=many.
EXAMPLES = settings.default.max_examples // 4 if settings.default else 25
WHAT = ("close", "reopen", "erase", "restrict", "lift", "hold", "sign_in", "disclose")
KINDS = sorted(set(RecordClass) - {RecordClass.COPY_GUARD})


def ms_if(moment: datetime | None) -> int | None:
    return None if moment is None else ms(moment)


@dataclass
class World:
    """People, their records, and a purge each night."""

    rules: Rules
    promises: Mapping[str, Promise]
    hidden_after: Span | None
    people: list[Person] = field(default_factory=lambda: [Person(BEGIN) for _ in range(PEOPLE)])
    papers: list[Paper] = field(default_factory=list)
    windows: dict[int, Window] = field(default_factory=dict)  # as things stand, by the paper's place

    def make(self, now: datetime, kind: str, people: Iterable[int]) -> None:
        """Make a record; what only one person can have has one owner, and a log has none."""
        owners = tuple(self.people[number] for number in sorted(people)) or (self.people[0],)
        if kind == "log":
            owners = ()
        elif kind != "ticket":
            owners = owners[:1]
        self.papers.append(Paper(kind, now, owners))

    def happen(self, now: datetime, event: Event) -> None:
        """Let somebody do something; a person whose account is closed can only reopen it or be held."""
        person = self.people[event.person]
        match event.what:
            case "hold":
                until = now + timedelta(days=event.days)
                for paper in self.papers:
                    if person in paper.people:
                        paper.held_until = max(until, paper.held_until or until)
            case "disclose":
                self.make(now, "legal_act", [event.person])
            case _:
                note(person, event.what, now)
        self.windows.clear()

    def warn(self, now: datetime) -> None:
        """Warn those to whose accounts nobody has signed in."""
        for person in self.people:
            if to_be_warned(owner(person), self.rules, ms(now)):
                assert not person.closed and YEARS.since(person.last_sign_in, up=False) <= now
                person.warned = now
                self.windows.clear()

    def purge(self, now: datetime, last: datetime) -> None:
        """Do what is due to each record, and look whether it may be done, and whether it was done in time."""
        for place, paper in enumerate(self.papers):
            if not paper.there:
                continue
            known = self.windows.get(place) or window(paper, self.promises)
            self.windows[place] = known
            was_in_time(paper, known, now, last)
            self._act(now, paper, known)

    def _act(self, now: datetime, paper: Paper, known: Window) -> None:
        free = known.guarded_until <= now
        to_hide = None
        if self.hidden_after and paper.kind == "ticket" and not paper.hidden:
            to_hide = self.hidden_after.since(paper.made, up=True)
        match due(record(paper), self.rules, ms(now)).action:
            case Action.DELETE:
                assert free and known.may_go <= now, f"{paper} is gone too early"
                paper.there = False
            case Action.PSEUDONYMISE:
                assert free and to_hide and to_hide <= now, f"{paper} is touched too early"
                paper.hidden = True
            case Action.KEEP:
                assert not (free and known.must_go <= now), f"{paper} is there after a purge"
                assert not (free and to_hide and to_hide <= now), f"{paper} still has its addresses"


def owner(person: Person) -> Owner:
    """Return what the rules ask about a person."""
    return Owner(
        closed=ms_if(person.closed),
        erasure=ms_if(person.erasure),
        restricted=ms_if(person.restricted),
        last_sign_in=ms(person.last_sign_in),
        warned=ms_if(person.warned),
    )


def record(paper: Paper) -> Record:
    """Return what the rules ask about a record."""
    return Record(
        RecordClass(paper.kind),
        ms(paper.made),
        tuple(owner(person) for person in paper.people),
        held_until=ms_if(paper.held_until),
        pseudonymised=paper.hidden,
    )


@pytest.mark.parametrize("preset", PRESETS)
@given(
    happened=st.lists(events(*WHAT), max_size=12),
    made=st.lists(makings(*KINDS), min_size=1, max_size=12),
    outage=st.none() | st.integers(0, DAYS - 400),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=EXAMPLES)
def test_for_five_years_all_is_kept_and_purged_as_promised(
    preset: str, happened: list[Event], made: list[Making], outage: int | None, seed: int
) -> None:
    world = World(rules_of(preset), PROMISES[preset], HIDDEN.get(preset))
    chance = random.Random(seed)  # noqa: S311 - for days on which the purge is late or left out
    calendar = by_day([*happened, *made])
    for number in range(PEOPLE):
        world.make(BEGIN, "account", [number])
    last, missed = BEGIN, False

    for day in range(1, DAYS):
        now = night(day, chance.randrange(60))
        away = outage is not None and outage <= day < outage + 366
        missed = away or (chance.random() < 0.1 and not missed)
        if not missed:
            world.warn(now)
            world.purge(now, last)
            last = now
        elif away:
            last = NEVER  # what was over its ceiling meanwhile had nobody to delete it
        for one in calendar.get(day, ()):
            then = time_of(one)
            if isinstance(one, Making):
                world.make(then, one.kind, one.people)
            else:
                world.happen(then, one)


def rules_of(preset: str) -> Rules:
    """Return the rules of a preset, with tickets that lose their addresses where there is room for that."""
    hidden = HIDDEN.get(preset)
    return assemble(
        preset,
        PRESETS[preset],
        {},
        remember=Period(milliseconds=3_600_000),
        pseudonymise=Period(months=hidden.months) if hidden else None,
    )
