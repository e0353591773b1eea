"""Messages by local domain: what is counted, when, and what of it is told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import NOON, keep, make_config, make_ticket, on_every_store, other
from tests.web import make_operator

from tamis.config import Config
from tamis.desk.discretion import LEAST, told
from tamis.desk.domains import Key, Tally
from tamis.options.operators import counting, domains
from tamis.options.operators.counting import EVERY
from tamis.store import tickets
from tamis.store.database import Database
from tamis.ticket import Action, Direction, Outcome, Ticket
from tamis.words.times import zone

DAY = 86_400_000  # ms
LATE = 90_000  # ms
LATER = NOON + LATE + 1  # when all is counted that came until noon
DOMAINS = ("example.org", "example.com")


def make_tally(where: str = "UTC") -> Tally:
    return Tally(DOMAINS, zone(where), late=LATE)


def outcome(address: str, action: Action = Action.DELIVER) -> Outcome:
    return Outcome(address, None, "clean", "ham", "none", action)


def to(*recipients: Outcome, at: int = NOON) -> Ticket:
    return replace(make_ticket(milliseconds=at), recipients=recipients)


def by(sender: str, *recipients: Outcome) -> Ticket:
    return replace(to(*recipients), direction=Direction.OUTGOING, sender=sender)


def counted(config: Config, tally: Tally, *, days: int = 7, now: int = LATER) -> Mapping[Key, int]:
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        while tally.advance(connection, now=now):
            pass
    return tally.counted(days, now=now).numbers


@on_every_store
@pytest.mark.parametrize(
    ("ticket", "numbers"),
    [
        (to(outcome("bob@example.org")), {("example.org", "incoming", "deliver"): 1}),
        (to(outcome("Bob@Example.ORG")), {("example.org", "incoming", "deliver"): 1}),
        (to(outcome("bob@elsewhere.example")), {}),
        (
            to(*(outcome(f"{one}@example.org") for one in ("a", "b", "c"))),
            {("example.org", "incoming", "deliver"): 1},
        ),
        (
            to(outcome("a@example.org"), outcome("b@example.org", Action.FILE), outcome("c@example.com")),
            {
                ("example.org", "incoming", "deliver"): 1,
                ("example.org", "incoming", "file"): 1,
                ("example.com", "incoming", "deliver"): 1,
            },
        ),
        (
            by("anna@example.com", outcome("carl@elsewhere.example", Action.REFUSE)),
            {("example.com", "outgoing", "refuse"): 1},
        ),
        (
            by("anna@example.com", outcome("bob@example.org", Action.MARK), outcome("x@y.example")),
            {("example.com", "outgoing", "deliver"): 1, ("example.org", "incoming", "mark"): 1},
        ),
        (by("", outcome("carl@elsewhere.example")), {}),
    ],
)
def test_a_message_counts_once_for_each_domain_and_outcome(
    tmp_path: Path, ticket: Ticket, numbers: Mapping[Key, int]
) -> None:
    config = make_config(tmp_path)
    keep(config, [ticket])

    assert counted(config, make_tally()) == {
        (domain, Direction(way), Action(action)): number for (domain, way, action), number in numbers.items()
    }


@on_every_store
def test_each_ticket_is_counted_once_however_many_there_are(tmp_path: Path) -> None:
    config, tally = make_config(tmp_path), make_tally()
    keep(config, [to(outcome("bob@example.org"), at=NOON - one) for one in range(2 * tickets.PAGE + 1)])
    first = sum(counted(config, tally).values())
    keep(config, [to(outcome("bob@example.org"), at=LATER)])

    assert first == 2 * tickets.PAGE + 1
    assert sum(counted(config, tally).values()) == first
    assert sum(counted(config, tally, now=2 * LATER - NOON).values()) == first + 1


def test_it_is_told_until_when_is_counted(tmp_path: Path) -> None:
    config, tally = make_config(tmp_path), make_tally()
    keep(config, [to(outcome("bob@example.org"), at=NOON + one) for one in range(tickets.PAGE + 1)])
    before = tally.counted(1, now=NOON).until
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        tally.advance(connection, now=NOON + DAY)
    meanwhile = tally.counted(1, now=NOON).until
    counted(config, tally, now=NOON + DAY)

    assert before == 0
    assert meanwhile == NOON + tickets.PAGE - 1
    assert tally.counted(1, now=NOON).until == NOON + DAY - LATE


def test_days_are_those_of_the_page(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    midnight = NOON - 13 * 3_600_000  # in Paris
    keep(
        config, [to(outcome("bob@example.org"), at=midnight - 1), to(outcome("bob@example.org"), at=midnight)]
    )
    keep(config, [to(outcome("bob@example.org"), at=midnight - 6 * DAY - one) for one in (0, 1)])
    tally = make_tally("Europe/Paris")

    assert sum(counted(config, tally, days=7).values()) == 3
    assert sum(counted(config, tally, days=1).values()) == 1
    assert sum(counted(config, tally, days=7, now=LATER + DAY).values()) == 2
    assert sum(counted(config, tally, days=1, now=LATER + DAY).values()) == 0


def test_what_somebody_has_changed_hides_no_other(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keep(config, [to(outcome("bob@example.org"), at=NOON - one) for one in range(3)])
    with other(config) as connection:
        connection.execute("UPDATE ticket SET body = '{}' WHERE id = (SELECT min(id) FROM ticket)")

    assert sum(counted(config, make_tally()).values()) == 2


def test_without_operators_nothing_is_counted(tmp_path: Path) -> None:
    config, tally = make_config(tmp_path), make_tally()
    keep(config, [to(outcome("bob@example.org"), at=NOON - one) for one in range(tickets.PAGE)])
    with contextlib.closing(Database(config.store)) as database:
        rest = counting.count(database, tally, now=LATER)
        before = tally.counted(7, now=LATER)
        make_operator(config)
        short = counting.count(database, tally, now=LATER)

    assert (rest, before.until) == (EVERY, 0)
    assert 0 < short < EVERY
    assert sum(tally.counted(7, now=LATER).numbers.values()) == tickets.PAGE


# --- What is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, None), (4, None), (5, 5), (9, 5), (10, 10), (99, 90), (123, 120), (1_299, 1_200), (99_999, 99_000)],
)
def test_numbers_are_rounded_down_and_small_ones_not_told(number: int, shown: int | None) -> None:
    assert told(number) == shown


@given(st.integers(0, 10**7), st.integers(0, LEAST - 1))
def test_a_small_number_does_not_follow_from_two_that_are_told(day: int, rest: int) -> None:
    week = day + rest
    near = range(LEAST + 1)
    others = {
        whole - part
        for part in (*(day - one for one in near), *(day + one for one in near))
        for whole in (*(week - one for one in near), *(week + one for one in near))
        if 0 <= part <= whole and told(part) == told(day) and told(whole) == told(week)
    }

    assert others > {rest}


def test_the_order_of_domains_tells_nothing_of_small_numbers() -> None:
    tally = make_tally()
    numbers = {("b.example", Direction.INCOMING, Action.DELIVER): LEAST - 1}
    names = ("c.example", "b.example", "a.example")

    found = domains.rows(names, replace(tally.counted(1, now=NOON), numbers=numbers))

    assert [row.domain for row in found] == sorted(names)
