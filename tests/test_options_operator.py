"""The operator's overview: who gets to see it, and that it shows what was counted and nobody's address."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import Markup
from tests.servers.milter import PATIENCE
from tests.stores import NOON, keep, make_config, make_ticket, on_every_store
from tests.visitor import Visitor
from tests.web import Web, make_operator, running

from tamis.interfaces import Answer, StoreUnavailable, Tempfail
from tamis.options.operators import board, chart, figures, sampling
from tamis.options.routes import ROUTES, For
from tamis.service.families import SECONDS
from tamis.service.table import Row, Table
from tamis.service.textfile import exposition
from tamis.store import receipts
from tamis.store.database import Database
from tamis.store.hours import HOUR, Hour
from tamis.ticket import Action, Direction, new_id

DAY = 24 * HOUR
OWN = [one for one in ROUTES if one.who is For.OPERATOR]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Web]:
    """Run a web page whose configuration names a file of metrics."""
    with running(tmp_path, f'[metrics]\nfile = "{tmp_path}/tamis.prom"') as web:
        yield web


def shown(web: Web, visitor: Visitor, path: str, wanted: str) -> str:
    """Return a page once it says something."""
    end = time.monotonic() + PATIENCE
    while wanted not in (text := visitor.get(path).text) and time.monotonic() < end:
        time.sleep(0.01)
        web.clock[0] += board.FRESH
    return text


# --- What it shows ---------------------------------------------------------------------------------


def count(row: Row, times: int, *, seconds: float = 0.004) -> None:
    for _ in range(times):
        row.answered(make_ticket(), Answer.ACCEPT, reason=None, seconds=seconds)


def write(web: Web, table: Table) -> None:
    Path(web.config.metrics.file).write_text(exposition(table, 1))


def note(web: Web, table: Table) -> None:
    write(web, table)
    with contextlib.closing(Database(web.config.store)) as database:
        sampling.note(database, web.config.metrics.file, now=web.clock[0])


def started() -> Table:
    table = Table()
    table.own.started()
    table.own.workers(wanted=2, ready=2)
    return table


@on_every_store
def test_messages_are_shown_in_the_hour_in_which_they_came(watched: Web) -> None:
    table = started()
    note(watched, table)
    count(table.worker(0), 41)
    note(watched, table)
    watched.clock[0] += HOUR
    count(table.worker(0), 7)
    note(watched, table)

    text = watched.operator().get("/operator").text

    assert '<th scope="row">12:00</th><td class="number">41</td>' in text
    assert '<th scope="row">13:00</th><td class="number">7</td>' in text
    assert "Workers that take mail: 2 of 2" in text
    assert "Nothing." in text


def test_faults_are_shown_with_their_last_hour(watched: Web) -> None:
    visitor = watched.operator("fr")
    table = started()
    note(watched, table)
    table.worker(0).unticketed(Answer.TEMPFAIL, Tempfail.RELAY, direction=Direction.INCOMING)
    note(watched, table)

    text = visitor.get("/operator").text

    assert 'Le relais n&#39;a pas pris une copie</th><td class="number">1</td><td>12:00</td>' in text


def test_a_milter_that_is_silent_is_told(watched: Web) -> None:
    visitor = watched.operator()
    absent = visitor.get("/operator").text
    write(watched, started())
    watched.clock[0] = 4_000_000_000_000  # long after the file was written

    silent = watched.operator().get("/operator").text

    assert "Not running, or metrics.file cannot be read" in absent
    assert "Has said nothing since" in silent


def test_the_oldest_records_stand_against_their_ceiling(web: Web) -> None:
    visitor = web.operator()
    keep(web.config, [make_ticket()])
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        receipts.put(connection, new_id(NOON), {})

    text = visitor.get("/operator").text

    assert '<th scope="row">tickets</th><td>2026-11-23</td>' in text
    assert "<dt>Last purge</dt><dd>23 November 2026, 12:00 UTC</dd>" in text
    assert "name a file in metrics.file" in text
    assert "@" not in text


@on_every_store
def test_mail_is_shown_by_domain_rounded_and_small_numbers_not(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    make_operator(config)
    keep(config, [make_ticket(milliseconds=NOON - DAY - one) for one in range(19)])
    keep(config, [make_ticket(milliseconds=NOON - HOUR - one) for one in range(4)])
    with running(tmp_path) as web:
        visitor = web.visitor()
        visitor.sign_in_operator()
        week = shown(web, visitor, "/operator/domains?days=7", "Counted until")
        today = visitor.get("/operator/domains").text

    few = '<td class="number off">under 5</td>'
    assert f'<th scope="row">example.org</th>{few}<td class="number">20</td>' in week
    assert f'<th scope="row">example.org</th>{few}{few}' in today
    assert "@" not in week + today


def test_domains_are_looked_for_by_a_part_of_their_names(web: Web) -> None:
    text = web.operator().get("/operator/domains?domain=E.COM").text

    assert "example.com" in text
    assert "example.org" not in text


def test_what_many_ask_for_is_made_once_in_five_seconds(web: Web) -> None:
    visitor = web.operator()
    first, told = (visitor.get("/operator").text, visitor.get("/operator?lang=fr").text)
    keep(web.config, [make_ticket()])
    soon = visitor.get("/operator?lang=en").text
    web.clock[0] += board.FRESH

    later = visitor.get("/operator").text

    assert "There are none." in first
    assert "Il n&#39;y en a pas" in told
    assert "There are none." in soon
    assert '<th scope="row">tickets</th>' in later


def test_those_who_ask_at_once_wait_for_the_same_one_and_see_it_fail_together() -> None:
    made: list[int] = []

    async def make() -> Markup:
        made.append(len(made))
        await asyncio.sleep(0)
        if len(made) == 1:
            raise StoreUnavailable("locked")
        return Markup("well")

    async def story() -> list[object]:
        shown = board.Board()
        asked = (shown.get("overview", make, now=0) for _ in range(3))
        failed = await asyncio.gather(*asked, return_exceptions=True)
        return [*failed, await shown.get("overview", make, now=0)]

    *failed, at_last = asyncio.run(story())

    assert [type(one) for one in failed] == [StoreUnavailable] * 3
    assert (at_last, made) == ("well", [0, 1])


# --- Sums ------------------------------------------------------------------------------------------

SAMPLE = "tamis_store_errors_total"
START = NOON - 10 * HOUR


def hour(number: int, first: float, last: float, service: int = START) -> Hour:
    return Hour(NOON + number * HOUR, service, {SAMPLE: first}, {SAMPLE: last})


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        ([hour(0, 5, 9), hour(1, 9, 12)], [4, 3]),
        ([hour(0, 5, 9), hour(1, 11, 12)], [4, 3]),  # what came between two looks
        ([hour(0, 5, 9), hour(2, 50, 52)], [4, 2]),  # nobody has looked for an hour
        ([hour(0, 5, 9), hour(0, 1, 3, NOON + 60_000)], [7]),  # a new start, which counts from 0
        ([hour(0, 5, 9), hour(1, 4, 6, NOON - HOUR)], [4, 2]),  # a second service, seen late
    ],
)
def test_an_hour_has_what_was_counted_in_it(found: list[Hour], counts: list[int]) -> None:
    assert [sums[SAMPLE] for sums in figures.by_hour(found).values()] == counts


def test_a_quantile_is_estimated_between_bounds() -> None:
    counts = [0.0] * len(SECONDS) + [100.0]
    for place, bound in enumerate(SECONDS):
        counts[place] = 0.0 if bound < 0.01 else 50.0 if bound < 0.025 else 100.0

    assert figures.quantile(0.5, counts) == 0.01
    assert figures.quantile(0.75, counts) == pytest.approx(0.0175)
    assert figures.quantile(0.5, [0.0] * (len(SECONDS) + 1)) is None
    assert figures.quantile(0.95, [0.0] * len(SECONDS) + [1.0]) == 60.0


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    drawn = chart.stacked([{"accept": 30, "refuse": 10}, {"accept": 0}, {"accept": 20}])

    assert drawn.highest == 40
    assert [[part.height for part in bar.parts] for bar in drawn.bars] == [[150, 50], [], [100]]
    assert [part.y for part in drawn.bars[0].parts] == [50, 0]
    assert chart.stacked([{"accept": 0}]).highest == 0


def test_every_action_has_a_word() -> None:
    assert set(figures.ACTIONS) == set(Action)
