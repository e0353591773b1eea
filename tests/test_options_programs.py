"""The page Programs: tokens of the API that a user makes and takes back himself."""

from __future__ import annotations

import re

from tests.web import Program, Web

from tamis.desk.tokens import MOST

PATH = "/my-data/programs"
TOKEN = re.compile(r"tamis_[\w-]{43}")


def test_a_token_is_shown_once_and_lets_its_program_in(web: Web) -> None:
    visitor = web.signed_in()

    page = visitor.change(PATH, {"name": "My phone", "scope": "read"})

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

    assert visitor.change(PATH, {"name": " ", "scope": "read"}).status == 422
    assert visitor.change(PATH, {"name": "x", "scope": "all"}).status == 400
    assert "There are none." in visitor.get(PATH).text


def test_there_are_so_many_programs_at_most(web: Web) -> None:
    visitor = web.signed_in()
    for one in range(MOST):
        visitor.change(PATH, {"name": str(one), "scope": "read"})

    page = visitor.change(PATH, {"name": "one more", "scope": "read"})

    assert page.status == 422
    assert "shut one out first" in page.text


def test_letting_a_program_in_is_on_record(web: Web) -> None:
    visitor = web.signed_in()
    visitor.change(PATH, {"name": "My phone", "scope": "change"})

    text = visitor.get("/my-data/history").text

    assert "A program let in" in text and "My phone" in text
