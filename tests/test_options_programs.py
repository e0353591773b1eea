"""The page Programs: tokens of the API that a user makes and takes back himself."""

from __future__ import annotations

import contextlib
import re

from tests.stores import NOON
from tests.visitor import PASSWORD
from tests.web import Program, Web

from tamis.desk.tokens import MOST
from tamis.store import credentials
from tamis.store.database import Database

PATH = "/my-data/programs"
TOKEN = re.compile(r"tamis_[\w-]{43}")


def test_a_token_is_shown_once_and_lets_its_program_in(web: Web) -> None:
    visitor = web.signed_in()

    page = visitor.change(
        PATH, {"name": "My phone", "scope": "read", "lasting": "always", "confirm": PASSWORD}
    )

    (token,) = TOKEN.findall(page.text)
    program = Program(web.visitor())
    program.sent["authorization"] = f"Bearer {token}"
    assert program.get("/account").json["address"] == "anna@example.org"
    assert program.send("POST", "/account/close").status == 403
    later = visitor.get(PATH).text
    assert "My phone" in later and "last used 23 November 2026" in later
    assert TOKEN.search(later) is None


def test_a_program_that_is_shut_out_gets_nothing_more(web: Web) -> None:
    visitor, program = web.signed_in(), web.program("anna@example.org")
    found = re.search(rf'formaction="({PATH}/\w+)"', visitor.get(PATH).text)
    assert found is not None

    page = visitor.post(found[1], {"token": visitor.get(PATH).token})

    assert (page.status, page.location) == (303, f"{PATH}?done=revoked")
    assert program.get("/account").status == 401


def test_what_is_wrong_is_told_and_lets_nobody_in(web: Web) -> None:
    visitor = web.signed_in()

    assert (
        visitor.change(PATH, {"name": " ", "scope": "read", "lasting": "always", "confirm": PASSWORD}).status
        == 422
    )
    assert (
        visitor.change(PATH, {"name": "x", "scope": "all", "lasting": "always", "confirm": PASSWORD}).status
        == 400
    )
    assert (
        visitor.change(PATH, {"name": "x", "scope": "erase", "lasting": "always", "confirm": PASSWORD}).status
        == 400
    )
    assert visitor.change(PATH, {"name": "x", "scope": "read"}).status == 400
    assert "There are none." in visitor.get(PATH).text


def test_a_program_is_let_in_for_as_long_as_its_user_wants(web: Web) -> None:
    visitor = web.signed_in()
    page = visitor.change(
        PATH, {"name": "My phone", "scope": "read", "lasting": "month", "confirm": PASSWORD}
    )
    program = Program(web.visitor())
    program.sent["authorization"] = f"Bearer {TOKEN.findall(page.text)[0]}"
    assert "until 23 December 2026" in page.text

    web.clock[0] += 30 * 86_400_000

    assert program.get("/account").status == 401


def test_who_comes_by_an_open_browser_lets_no_program_in(web: Web) -> None:
    visitor = web.signed_in()
    fields = {"name": "My phone", "scope": "read", "lasting": "always"}

    page = visitor.change(PATH, fields | {"confirm": "a guess"})

    assert page.status == 422
    assert "This is not the password that you sign in with." in page.text
    assert "There are none." in page.text and 'value="My phone"' in page.text


def test_where_there_is_no_password_none_is_asked_for(web: Web) -> None:
    visitor = web.signed_in()
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        credentials.put_password(connection, "anna@example.org", None, now=NOON)

    assert "Your password" not in visitor.get(PATH).text
    page = visitor.change(PATH, {"name": "My phone", "scope": "read", "lasting": "always"})
    assert TOKEN.search(page.text) is not None


def test_there_are_so_many_programs_at_most(web: Web) -> None:
    visitor = web.signed_in()
    for one in range(MOST):
        visitor.change(PATH, {"name": str(one), "scope": "read", "lasting": "always", "confirm": PASSWORD})

    page = visitor.change(
        PATH, {"name": "one more", "scope": "read", "lasting": "always", "confirm": PASSWORD}
    )

    assert page.status == 422
    assert "shut one out first" in page.text


def test_letting_a_program_in_is_on_record(web: Web) -> None:
    visitor = web.signed_in()
    visitor.change(PATH, {"name": "My phone", "scope": "change", "lasting": "always", "confirm": PASSWORD})

    text = visitor.get("/my-data/history").text

    assert "A program let in" in text and "My phone" in text
