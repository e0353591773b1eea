"""What is under way while its account is erased, or comes when its session is over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from tests.servers.imap import ImapServer
from tests.stores import on_every_store
from tests.test_options_imap import configured
from tests.visitor import PASSWORD
from tests.web import Web, running

from tamis.desk import erasure
from tamis.options.attempts import HOUR
from tamis.store import settings
from tamis.store.database import Database
from tamis.store.owners import Status

ANNA = "anna@example.org"


def status(web: Web) -> Status | None:
    with contextlib.closing(Database(web.config.store)) as database, database.reading() as connection:
        return settings.status(connection, ANNA)


def erase(web: Web) -> None:
    """Begin an erasure."""
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        erasure.begin(connection, ANNA, notify=False, now=web.clock[0])


@on_every_store
def test_form_under_way_while_its_account_is_erased_does_not_make_it_anew(web: Web) -> None:
    anna = web.signed_in()
    token = anna.get("/senders").token
    web.meanwhile = lambda: erase(web)

    page = anna.post("/senders", {"token": token, "list": "blocked", "sender": "carl@example.com"})

    assert (page.status, page.location) == (303, "/sign-in?lost=yes&next=senders")
    assert "nothing was changed" in anna.get(page.location).text
    assert status(web) is Status.ERASED


def test_form_of_whose_session_is_over_is_said_to_be_lost_and_its_page_is_next(web: Web) -> None:
    anna = web.signed_in()
    token = anna.get("/senders").token
    web.clock[0] += HOUR

    page = anna.post("/senders", {"token": token, "list": "blocked", "sender": "carl@example.com"})

    assert "nothing was changed" in anna.get(page.location).text
    assert anna.get(f"{page.location}&lang=fr").text.count("lost=yes") == 2  # in both languages' links
    assert anna.sign_in(next="senders").location == "/senders"


def test_who_signs_out_after_his_session_is_over_has_lost_nothing(web: Web) -> None:
    anna = web.signed_in()
    token = anna.get("/senders").token
    web.clock[0] += HOUR

    assert anna.post("/sign-out", {"token": token}).location == "/sign-in"


def test_who_is_signed_in_by_a_header_reads_first_that_his_form_is_lost(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nsign_in = ["header"]\nproxies = ["192.0.2.1"]\n') as web:
        anna = web.visitor(client="192.0.2.1")
        anna.sent["remote-user"] = ANNA
        anna.get("/sign-in")
        token = anna.get("/senders").token
        web.clock[0] += HOUR

        page = anna.post("/senders", {"token": token, "list": "blocked", "sender": "carl@example.com"})

        text = anna.get(page.location).text
        assert "nothing was changed" in text
        assert 'href="/sign-in?next=senders"' in text


@on_every_store
def test_call_under_way_while_its_account_is_erased_does_not_make_it_anew(web: Web) -> None:
    program = web.program(ANNA)
    web.meanwhile = lambda: erase(web)

    page = program.send("PATCH", "/account", {"antispam": "off"})

    assert page.status == 401
    assert status(web) is Status.ERASED


@on_every_store
def test_call_of_a_webmail_under_way_while_its_account_is_erased_does_not_make_it_anew(web: Web) -> None:
    program = web.program(None)
    program.sent["tamis-account"] = ANNA
    program.send("PATCH", "/account", {"antispam": "off"})
    web.meanwhile = lambda: erase(web)

    page = program.send("PATCH", "/account", {"antispam": "on"})

    assert (page.status, status(web)) == (404, Status.ERASED)
    web.meanwhile = lambda: None
    assert program.send("PATCH", "/account", {"antispam": "on"}).status == 200
    assert status(web) is Status.ACTIVE


class Slow(dict[str, str]):
    """Passwords of an IMAP server, which takes its time."""

    meanwhile: Callable[[], object]

    def get(self, login: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return the password of a mailbox."""
        self.meanwhile()
        return super().get(login, default)


def test_sign_in_under_way_while_its_account_is_erased_does_not_make_it_anew(tmp_path: Path) -> None:
    passwords = Slow({ANNA: PASSWORD})
    with ImapServer(tmp_path, passwords) as server, running(tmp_path, configured(server)) as web:
        passwords.meanwhile = lambda: None
        web.visitor().sign_in()
        passwords.meanwhile = lambda: erase(web)

        page = web.visitor().sign_in()

        assert (page.location, status(web)) == ("/erased", Status.ERASED)
        passwords.meanwhile = lambda: None
        assert web.visitor().sign_in().location == "/reception"
        assert status(web) is Status.ACTIVE
