"""The page Sign-ins: who signed in, who still is, and what deleting does."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sqlalchemy import insert
from tests.stores import NOON, on_every_store
from tests.visitor import Page, Visitor
from tests.web import Web, running

from tamis.config import Config
from tamis.options.sign_ins import KINDS
from tamis.retention.period import DAY
from tamis.store import sessions
from tamis.store.database import Database
from tamis.store.schema import hold
from tamis.store.sessions import Kind

ANNA, BOB = "anna@example.org", "bob@example.org"


def record(config: Config, account: str = ANNA, *moments: int, client: str | None = "192.0.2.9") -> list[str]:
    """Record sign-ins to send mail; return their IDs."""
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        return [sessions.sign_in(connection, account, Kind.SMTP, client, now=one) for one in moments]


def kept(config: Config) -> list[tuple[str, str]]:
    """Return account and kind of the sign-ins that there are."""
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT account, kind FROM session ORDER BY id").all()
        return [(row[0], row[1]) for row in rows]


def delete(visitor: Visitor, sign_in: str) -> Page:
    token = visitor.get("/sign-ins").token
    return visitor.post(f"/sign-ins/{sign_in}", {"token": token})


def test_each_kind_has_words() -> None:
    assert set(KINDS) == set(Kind)


@on_every_store
def test_sign_ins_are_shown_with_date_type_and_address_newest_first(web: Web) -> None:
    record(web.config, ANNA, NOON - DAY)
    record(web.config, ANNA, NOON - 2 * DAY, client=None)
    record(web.config, BOB, NOON, client="192.0.2.66")

    text = web.signed_in().get("/sign-ins").text

    listed = text.partition('class="entries"')[2]
    days = [listed.index(f"{day} November 2026") for day in (23, 22, 21)]
    assert days == sorted(days)
    assert listed.count("Sending mail") == 2 and "This web page · 192.0.2.7" in listed
    assert "address not known" in listed
    assert listed.count('class="badge">this browser') == 1
    assert "192.0.2.66" not in text
    assert "Sign-ins: at most 1 month." in text


@on_every_store
def test_one_is_deleted(web: Web) -> None:
    (sign_in,) = record(web.config, ANNA, NOON - DAY)
    visitor = web.signed_in()

    done = delete(visitor, sign_in)

    assert (done.status, done.location) == (303, "/sign-ins?done=deleted")
    assert "Deleted." in visitor.get(done.location).text
    assert kept(web.config) == [(ANNA, "options")]


def test_anothers_cannot_be_deleted_and_look_as_if_they_were_not_there(web: Web) -> None:
    (other,) = record(web.config, BOB, NOON - DAY)
    visitor = web.signed_in()

    assert delete(visitor, other).status == delete(visitor, "nothing").status == 404
    assert (BOB, "smtp") in kept(web.config)


def test_who_signed_in_by_one_that_is_deleted_is_signed_out(web: Web) -> None:
    here, elsewhere = web.signed_in(), web.visitor()
    web.clock[0] += 1000
    elsewhere.sign_in()
    text = here.get("/sign-ins").text
    badges = [one for one in text.split("<li>") if 'class="badge">signed in' in one]
    assert len(badges) == 1
    sign_in = badges[0].partition('formaction="/sign-ins/')[2].partition('"')[0]

    delete(here, sign_in)

    assert elsewhere.get("/sign-ins").status == 303
    assert here.get("/sign-ins").status == 200


def test_all_are_deleted_and_everybody_is_signed_out(web: Web) -> None:
    record(web.config, ANNA, NOON - DAY, NOON - 2 * DAY)
    here = web.signed_in()

    here.change("/sign-ins", {"do": "delete"})

    assert here.get("/sign-ins").location.startswith("/sign-in?")
    assert kept(web.config) == []


@on_every_store
def test_other_browsers_are_signed_out_and_their_sign_ins_stay(web: Web) -> None:
    here, elsewhere, bob = web.signed_in(), web.visitor(), web.signed_in(BOB)
    elsewhere.sign_in()
    assert "This browser, and others: 1." in here.get("/sign-ins").text

    done = here.change("/sign-ins", {"do": "sign-out"})

    assert "All other browsers are signed out." in here.get(done.location).text
    assert "This browser and no other." in here.get("/sign-ins").text
    assert elsewhere.get("/sign-ins").status == 303
    assert bob.get("/sign-ins").status == 200
    assert kept(web.config).count((ANNA, "options")) == 2


def test_what_has_to_stay_says_so_and_not_why(web: Web) -> None:
    (sign_in,) = record(web.config, ANNA, NOON - DAY)
    visitor = web.signed_in()
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        row = {"id": "01HOLD", "account": ANNA, "until": NOON + 90 * DAY, "released": None}
        connection.execute(insert(hold), row)

    done = delete(visitor, sign_in)

    text = visitor.get(done.location).text
    assert "It has to stay on record for now." in text
    assert "2027" not in text
    assert (ANNA, "smtp") in kept(web.config)


def test_a_floor_keeps_them_likewise(tmp_path: Path) -> None:
    floor = '[retention.session]\nage.floor = "10d"\n'
    with running(tmp_path, floor) as web:
        young, old = record(web.config, ANNA, NOON - DAY, NOON - 20 * DAY)
        visitor = web.signed_in()

        assert delete(visitor, young).location == "/sign-ins?done=kept"
        assert delete(visitor, old).location == "/sign-ins?done=deleted"


def test_many_are_shown_a_page_at_a_time(web: Web) -> None:
    record(web.config, ANNA, *(NOON - number * 60_000 for number in range(1, 121)))
    visitor = web.signed_in()

    shown = []
    path = "/sign-ins"
    while path:
        text = visitor.get(path).text
        shown.append(text.count("formaction"))
        path = text.partition('href="/sign-ins?before=')[2].partition('"')[0]
        path = path and f"/sign-ins?before={path}"

    assert shown == [50, 50, 21]
