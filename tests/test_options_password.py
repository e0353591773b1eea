"""The page My password: another local password, by who knows the one that there is."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import zipfile
from pathlib import Path

import pytest
from tests.servers.ports import free_port
from tests.servers.smtp import Sink, wait_until
from tests.stores import NOON, gives_up_soon, on_every_store, path_of, stored
from tests.visitor import PASSWORD, Page, Visitor
from tests.web import Web, running

from tamis.desk import status
from tamis.desk.status import Act
from tamis.options.doorkeeper import OF_AN_ACCOUNT
from tamis.passwords import LONGEST, SHORTEST
from tamis.store import credentials
from tamis.store.database import Database

ANNA, BOB = "anna@example.org", "bob@example.org"
PATH = "/sign-ins/password"
NEW = "staple of the horse"
NOTICES = '[notices]\nsmtp = "inet:127.0.0.1:{port}"\nsender = "postmaster@example.org"\n'
IMAP = '[options]\nsign_in = ["password", "imap"]\n[options.imap]\nserver = "inet:127.0.0.1:9"\n'


def change(visitor: Visitor, old: str = PASSWORD, new: str = NEW, again: str | None = None) -> Page:
    return visitor.change(PATH, {"old": old, "new": new, "again": new if again is None else again})


def forget_password(web: Web) -> None:
    """Leave anna, who stays signed in, without a local password."""
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        credentials.put_password(connection, ANNA, None, now=NOON)


@on_every_store
def test_the_new_password_signs_in_and_the_old_one_no_more(web: Web) -> None:
    visitor = web.signed_in()

    done = change(visitor)

    assert (done.status, done.location) == (303, "/sign-ins?done=password")
    assert "Your password is changed" in visitor.get(done.location).text
    assert web.visitor().sign_in(password=PASSWORD).status == 401
    assert web.visitor().sign_in(password=NEW).status == 303


@on_every_store
def test_all_other_browsers_of_the_account_are_signed_out_and_nobody_elses(web: Web) -> None:
    here, elsewhere, bob = web.signed_in(), web.visitor(), web.signed_in(BOB)
    elsewhere.sign_in()

    change(here)

    assert elsewhere.get("/sign-ins").status == 303
    assert "This browser and no other." in here.get("/sign-ins").text
    assert bob.get("/sign-ins").status == 200


def test_who_holds_a_copy_of_the_cookie_is_signed_out(web: Web) -> None:
    here, thief = web.signed_in(), web.visitor()
    thief.cookies = dict(here.cookies)

    change(here)

    assert here.cookies != thief.cookies
    assert thief.get("/sign-ins").status == 303
    assert 'class="badge">this browser' in here.get("/sign-ins").text


def test_the_session_goes_on_as_it_would_have(web: Web) -> None:
    visitor = web.signed_in()
    session = "SELECT account, sign_in, made, used, expires FROM web_session"
    ((account, sign_in, made, _, expires),) = stored(web.config, session)
    token = visitor.get(PATH).token
    web.clock[0] += 120_000

    visitor.post(PATH, {"token": token, "old": PASSWORD, "new": NEW, "again": NEW})

    assert isinstance(expires, int)
    assert stored(web.config, session) == [(account, sign_in, made, web.clock[0], expires + 120_000)]


def test_programs_stay_let_in(web: Web) -> None:
    visitor, program = web.signed_in(), web.program(ANNA)

    change(visitor)

    assert program.get("/account").status == 200


def test_a_wrong_old_password_changes_nothing(web: Web) -> None:
    visitor, elsewhere = web.signed_in(), web.visitor()
    elsewhere.sign_in()

    page = change(visitor, old="a guess of somebody")

    assert page.status == 422
    assert "This is not your password." in page.text
    assert elsewhere.get("/sign-ins").status == 200
    assert web.visitor().sign_in(password=PASSWORD).status == 303


@pytest.mark.parametrize(
    ("new", "again", "told"),
    [
        ("too short", "too short", f"Enter {SHORTEST} characters or more, {LONGEST} at most."),
        (
            "x" * (LONGEST + 1),
            "x" * (LONGEST + 1),
            f"Enter {SHORTEST} characters or more, {LONGEST} at most.",
        ),
        (NEW, f"{NEW}s", "Both have to be the same."),
        (PASSWORD, PASSWORD, "This is the password that you have."),
    ],
)
def test_what_cannot_be_set_is_told_without_an_attempt_at_the_old_one(
    web: Web, new: str, again: str, told: str
) -> None:
    visitor = web.signed_in()

    pages = [change(visitor, new=new, again=again) for _ in range(OF_AN_ACCOUNT + 1)]

    assert {page.status for page in pages} == {422}
    assert told in pages[-1].text
    assert new not in pages[-1].text
    assert web.visitor().sign_in(password=PASSWORD).status == 303


def test_an_open_session_is_no_way_to_guess_without_limits(web: Web) -> None:
    visitor = web.signed_in()
    for number in range(OF_AN_ACCOUNT):
        assert change(visitor, old=f"guess {number}").status == 422

    page = change(visitor)

    assert page.status == 429
    assert "Too many attempts. Wait 15 min" in page.text
    assert web.visitor(client="192.0.2.99").sign_in(password=PASSWORD).status == 429


def test_the_password_of_the_mailbox_is_not_the_old_one(tmp_path: Path) -> None:
    with running(tmp_path, IMAP) as web:
        visitor = web.signed_in()

        page = change(visitor, old="that of the mailbox")

        assert page.status == 422  # nothing listens there: who asked would be told that it is away


@on_every_store
def test_it_is_on_record_as_the_users_own_and_nothing_of_the_passwords(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    visitor = web.signed_in()
    web.clock[0] += 60_000

    change(visitor)

    (row,) = stored(web.config, "SELECT account, key, old, new FROM setting_change WHERE actor = 'user'")
    assert tuple(row) == (ANNA, "password", '"2026-11-23T12:00:00.000Z"', '"2026-11-23T12:01:00.000Z"')
    assert "Password set" in visitor.get("/my-data/history").text
    page = visitor.post("/my-data/export", {"token": visitor.get("/my-data").token})
    with zipfile.ZipFile(io.BytesIO(page.octets)) as export:
        found = b"".join(export.read(name) for name in export.namelist())
    assert b'"password"' in found  # the change is
    assert [one for one in (NEW, PASSWORD, "argon2") if one.encode() in found or one in caplog.text] == []


def test_the_user_is_told_by_mail(tmp_path: Path) -> None:
    mta = Sink(free_port())
    with running(tmp_path, NOTICES.format(port=mta.port)) as web:
        visitor = web.signed_in()
        assert "You get a mail that tells you of the change." in visitor.get(PATH).text

        change(visitor)

        wait_until(lambda: bool(mta.kept))
    mta.stop()
    (kept,) = mta.kept
    assert kept.recipients == (ANNA,)
    assert b"anna@example.org\r\nfor the page of the mail filter was changed" in kept.content
    assert NEW.encode() not in kept.content


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESTRICT])
def test_accounts_that_are_closed_or_restricted_stay_so(web: Web, act: Act) -> None:
    visitor = web.signed_in()
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        status.carry_out(connection, ANNA, act, actor="user", notify=False, now=NOON)
    dates = "SELECT created, closed, restricted, erasure FROM account"
    before = stored(web.config, dates)

    assert change(visitor).status == 303

    assert stored(web.config, dates) == before


@gives_up_soon
def test_while_the_store_is_locked_nothing_is_changed(web: Web) -> None:
    visitor, elsewhere = web.signed_in(), web.visitor()
    elsewhere.sign_in()
    token = visitor.get(PATH).token

    with contextlib.closing(sqlite3.connect(path_of(web.config))) as lock:
        lock.execute("BEGIN IMMEDIATE")
        page = visitor.post(PATH, {"token": token, "old": PASSWORD, "new": NEW, "again": NEW})

    assert page.status == 503
    assert visitor.get("/sign-ins").status == elsewhere.get("/sign-ins").status == 200
    assert web.visitor().sign_in(password=PASSWORD).status == 303


def test_who_was_signed_out_meanwhile_changes_nothing(web: Web) -> None:
    visitor = web.signed_in()
    token = visitor.get(PATH).token
    web.meanwhile = lambda: web.password(ANNA, "another by the operator")

    page = visitor.post(PATH, {"token": token, "old": "another by the operator", "new": NEW, "again": NEW})

    web.meanwhile = lambda: None
    assert page.location == "/sign-in?lost=yes&next=sign-ins%2Fpassword"
    assert web.visitor().sign_in(password=NEW).status == 401


def test_who_has_none_is_told_where_his_is_changed(tmp_path: Path) -> None:
    with running(tmp_path, IMAP) as web:
        visitor = web.signed_in()
        forget_password(web)

        page = visitor.get(PATH)
        text = visitor.get("/sign-ins").text

        assert (page.status, page.location) == (303, "/sign-ins")
        assert visitor.post(PATH, {"token": visitor.get("/sign-ins").token}).location == "/sign-ins"
        assert "The password of your mailbox" in text
        assert "Change my password" not in text


def test_where_nobody_signs_in_by_local_ones_none_is_changed(tmp_path: Path) -> None:
    with running(tmp_path, IMAP) as web:
        cookies = web.signed_in().cookies
    with running(tmp_path, IMAP.replace('"password", ', "")) as web:
        visitor = web.visitor()
        visitor.cookies = cookies

        assert visitor.get(PATH).location == "/sign-ins"


def test_sign_ins_say_when_the_password_was_set(web: Web) -> None:
    assert "The one of this page was set 23 November 2026." in web.signed_in().get("/sign-ins").text
