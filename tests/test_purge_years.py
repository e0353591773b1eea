"""Years, day by day, through the real store: nothing goes too early, stays too long or is touched under hold.

What is expected is worked out by tests/model_retention.py. The store is a file in memory, as its many commits
would wait for the disk: what waits there for a purge that is killed is tests/test_purge_killed.py's.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from tests.model_retention import NEVER, PROMISES, YEARS, Paper, Person, Promise, Span, Window, window
from tests.stores import make_config, make_ticket, path_of
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

from tamis.config import Config
from tamis.desk import disclosure, erasure, holds, purge, status
from tamis.desk import settings as desk_settings
from tamis.desk.disclosure import Order
from tamis.desk.holds import Request
from tamis.desk.purge import Purge
from tamis.desk.status import Act, NoAccount
from tamis.retention.due import to_be_warned
from tamis.retention.presets import PRESETS
from tamis.retention.rules import Rules
from tamis.store import changes, owners, sessions, tickets, verification
from tamis.store import settings as store_settings
from tamis.store.database import Database
from tamis.store.owners import Date, Status
from tamis.store.pace import Pace
from tamis.ticket import time_of as milliseconds_of

# Per preset 30 examples of five years with --hypothesis-profile=many, else 2 that just have a leap day.
MANY = settings.default is not None and settings.default.max_examples > 1000
LAST = DAYS if MANY else 430  # days of an example
EXAMPLES = 30 if MANY else 2
SKIPPED = 0.1 if MANY else 1.0  # of the purges after one that was not
PACE = Pace(sleep=lambda _: None)
MEMORY = Path("/dev/shm")
WHAT = (*Act, "erase", "hold", "release", "sign_in", "disclose")
KINDS = ("ticket", "setting_change", "consent")
# All records with those whom each is about, and a row more for each account that has anything set.
# Whom tickets with pseudonyms are about was noted while they had none.
RECORDS = """
SELECT 'ticket', id, (SELECT group_concat(account) FROM ticket_account WHERE ticket = id) FROM ticket
UNION ALL SELECT 'session', id, account FROM session
UNION ALL SELECT 'setting_change', id, account FROM setting_change
UNION ALL SELECT 'consent', id, account FROM consent
UNION ALL SELECT 'legal_act', id, '' FROM legal_act
UNION ALL SELECT DISTINCT 'account', account, account FROM setting
"""
HIDING = "SELECT id FROM ticket WHERE body NOT LIKE '%@example.%' AND message_id LIKE '%pseudonym.invalid>'"
Name = tuple[str, str]  # class and ID


def address_of(number: int) -> str:
    return f"user{number}@example.org"


def is_about(paper: Paper, person: Person) -> bool:
    return any(one is person for one in paper.people)  # not one of the same dates


def made_at(name: Name, now: datetime) -> datetime:
    """Return when a new record was made; what the settings of an erased account become is as old as that."""
    kind, record_id = name
    if kind != "setting_change":
        return now
    return min(now, datetime.fromtimestamp(milliseconds_of(record_id) / 1000, UTC))


@dataclass
class Held:
    """An account's records that are not to be touched."""

    id: str
    person: int
    until: datetime  # earlier once it is released


