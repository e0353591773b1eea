"""The operator's overview: who gets to see it, and that it shows what was counted and nobody's address."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_ticket, on_every_store
from tests.visitor import PASSWORD, Page, Visitor
from tests.web import CHEAP, Web, running

from tamis.interfaces import Answer, Tempfail
from tamis.options.doorkeeper import OF_AN_ACCOUNT
from tamis.options.operators import chart, figures, sampling
from tamis.options.routes import ROUTES, For, Route
from tamis.passwords import Passwords
from tamis.service.families import SECONDS
from tamis.service.table import Row, Table
from tamis.service.textfile import exposition
from tamis.store import operators, receipts
from tamis.store.database import Database
from tamis.store.hours import HOUR, Hour
from tamis.ticket import Action, Direction, new_id

OWN = [one for one in ROUTES if one.who is For.OPERATOR]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Web]:
    """Run a web page whose configuration names a file of metrics."""
    with running(tmp_path, f'[metrics]\nfile = "{tmp_path}/tamis.prom"') as web:
        yield web


def add(web: Web, name: str = "olga", password: str = PASSWORD) -> None:
    digest = Passwords(CHEAP).hash(password)
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        operators.put(connection, name, digest, now=NOON)


def sign_in(visitor: Visitor, name: str = "olga", password: str = PASSWORD) -> Page:
    token = visitor.get("/operator/sign-in").token
    return visitor.post("/operator/sign-in", {"token": token, "name": name, "password": password})


def signed_in(web: Web, language: str = "en") -> Visitor:
    add(web)
    visitor = web.visitor(language)
    assert sign_in(visitor).location == "/operator"
    return visitor


# --- Who sees it -----------------------------------------------------------------------------------


def test_an_operator_signs_in_and_out(web: Web) -> None:
    visitor = signed_in(web)
    seen = visitor.get("/operator")
    held = dict(visitor.cookies)

    visitor.post("/operator/sign-out", {"token": seen.token})
    visitor.cookies = held

    assert "olga" in seen.text
    assert visitor.get("/operator").location == "/operator/sign-in"


@pytest.mark.parametrize(("name", "password"), [("olga", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_who_is_wrong_is_told_the_same_whether_there_is_such_an_operator(
    web: Web, name: str, password: str
) -> None:
    add(web)

    page = sign_in(web.visitor(), name, password)

    assert page.status == 401
    assert "Name or password is wrong." in page.text


def test_attempts_are_limited(web: Web) -> None:
    add(web)
    visitor = web.visitor()
    for _ in range(OF_AN_ACCOUNT):
        sign_in(visitor, password="wrong")  # noqa: S106

    assert sign_in(visitor).status == 429


@pytest.mark.parametrize("route", OWN, ids=lambda one: one.name)
def test_a_user_is_no_operator(web: Web, route: Route) -> None:
    visitor = web.signed_in()
    visitor.cookies["tamis-operator"] = visitor.cookies["tamis"]
    token = visitor.get("/reception").token
    pages = [visitor.get(route.path)] * (route.show is not None)
    pages += [visitor.post(route.path, {"token": token})] * (route.change is not None)

    assert [page.location for page in pages] == ["/operator/sign-in"]


def test_an_operator_is_no_user(web: Web) -> None:
    visitor = signed_in(web)
    visitor.cookies["tamis"] = visitor.cookies["tamis-operator"]

    assert visitor.get("/reception").location == "/sign-in?next=reception"


def test_the_cookie_goes_to_operators_pages_alone(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nurl = "https://mail.example.org/options"') as web:
        cookie = web.visitor().get("/options/operator/sign-in").headers["set-cookie"]

    assert cookie.startswith("__Secure-tamis-operator=")
    assert "; Path=/options/operator; SameSite=lax; Secure" in cookie
    assert "HttpOnly" in cookie


def test_who_is_removed_is_signed_out(web: Web, tamis: Tamis) -> None:
    visitor = signed_in(web)

    tamis("options", "operator", "remove", "olga")

    assert visitor.get("/operator").location == "/operator/sign-in"


def test_operators_are_added_and_listed(web: Web, tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    added = tamis("options", "operator", "add", "pat")

    assert added.status == 0
    assert tamis("options", "operator", "list").out.startswith("pat  password set 20")
    assert sign_in(web.visitor(), "pat").location == "/operator"
    assert tamis("options", "operator", "remove", "olga").status == 1
    assert tamis("options", "operator", "add", "pat@example.org").status == 2


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

    text = signed_in(watched).get("/operator").text

    assert '<th scope="row">12:00</th><td class="number">41</td>' in text
    assert '<th scope="row">13:00</th><td class="number">7</td>' in text
    assert "2 of 2 workers take mail" in text
    assert "Nothing." in text


def test_faults_are_shown_with_their_last_hour(watched: Web) -> None:
    visitor = signed_in(watched, "fr")
    table = started()
    note(watched, table)
    table.worker(0).unticketed(Answer.TEMPFAIL, Tempfail.RELAY, direction=Direction.INCOMING)
    note(watched, table)

    text = visitor.get("/operator").text

    assert 'Le relais n&#39;a pas pris une copie</th><td class="number">1</td><td>12:00</td>' in text


def test_a_milter_that_is_silent_is_told(watched: Web) -> None:
    visitor = signed_in(watched)
    absent = visitor.get("/operator").text
    write(watched, started())
    watched.clock[0] = 4_000_000_000_000  # long after the file was written

    silent = signed_in(watched).get("/operator").text

    assert "Not running, or metrics.file cannot be read" in absent
    assert "Has said nothing since" in silent


def test_the_oldest_records_stand_against_their_ceiling(web: Web) -> None:
    visitor = signed_in(web)
    keep(web.config, [make_ticket()])
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        receipts.put(connection, new_id(NOON), {})

    text = visitor.get("/operator").text

    assert '<th scope="row">tickets</th><td>2026-11-23</td>' in text
    assert "<dt>Last purge</dt><dd>23 November 2026, 12:00 UTC</dd>" in text
    assert "name a file in metrics.file" in text
    assert "@" not in text


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
