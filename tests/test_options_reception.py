"""The page E-mail reception: what it shows is in force, and what it saves is in force after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import gives_up_soon, locked, on_every_store, other
from tests.web import Web, running

FIELDS = {
    "antivirus": "on",
    "antispam": "on",
    "graymail": "on",
    "antispam.action": "mark",
    "graymail.newsletter": "mark",
    "graymail.social": "mark",
    "graymail.list": "mark",
    "antispam.mark": "5.0",
}


def own(tamis: Tamis) -> object:
    (shown,) = tamis("account", "show", "anna@example.org", "--json").lines
    return shown["own"]


def switches(text: str) -> dict[str, bool]:
    """Return which switches a page shows, and whether they are on."""
    found = re.findall(r'role="switch" id="(\w+)"[^>]*>', text)
    tags = {name: re.search(rf'role="switch" id="{name}"[^>]*>', text) for name in found}
    return {name: "checked" in tag[0] for name, tag in tags.items() if tag}


def test_the_page_shows_what_is_in_force(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    tamis("account", "set", "anna@example.org", "antivirus=off", "antispam.action=file", "antispam.mark=3.2")

    text = visitor.get("/reception").text

    assert switches(text) == {"antivirus": False, "antispam": True, "graymail": True, "learning": False}
    assert '<option value="file" selected>Put it into “junk”</option>' in text
    assert 'value="3.2"' in text


@on_every_store
def test_saving_sets_what_was_changed_and_nothing_else(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    fields = {key: value for key, value in FIELDS.items() if key != "antispam"}

    done = visitor.change("/reception", fields | {"graymail.list": "none", "antispam.mark": "7,3"})

    assert (done.status, done.location) == (303, "/reception?saved=yes")
    assert own(tamis) == {"antispam": "off", "graymail.list": "none", "antispam.mark": 7.3}
    text = visitor.get(done.location).text
    assert "Saved. In force since 23 November 2026, 12:00 UTC." in text
    assert not switches(text)["antispam"]


def test_what_was_changed_elsewhere_meanwhile_stays(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    old = dict(re.findall(r'name="(seen\.[\w.]+)" value="([^"]*)"', visitor.get("/reception").text))
    tamis("account", "set", "anna@example.org", "antispam=off", "graymail.list=file")

    wrong = visitor.change("/reception", FIELDS | old | {"antispam.mark": "many"})
    visitor.change("/reception", FIELDS | old | {"graymail.social": "none"})

    assert 'name="seen.antispam" value="on"' in wrong.text
    assert own(tamis) == {"antispam": "off", "graymail.list": "file", "graymail.social": "none"}


def test_each_change_is_on_record_as_the_users_own(web: Web) -> None:
    web.signed_in().change("/reception", FIELDS | {"learning": "on"})

    with other(web.config) as connection:
        changes = connection.execute("SELECT actor, key, new FROM setting_change WHERE key <> 'password'")
        assert [tuple(row) for row in changes.fetchall()] == [("user", "learning", '"on"')]
        assert connection.execute("SELECT purpose, actor FROM consent").fetchall() == [("learning", "user")]


@on_every_store
def test_the_page_tells_since_when_each_thing_is_so(web: Web) -> None:
    visitor = web.signed_in()
    visitor.change("/reception", FIELDS | {"antivirus": ""})
    web.clock[0] += 20 * 60_000
    visitor.change("/reception", FIELDS | {"antivirus": "", "antispam.action": "file"})

    text = visitor.get("/reception").text

    assert re.findall(r"Since ([^<]+)<", text) == [
        "23 November 2026, 12:00 UTC",
        "23 November 2026, 12:20 UTC",
    ]


def test_saving_what_is_so_changes_nothing(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()

    done = visitor.change("/reception", FIELDS)

    assert done.location == "/reception?saved=nothing"
    assert "Nothing was changed." in visitor.get(done.location).text
    assert own(tamis) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("antispam.mark", "much"),
        ("antispam.mark", "1e9"),
        ("antispam.mark", "nan"),
        ("antispam.mark", ""),
        ("antispam.action", "refuse"),
        ("graymail.list", ""),
        ("antivirus", "yes"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_saved(
    web: Web, tamis: Tamis, key: str, value: str
) -> None:
    visitor = web.signed_in()

    page = visitor.change("/reception", FIELDS | {"graymail": "", key: value})

    assert page.status == 422
    assert f'href="#{key}"' in page.text and "Nothing was saved" in page.text
    assert own(tamis) == {}


def test_what_was_typed_stays_as_it_is_and_is_no_html(web: Web) -> None:
    page = web.signed_in().change("/reception", FIELDS | {"antispam.mark": '"><b>'})

    assert 'value="&#34;&gt;&lt;b&gt;"' in page.text
    assert 'aria-describedby="antispam.mark-wrong threshold-about"' in page.text


LOCKED = '[users]\nmay_change = ["antispam"]\n'


def test_what_the_operator_has_locked_is_told_and_cannot_be_changed(tmp_path: Path, tamis: Tamis) -> None:
    with running(tmp_path, LOCKED) as web:
        visitor = web.signed_in()

        visitor.change(
            "/reception", {"antispam": "", "antispam.mark": "4", "antivirus": "", "learning": "on"}
        )
        text = visitor.get("/reception").text

    assert switches(text) == {"antivirus": True, "antispam": False, "graymail": True, "learning": False}
    assert text.count("disabled") == 3 + 4
    assert text.count("Your provider has set this for all users") == 3


def test_what_was_locked_since_the_page_was_opened_is_told_by_its_name(tmp_path: Path, tamis: Tamis) -> None:
    seen = {"seen.antivirus": "on", "seen.graymail.list": "mark", "seen.antispam": "on"}
    fields = {"graymail.list": "file", "antispam": "", "antispam.mark": "5"}
    with running(tmp_path, LOCKED) as web:
        page = web.signed_in().change("/reception", seen | fields)

    assert page.status == 409
    told = re.findall(r'<a href="#([\w.]+)">([^:<]*): your provider has set this', page.text)
    assert told == [("antivirus", "Antivirus"), ("graymail.list", "What happens to mailing lists")]
    assert switches(page.text)["antivirus"] and own(tamis) == {}


def test_since_when_is_told_only_of_what_is_in_force(web: Web, tmp_path: Path, tamis: Tamis) -> None:
    web.signed_in().change("/reception", FIELDS | {"antivirus": "", "antispam.mark": "4"})
    assert web.signed_in().get("/reception").text.count('class="since"') == 2

    with running(tmp_path, LOCKED) as locked_web:
        text = locked_web.signed_in().get("/reception").text

    assert switches(text)["antivirus"]
    assert text.count('class="since"') == 1


def test_where_nothing_can_be_changed_there_is_nothing_to_save(tmp_path: Path) -> None:
    save = '<button class="main">Save</button>'
    with running(tmp_path, "[users]\nmay_change = []\n") as web:
        locked = web.signed_in().get("/reception").text
    with running(tmp_path, LOCKED) as web:
        free = web.signed_in().get("/reception").text

    assert (save in locked, save in free) == (False, True)


def test_a_restricted_account_shows_that_nothing_runs(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()
    tamis("account", "restrict", "anna@example.org")

    done = visitor.change("/reception", FIELDS)
    text = visitor.get("/reception").text

    assert done.location.endswith("saved=nothing")
    assert set(switches(text).values()) == {False}
    assert "The use of your data is restricted" in text


@gives_up_soon
@on_every_store
def test_a_store_that_takes_nothing_still_shows_what_is_in_force(web: Web) -> None:
    visitor, program = web.signed_in(), web.program("anna@example.org")
    fields = FIELDS | {"token": visitor.get("/reception").token, "antispam": ""}
    web.clock[0] += 20 * 60_000
    with locked(web.config):
        shown, told = visitor.get("/reception"), program.get("/account")
        refused = visitor.post("/reception", fields)

    assert (shown.status, told.status, refused.status) == (200, 200, 503)
    assert visitor.post("/reception", fields).location == "/reception?saved=yes"


def test_a_store_that_is_away_is_told_without_detail_and_comes_back(web: Web) -> None:
    visitor = web.signed_in()
    database = Path(web.config.store.url.removeprefix("sqlite:///"))
    elsewhere = database.rename(database.with_name("away.db"))

    page = visitor.get("/reception")

    assert page.status == 503
    assert "out of reach" in page.text and "tamis.db" not in page.text
    elsewhere.rename(database)
    assert visitor.get("/reception").status == 200


def test_times_are_shown_in_the_zone_that_is_set(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\ntime_zone = "Europe/Paris"\nlanguage = "fr"\n') as web:
        visitor = web.signed_in(language="de")
        visitor.change("/reception", FIELDS | {"antivirus": ""})

        text = visitor.get("/reception").text

    assert "Depuis le 23 novembre 2026 à 13:00 CET" in text


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("fr", "fr"),
        ("fr-CA, en;q=0.9", "fr"),
        ("en;q=0.1, fr;q=0.2", "fr"),
        ("de, fr;q=0", "en"),
        ("", "en"),
        ("x;q=y, ;;, fr", "fr"),
    ],
)
def test_the_language_is_the_best_that_the_browser_asks_for(web: Web, accepted: str, expected: str) -> None:
    assert f'<html lang="{expected}">' in web.visitor(accepted).get("/sign-in").text


def test_a_language_that_was_chosen_stays_until_the_end_of_the_session(web: Web) -> None:
    visitor = web.signed_in()

    chosen = visitor.get("/reception?lang=fr").text
    later = visitor.get("/reception").text
    unknown = visitor.get("/reception?lang=xx").text

    assert all('<html lang="fr">' in text for text in (chosen, later, unknown))


def test_a_language_that_was_chosen_before_signing_in_stays_too(web: Web) -> None:
    web.password("anna@example.org")
    visitor = web.visitor()

    visitor.sign_in(lang="fr")

    assert '<html lang="fr">' in visitor.get("/reception").text