@dataclass
class World:
    """A store, and what the model knows of those whom its records are about."""

    database: Database
    other: sqlite3.Connection
    rules: Rules
    promises: Mapping[str, Promise]
    hidden_after: Span | None
    people: list[Person] = field(default_factory=lambda: [Person(BEGIN) for _ in range(PEOPLE)])
    papers: dict[Name, Paper] = field(default_factory=dict)  # that are there
    held: list[Held] = field(default_factory=list)
    windows: dict[Name, Window] = field(default_factory=dict)  # as things stand
    freed: dict[Name, datetime] = field(default_factory=dict)  # when somebody ended what guarded a record

    def make(self, now: datetime, one: Making) -> None:
        """Make a record; what only one person can have has one owner."""
        about = [address_of(number) for number in sorted(one.people or {0})]
        with self.database.writing() as connection:
            if one.kind == "ticket":
                ticket = make_ticket(milliseconds=ms(now))
                (outcome,) = ticket.recipients
                ticket = replace(ticket, recipients=tuple(replace(outcome, account=to) for to in about))
                tickets.add(connection, tickets.rows([ticket]))
            elif one.kind == "consent":
                changes.agree(connection, about[0], "learning", given=True, actor="user", now=ms(now))
            else:
                change = changes.Change("antispam", "on", "off")
                changes.record(connection, about[0], [change], actor="user", now=ms(now))
        self.look(now)

    def happen(self, now: datetime, event: Event) -> None:
        """Let somebody do something, where he can."""
        person, address = self.people[event.person], address_of(event.person)
        guarded = [name for name in self.papers if self.window(name).guarded_until > now]
        match event.what:
            case "sign_in":
                self.sign_in(now, event.person)
            case "erase":
                note(person, "erase", now)
                erasure.erase(self.database, address, self.rules, notify=False, now=ms(now), pace=PACE)
            case "hold":
                until = now + timedelta(days=event.days)
                with self.database.writing() as connection:
                    request = Request("R1", "court", None)
                    made = holds.add(connection, address, request, until=ms(until), now=ms(now))
                self.held.append(Held(made.id, event.person, until))
            case "release":
                for one in self.held:
                    if one.person == event.person and one.until > now:
                        one.until = now
                        with self.database.writing() as connection:
                            holds.release(connection, one.id, now=ms(now))
            case "disclose":
                order = Order("R1", "court", "law", "FR", address, 0, ms(now))
                disclosure.enter(self.database, order, now=ms(now))
            case act:
                self._act(now, person, address, Act(act))
        self.windows.clear()
        self.freed |= {name: now for name in guarded if name in self.papers}
        self.look(now)

    def _act(self, now: datetime, person: Person, address: str, act: Act) -> None:
        with contextlib.suppress(NoAccount), self.database.writing() as connection:
            if status.carry_out(connection, address, act, actor="root", notify=False, now=ms(now)):
                note(person, act, now)

    def sign_in(self, now: datetime, number: int) -> None:
        """Let a person sign in, whose account is made where it is not there."""
        person, address = self.people[number], address_of(number)
        with self.database.writing() as connection:
            before = store_settings.status(connection, address)
            if before is Status.CLOSED:
                return
            is_new = before in (None, Status.ERASED)
            if is_new:
                person.closed = person.restricted = None
                self.papers.pop(("account", address), None)
            note(person, "sign_in", now)
            sessions.sign_in(connection, address, sessions.Kind.OPTIONS, "192.0.2.1", now=ms(now))
            if is_new:
                values = {"antispam": "off"}
                desk_settings.put(connection, address, values, actor="user", notify=False, now=ms(now))

    def warn(self, now: datetime) -> None:
        """Warn those to whose accounts nobody has signed in."""
        if not any(promise.unseen for promise in self.promises.values()):
            return
        with self.database.writing() as connection:
            for address, owner in owners.every(connection):
                person = self.people[int(address[4])]
                if to_be_warned(owner, self.rules, ms(now)):
                    assert not person.closed and YEARS.since(person.last_sign_in, up=False) <= now
                    owners.put(connection, address, Date.WARNED, ms(now))
                    person.warned = now
                    self.windows.clear()

    def purge(self, now: datetime, last: datetime, *, set_back: timedelta) -> None:
        """Purge by a clock that may be set back, and look whether all was done in time."""
        for name, paper in self.papers.items():
            was_in_time(paper, self.window(name), now, last)
        clock = now - set_back
        assert set_back or not purge.check_clock(self.database, ms(clock))
        Purge(self.database, self.rules, now=ms(clock), pace=PACE).run()
        assert purge.clean_up(self.database, PACE) == (True, True)
        self.look(clock)
        for name, paper in self.papers.items():
            known = self.window(name)
            may_stay = known.guarded_until > clock or known.must_go > clock
            assert may_stay, f"{paper} is there after a purge"
            if paper.kind == "ticket" and self.hidden_after and not paper.hidden:
                to_hide = self.hidden_after.since(paper.made, up=True)
                may_show = known.guarded_until > clock or to_hide > clock
                assert may_show, f"{paper} still has its addresses"

    def look(self, now: datetime) -> None:
        """Note which records are new, and see that those that are gone might go."""
        there = {(kind, one): about for kind, one, about in self.other.execute(RECORDS)}
        for name in [name for name in self.papers if name not in there]:
            known, paper = self.window(name), self.papers.pop(name)
            assert known.guarded_until <= now and known.may_go <= now, f"{paper} is gone too early"
        for name in there.keys() - self.papers.keys():
            about = sorted(there[name].split(",")) if there[name] else []
            people = tuple(self.people[int(one[4])] for one in about)
            made = made_at(name, now)
            if made < now:  # what kept it as a setting may have ended with that
                self.freed[name] = now
            self.papers[name] = Paper(name[0], made, people)
        for (one,) in self.other.execute(HIDING):
            self._hide(now, ("ticket", one))
        self._forget()

    def _hide(self, now: datetime, name: Name) -> None:
        """Note that a ticket has pseudonyms, and see that it might get them."""
        paper = self.papers[name]
        if not paper.hidden:
            assert self.hidden_after, f"{paper} has pseudonyms"
            may_hide = max(self.window(name).guarded_until, self.hidden_after.since(paper.made, up=True))
            assert may_hide <= now, f"{paper} is touched too early"
            paper.hidden = True

    def _forget(self) -> None:
        """Forget the dates of persons whose accounts have left nothing."""
        rows = {address for (address,) in self.other.execute("SELECT address FROM account")}
        for number, person in enumerate(self.people):
            if address_of(number) not in rows and (person.closed or person.erasure or person.restricted):
                assert not [paper for paper in self.papers.values() if is_about(paper, person)]
                person.closed = person.erasure = person.restricted = person.warned = None

    def window(self, name: Name) -> Window:
        """Return a record's window as things stand."""
        if name not in self.windows:
            paper = self.papers[name]
            ends = [one.until for one in self.held if is_about(paper, self.people[one.person])]
            paper.held_until = max(ends, default=None)
            known = window(paper, self.promises)
            guarded_until = max(known.guarded_until, self.freed.get(name, NEVER))
            self.windows[name] = replace(known, guarded_until=guarded_until)
        return self.windows[name]


