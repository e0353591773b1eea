"""The page My data: numbers, export, restriction, closing, erasure, history."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert
from tests.commands import Tamis
from tests.stores import NOON, keep, make_ticket, on_every_store, other, stored, until
from tests.visitor import PASSWORD, Page, Visitor
from tests.web import Web, running

from tamis.desk.export import write
from tamis.judgement import milliseconds_now
from tamis.options.my_data import TITLES
from tamis.retention.classes import RecordClass
from tamis.retention.period import DAY
from tamis.store import pace
from tamis.store.census import DATED
from tamis.store.database import Database
from tamis.store.schema import hold
from tamis.ticket import Ticket

ANNA, BOB = "anna@example.org", "bob@example.org"


def status(tamis: Tamis, address: str = ANNA) -> object:
    return tamis("account", "show", address, "--json").lines[0]["status"]


def send(visitor: Visitor, path: str, **fields: str) -> Page:
    """Send a form of the page."""
    return visitor.post(path, {"token": visitor.get("/my-data").token, **fields})


def to(account: str, milliseconds: int = NOON - DAY) -> Ticket:
    made = make_ticket(account, milliseconds=milliseconds)
    return replace(made, recipients=(replace(made.recipients[0], address=account),))


@on_every_store
def test_what_is_kept_is_told_in_numbers(web: Web) -> None:
    keep(web.config, [to(ANNA, NOON - 40 * DAY), to(ANNA), to(BOB)])

    text = web.signed_in().get("/my-data").text

    assert "Your account is there since 23 November 2026." in text
    assert "Last sign-in: 23 November 2026, 12:00 UTC." in text
    mail = text.partition("What happened to your mail</strong>")[2].partition("</li>")[0]
    assert "14 October 2026 to 22 November 2026" in mail
    assert "Kept: at most 1 year" in mail
    assert 'class="number">2<' in mail


def test_each_class_that_a_report_names_has_words() -> None:
    assert set(TITLES) == {RecordClass.ACCOUNT, *DATED}


@on_every_store
def test_all_of_it_is_exported_and_nothing_of_others(web: Web) -> None:
    keep(web.config, [to(ANNA), to(BOB)])
    visitor = web.signed_in(ANNA)
    web.signed_in(BOB)
    web.clock[0] += 1000

    page = send(visitor, "/my-data/export")

    assert page.headers["content-disposition"] == 'attachment; filename="anna@example.org.zip"'
    assert (page.headers["content-type"], page.headers["cache-control"]) == ("application/zip", "no-store")
    assert int(page.headers["content-length"]) == len(page.octets)
    archive = zipfile.ZipFile(io.BytesIO(page.octets))
    assert archive.testzip() is None
    assert [one["recipients"][0]["account"] for one in json.loads(archive.read("tickets.json"))] == [ANNA]
    rows = list(csv.DictReader(io.StringIO(archive.read("sessions.csv").decode())))
    assert [row["address"] for row in rows] == ["192.0.2.7"]
    book = load_workbook(io.BytesIO(archive.read("account.xlsx")))
    assert [row[0] for row in book["account"].iter_rows(values_only=True)] == ["address", ANNA]
    assert BOB.encode() not in b"".join(archive.read(name) for name in archive.namelist())


def test_one_export_at_a_time_is_on_its_way_and_has_no_name(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    visitor = web.signed_in()
    token = visitor.get("/my-data").token
    seen: list[tuple[Page, list[Path]]] = []

    def writing(*given: Any, **named: Any) -> dict[str, int]:
        counts = write(*given, **named)
        seen.append((visitor.post("/my-data/export", {"token": token}), list(folder.iterdir())))
        return counts

    monkeypatch.setattr("tamis.desk.export.write", writing)
    for _ in range(2):
        assert visitor.post("/my-data/export", {"token": token}).octets.startswith(b"PK")

    for second, files in seen:
        assert (second.status, files) == (429, [])
        assert "An export is still on its way." in second.text


def test_an_export_that_cannot_be_made_is_told_and_another_may_be_asked_for(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    keep(web.config, [to(ANNA)])
    visitor = web.signed_in()
    with other(web.config) as others:
        others.execute("UPDATE ticket SET body = '{'")

    pages = [send(visitor, "/my-data/export") for _ in range(2)]

    assert [page.status for page in pages] == [500, 500]
    assert all("Your export cannot be made at present." in page.text for page in pages)
    assert "export not made error=1 tickets cannot be read" in caplog.text
    assert ANNA not in caplog.text


def test_restriction_is_begun_and_ended(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()

    done = send(visitor, "/my-data/restriction", do="restrict")

    assert "no filter looks at your next message" in visitor.get(done.location).text
    assert status(tamis) == "restricted"
    assert "Restricted since 23 November 2026, 12:00 UTC." in visitor.get("/my-data").text
    assert 'href="/my-data">End that</a>' in visitor.get("/reception").text
    done = send(visitor, "/my-data/restriction", do="lift")
    assert "your filters look at your next message" in visitor.get(done.location).text
    assert status(tamis) == "active"


def test_closing_tells_what_goes_when_and_can_be_taken_back(tmp_path: Path, tamis: Tamis) -> None:
    with running(tmp_path, '[retention]\npreset = "mailpro"\n') as web:
        visitor = web.signed_in()
        before = visitor.get("/my-data").text
        done = send(visitor, "/my-data/closing", do="close")
        after = visitor.get(done.location).text
        closed = status(tamis)
        send(visitor, "/my-data/closing", do="reopen")

    told = "kept until 7 January 2027, gone by 22 January 2027"  # 45 and 60 days
    assert told in before and told in after
    assert "What would go when" in before and "What would go when" not in after
    assert "Your account is closed." in after and "Closed since 23 November 2026" in after
    assert closed == "closed"
    assert status(tamis) == "active"


def test_what_a_user_did_is_on_record_as_his_own(web: Web) -> None:
    visitor = web.signed_in()

    send(visitor, "/my-data/restriction", do="restrict")
    send(visitor, "/my-data/closing", do="close")

    rows = stored(web.config, "SELECT actor, key FROM setting_change WHERE key <> 'password' ORDER BY key")
    assert rows == [("user", "closed"), ("user", "restricted")]


@on_every_store
def test_the_history_says_who_changed_what_from_what_to_what(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    tamis("account", "set", ANNA, "antispam=off", "senders.allowed=a@example.net")
    tamis("account", "set", ANNA, "antispam=on", "senders.allowed+=b@example.net", "learning=on")
    send(visitor, "/my-data/restriction", do="restrict")
    web.program(ANNA, name="My webmail")

    text = visitor.get("/my-data/history").text

    assert "from off to on" in text and "set to: off" in text
    assert "Added: b@example.net" in text
    assert "Use of your data restricted" in text and "Password set" in text
    assert "by you" in text and "by your provider" in text and "root" not in text
    assert "Learning: agreed" in text
    assert "A program let in" in text and "My webmail" in text


def test_the_history_is_shown_a_page_at_a_time(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    for number in range(60):
        send(visitor, "/my-data/restriction", do="lift" if number % 2 else "restrict")

    first = visitor.get("/my-data/history").text
    path = first.partition('href="/my-data/history?before=')[2].partition('"')[0]
    second = visitor.get(f"/my-data/history?before={path}").text

    assert (first.count("<li><div>"), second.count("<li><div>")) == (50, 11)


def test_an_erasure_is_explained_class_by_class_before_it_is_confirmed(tmp_path: Path) -> None:
    with running(tmp_path, '[retention]\npreset = "mailo"\n') as web:
        keep(web.config, [to(ANNA, NOON - 300 * DAY), to(ANNA)])
        text = web.signed_in().get("/my-data/erasure").text

    going, _, rest = text.partition("What stays for a time")
    staying = rest.partition("What you should know")[0]
    assert "Your account and settings" in going and "Sign-ins" in going.partition("What goes at once")[2]
    assert "What happened to your mail" in staying and "Changes of your settings" in staying
    assert "Each is kept for 1 year at least; the last goes between 22 November 2027 and" in staying
    assert 'class="number">2<' in staying


@pytest.mark.parametrize("typed", ["", "a wrong password", ANNA])
def test_without_the_password_nothing_is_erased(web: Web, tamis: Tamis, typed: str) -> None:
    visitor = web.signed_in()

    page = send(visitor, "/my-data/erasure", confirm=typed)

    assert page.status == 422
    assert "This is not the password that you sign in with." in page.text
    assert status(tamis) == "active"
    assert visitor.get("/my-data").status == 200


def test_passwords_can_be_tried_so_often_only(web: Web) -> None:
    visitor = web.signed_in()

    statuses = [send(visitor, "/my-data/erasure", confirm="a wrong one").status for _ in range(11)]

    assert statuses == [422] * 10 + [429]
    assert send(visitor, "/my-data/erasure", confirm=PASSWORD).status == 429


def test_who_has_no_local_password_types_his_address(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM local_password")

    assert "Type anna@example.org to confirm" in visitor.get("/my-data/erasure").text
    page = send(visitor, "/my-data/erasure", confirm="bob@example.org")
    assert page.status == 422 and "This is not the address of this account." in page.text
    assert send(visitor, "/my-data/erasure", confirm=" Anna@example.org ").location == "/erased"


OF_ANNA = """SELECT 1 FROM ticket_account WHERE account = 'anna@example.org' UNION ALL
SELECT 1 FROM account WHERE address = 'anna@example.org' UNION ALL SELECT 1 FROM setting"""


@on_every_store
def test_after_an_erasure_all_is_gone_and_everybody_signed_out(web: Web, tamis: Tamis) -> None:
    web.clock[0] = milliseconds_now() + 60_000  # beyond the time of the command
    keep(web.config, [to(ANNA), to(BOB)])
    tamis("account", "set", ANNA, "antispam=off")
    here, elsewhere = web.signed_in(), web.visitor()
    elsewhere.sign_in()

    done = send(here, "/my-data/erasure", confirm=PASSWORD)

    assert (done.status, done.location) == (303, "/erased")
    assert here.cookies == {}
    assert "Your data is being erased" in here.get("/erased").text
    assert elsewhere.get("/my-data").location.startswith("/sign-in")
    assert elsewhere.sign_in().status == 401
    assert asyncio.run(until(lambda: not stored(web.config, OF_ANNA)))
    assert stored(web.config, "SELECT account FROM ticket_account") == [(BOB,)]


def test_a_hold_keeps_all_and_no_page_tells(web: Web) -> None:
    keep(web.config, [to(ANNA)])
    visitor = web.signed_in()
    before = visitor.get("/my-data/erasure").text
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        row = {"id": "01HOLD", "account": ANNA, "until": NOON + 90 * DAY, "released": None}
        connection.execute(insert(hold), row)

    assert visitor.get("/my-data/erasure").text == before
    send(visitor, "/my-data/erasure", confirm=PASSWORD)

    finished = "SELECT 1 FROM receipt WHERE body NOT LIKE '%\"finished\": null%'"
    assert asyncio.run(until(lambda: stored(web.config, finished)))
    assert len(stored(web.config)) == 1


def test_an_erasure_that_is_broken_off_goes_on_with_the_next_purge(tmp_path: Path, tamis: Tamis) -> None:
    with pytest.MonkeyPatch.context() as patch, running(tmp_path) as web:
        patch.setattr(pace, "SHORTEST", 30.0)  # seconds, so that it rests when the page is stopped
        keep(web.config, [to(ANNA) for _ in range(400)])
        send(web.signed_in(), "/my-data/erasure", confirm=PASSWORD)
    left = len(stored(web.config))

    assert left > 0
    assert status(tamis) in ("none", "erased")
    tamis("purge", "--yes")
    assert stored(web.config, OF_ANNA) == []
