"""Where signing in leads: to the page that was asked for, and never away from the web page."""

from __future__ import annotations

import re
from html import escape, unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.web import Web


@pytest.mark.parametrize(
    "path", ["mail?sender=bob%40example.net&kind=spam", "mail/" + "0" * 26, "my-data/history"]
)
def test_signing_in_leads_to_what_was_asked_for_as_it_was_asked(web: Web, path: str) -> None:
    web.password("anna@example.org")
    visitor = web.visitor()

    asked = parse_qs(urlsplit(visitor.get(f"/{path}").location).query)["next"][0]
    form = visitor.get(f"/sign-in?{urlencode({'next': asked})}")

    assert asked == path
    assert f'name="next" value="{escape(path)}"' in form.text
    assert visitor.sign_in(next=asked).location == f"/{path}"


def test_who_is_about_to_sign_in_chooses_a_language_and_is_led_on_all_the_same(web: Web) -> None:
    visitor = web.visitor()
    where = visitor.get("/mail?kind=spam").location

    french = re.findall(r'href="([^"]+)" lang="fr"', visitor.get(where).text)[0]
    refused = visitor.sign_in(next="mail?kind=spam", lang="fr").text

    assert 'name="next" value="mail?kind=spam"' in visitor.get(f"/sign-in{unescape(french)}").text
    assert re.findall(r'href="([^"]+)" lang="fr"', refused)[0] == french


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/evil.example",
        "\\evil.example",
        "/reception",
        "mail/" + "0" * 26 + "/",
        "mail//evil.example",
        "@evil.example",
        ".evil.example",
        "?//evil.example",
        "sign-out",
        "nowhere",
        "\r\nSet-Cookie: a=b",
        "mail?" + "a" * 2_000,
        "",
    ],
)
def test_signing_in_leads_to_pages_of_ours_alone(web: Web, wanted: str) -> None:
    web.password("anna@example.org")

    assert web.visitor().sign_in(next=wanted).location == "/reception"


@pytest.mark.parametrize(
    "wanted", ["mail?\r\nSet-Cookie: a=b", "mail/..\r\nSet-Cookie: a=b", "mail?é#//evil"]
)
def test_what_follows_a_page_of_ours_is_nothing_but_its_address(web: Web, wanted: str) -> None:
    web.password("anna@example.org")

    done = web.visitor().sign_in(next=wanted)

    assert done.location.startswith("/mail") and done.location.isascii() and done.location.isprintable()
    assert done.headers["set-cookie"].startswith("tamis=")