@pytest.fixture(scope="module", params=PRESETS)
def config(request: pytest.FixtureRequest) -> Iterator[Config]:
    """Return a configuration with a preset, whose store is in memory, and has nothing in it."""
    hidden = HIDDEN.get(request.param)
    after = f"{hidden.months} months" if hidden else ""
    more = f'[retention]\npreset = "{request.param}"\n[tickets]\npseudonymise_after = "{after}"'
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield make_config(Path(folder), more=more)


@contextlib.contextmanager
def world(config: Config) -> Iterator[World]:
    """Lend a world whose people have signed in once."""
    file = path_of(config)
    empty = file.with_name("empty.db")
    if not empty.exists():
        shutil.copy(file, empty)
    for one in file.parent.glob("tamis.db*"):
        one.unlink()
    shutil.copy(empty, file)
    with (
        contextlib.closing(Database(config.store)) as database,
        contextlib.closing(sqlite3.connect(file)) as other,
    ):
        preset = config.retention.preset
        made = World(database, other, config.rules, PROMISES[preset], HIDDEN.get(preset))
        for number in range(PEOPLE):
            made.sign_in(BEGIN, number)
        made.look(BEGIN)
        yield made


@given(
    happened=st.lists(events(*WHAT, days=LAST), min_size=20, max_size=60),
    made=st.lists(makings(*KINDS, days=LAST), min_size=20, max_size=60),
    outage=st.none() | st.integers(0, LAST - 400),
    set_back=st.tuples(st.integers(2, LAST), st.integers(1, 500)),
    seed=st.integers(0, 10**6),
)
# To shrink what fails would take hours.
@settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_for_years_the_store_keeps_and_purges_as_promised(
    config: Config,
    happened: list[Event],
    made: list[Making],
    outage: int | None,
    set_back: tuple[int, int],
    seed: int,
) -> None:
    assume(len({one.day for one in happened}) > 5)  # not the simplest, which is always drawn first
    chance = random.Random(seed)  # noqa: S311 - for days on which the purge is late or left out
    calendar = by_day([*happened, *made])
    last, missed = BEGIN, False
    with world(config) as one:
        for day in range(1, LAST):
            now = night(day, chance.randrange(60))
            away = outage is not None and outage <= day < outage + 366
            is_back = day == set_back[0] and not away
            by_chance = not missed and abs(day - set_back[0]) > 1 and chance.random() < SKIPPED
            if away:
                last = NEVER  # what was over its ceiling meanwhile had nobody to delete it
            elif is_back or not by_chance:
                one.warn(now)
                one.purge(now, last, set_back=timedelta(days=set_back[1] if is_back else 0))
                last = last if is_back else now
            missed = away or is_back or by_chance
            for what in calendar.get(day, ()):
                if isinstance(what, Making):
                    one.make(time_of(what), what)
                else:
                    one.happen(time_of(what), what)
            if day % 365 == 0:
                assert verification.verify(one.database).faults == 0
        assert verification.verify(one.database).faults == 0
