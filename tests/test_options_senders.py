"""The page Senders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.visitor import Visitor
from tests.web import Web, running

from tamis.preferences import MAX_PATTERNS

ANNA = "anna@example.org"


def listed(tamis: Tamis, key: str = "senders.allowed") -> object:
    (shown,) = tamis("account", "show", ANNA, "--json").lines
    return shown["own"].get(key)


def add(visitor: Visitor, sender: str, name: str = "allowed") -> int:
    return visitor.change("/senders", {"list": name, "sender": sender}).status


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("allowed", "senders.allowed"),
        ("blocked", "senders.blocked"),
        ("newsletters", "senders.newsletter"),
        ("social", "senders.social"),
    ],
)
def test_senders_are_put_on_each_list_and_taken_off(web: Web, tamis: Tamis, name: str, key: str) -> None:
    visitor = web.signed_in()

    for sender in ("Friend@example.net", " @example.com ", "@*.example.com"):
        assert add(visitor, sender, name) == 303
    assert listed(tamis, key) == ["friend@example.net", "@example.com", "@*.example.com"]
    done = visitor.change("/senders", {"list": name, "sender": "", "remove": "@example.com"})

    assert done.location == "/senders?saved=yes"
    assert listed(tamis, key) == ["friend@example.net", "@*.example.com"]
    assert "Saved. In force since" in visitor.get(done.location).text


@pytest.mark.parametrize(
    "sender", ["", "friend", "a@b", "@*", "*@example.net", "a@example.net b@example.net"]
)
def test_what_is_no_sender_is_told_beside_its_field(web: Web, tamis: Tamis, sender: str) -> None:
    visitor = web.signed_in(language="fr")

    page = visitor.change("/senders", {"list": "blocked", "sender": sender})

    assert page.status == 422
    assert f'value="{sender}" aria-invalid="true" aria-describedby="blocked-wrong"' in page.text
    assert "Indiquez une adresse" in page.text
    assert listed(tamis, "senders.blocked") is None


def test_one_that_is_there_changes_nothing(web: Web) -> None:
    visitor = web.signed_in()
    add(visitor, "friend@example.net")

    done = visitor.change("/senders", {"list": "allowed", "sender": "FRIEND@example.net"})

    assert done.location == "/senders?saved=nothing"


@pytest.mark.parametrize("path", ["/senders", "/senders/secret"])
def test_there_are_no_other_lists(web: Web, path: str) -> None:
    visitor = web.signed_in()
    token = visitor.get("/senders").token

    fields = {"token": token, "list": "secret", "sender": "a@example.net", "text": ""}
    assert visitor.post(path, fields).status == 404


def test_a_list_is_handed_out_as_a_text_that_makes_the_same_list(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    add(visitor, "friend@example.net")
    add(visitor, "@example.com")

    exported = visitor.get("/senders/allowed/file")
    visitor.change("/senders/blocked", {"text": exported.text})

    assert exported.text == "friend@example.net\n@example.com\n"
    assert exported.headers["content-disposition"] == 'attachment; filename="allowed.txt"'
    assert listed(tamis, "senders.blocked") == ["friend@example.net", "@example.com"]


def test_a_text_takes_the_place_of_the_list(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    add(visitor, "friend@example.net")

    visitor.change("/senders/allowed", {"text": "A@example.net, @b.example.net\r\n\r\n@*.c.example.net\r\n"})

    assert listed(tamis) == ["a@example.net", "@b.example.net", "@*.c.example.net"]
    assert visitor.change("/senders/allowed", {"text": ""}).location == "/senders?saved=yes"
    assert listed(tamis) == []


def test_a_text_is_not_saved_unseen_over_what_was_changed_meanwhile(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    mark = re.compile(r'name="seen" value="(\w+)"')
    old = mark.search(visitor.get("/senders/allowed").text)
    tamis("account", "set", "anna@example.org", "senders.allowed=new@example.net")

    fields = {"text": "old@example.net"}
    refused = visitor.change("/senders/allowed", fields | {"seen": old[1] if old else ""})
    new = mark.search(refused.text)
    saved = visitor.change("/senders/allowed", fields | {"seen": new[1] if new else ""})

    assert (refused.status, saved.status) == (409, 303)
    assert "changed elsewhere" in refused.text and ">old@example.net</textarea>" in refused.text


def test_wrong_lines_of_a_text_are_told_by_number_and_nothing_is_saved(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    given = "a@example.net\n<script>\nb@example.net\nrubbish"

    page = visitor.change("/senders/allowed", {"text": given})

    assert page.status == 422
    assert "Line 2: “&lt;script&gt;” is no" in page.text and "Line 4: “rubbish” is no" in page.text
    assert "<script>" not in page.text
    assert listed(tamis) is None


def test_a_list_has_an_end(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    full = "\n".join(f"user{number}@example.net" for number in range(MAX_PATTERNS))

    assert visitor.change("/senders/allowed", {"text": f"{full}\none@example.org"}).status == 422
    assert visitor.change("/senders/allowed", {"text": full}).status == 303
    page = visitor.change("/senders", {"list": "allowed", "sender": "one@example.org"})

    assert page.status == 422 and "2000 entries at most" in page.text
    text = visitor.get("/senders").text
    assert text.count('name="remove"') == 100 and "1900 more are in the text" in text


def test_lists_without_effect_say_so(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    tamis("account", "set", ANNA, "antispam=off")

    assert visitor.get("/senders").text.count("Antispam is off, so this list has no effect.") == 2


def test_what_the_provider_has_listed_is_shown_apart(tmp_path: Path) -> None:
    with running(tmp_path, '[users.defaults]\n"senders.blocked" = ["@*.example.com"]\n') as web:
        text = web.signed_in().get("/senders").text

    assert "Your provider has put 1 on it, too" in text
    assert 'value="@*.example.com"' not in text


def test_own_entries_of_a_locked_list_are_not_shown_as_in_force(tmp_path: Path, tamis: Tamis) -> None:
    tamis("account", "set", "anna@example.org", "senders.allowed=a@example.net", "senders.blocked=@b.example")
    locked = '[users]\nmay_change = []\n[users.defaults]\n"senders.blocked" = ["@b.example"]\n'
    with running(tmp_path, locked) as web:
        visitor = web.signed_in()
        pages = [visitor.get(path).text for path in ("/senders", "/senders/allowed", "/senders/blocked")]

    assert ["a@example.net" in page for page in pages] == [False] * 3
    assert ["@b.example" in page for page in pages] == [True, False, True]
    assert 'class="since"' not in pages[0]


def test_a_text_out_of_a_file_with_a_byte_order_mark_is_taken(web: Web, tamis: Tamis) -> None:
    done = web.signed_in().change("/senders/allowed", {"text": "\ufeffa@example.net\r\n@b.example"})

    assert done.status == 303
    assert listed(tamis) == ["a@example.net", "@b.example"]


def test_lists_that_are_locked_are_shown_and_cannot_be_changed(tmp_path: Path, tamis: Tamis) -> None:
    with running(tmp_path, "[users]\nmay_change = []\n") as web:
        visitor = web.signed_in()
        token = visitor.get("/reception").token

        pages = [
            visitor.post("/senders", {"token": token, "list": "allowed", "sender": "a@example.net"}),
            visitor.post("/senders/allowed", {"token": token, "text": "a@example.net"}),
        ]
        shown = visitor.get("/senders").text
        text = visitor.get("/senders/allowed").text

    assert [page.status for page in pages] == [409, 409]
    assert "<input" not in shown.partition("<main")[2]
    assert "Save" not in text and "Your provider has set this for all users" in text
    assert listed(tamis) is None
