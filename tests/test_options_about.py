"""The page About: the privacy notice, whom to write to, what the program is."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from tests.examples import parsed
from tests.stores import NOON
from tests.web import Web, running

import tamis
from tamis.config import ConfigError
from tamis.promises.statement import statement
from tamis.promises.terms import Terms

TAG = re.compile("<[^>]+>")
MARKS = re.compile(r"^#+ |^- |\*\*|`", re.MULTILINE)


def words(text: str) -> str:
    return " ".join(unescape(text).split())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_says_what_the_notice_says_to_anybody_in_his_language(web: Web, language: str) -> None:
    notice = statement(Terms.of(web.config), language, since=None, now=NOON)

    page = web.visitor(language).get("/about")

    assert page.status == 200
    assert words(MARKS.sub("", notice)) in words(TAG.sub("", page.text.replace("</li>", " ")))
    assert "**" not in page.text and page.text.count("<h1>") == 1
    assert f"Tamis {tamis.__version__}" in page.text


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("privacy@example.org", "mailto:privacy@example.org"),
        ("https://example.org/contact", "https://example.org/contact"),
    ],
)
def test_whom_to_write_to_is_told_where_it_is_set(tmp_path: Path, contact: str, link: str) -> None:
    with running(tmp_path, f'[options]\ncontact = "{contact}"\n') as web:
        assert f'<a href="{link}">{contact}</a>' in web.visitor().get("/about").text


def test_else_nothing_is_said_of_it(web: Web) -> None:
    assert "Questions" not in web.visitor().get("/about").text


@pytest.mark.parametrize(
    "contact", ["javascript:alert(1)", "http://example.org", "privacy", "a b@example.org"]
)
def test_what_is_no_contact_is_refused(contact: str) -> None:
    with pytest.raises(ConfigError, match=r"options\.contact: expected"):
        parsed(f'[options]\ncontact = "{contact}"\n')


def test_it_is_in_the_language_that_a_stranger_has_chosen(web: Web) -> None:
    assert 'href="/about?lang=fr"' in web.visitor().get("/sign-in?lang=fr").text
    assert 'href="/about"' in web.signed_in().get("/reception?lang=fr").text


def test_each_page_leads_to_it(web: Web) -> None:
    assert 'href="/about"' in web.visitor().get("/sign-in").text
    assert 'href="/about"' in web.visitor().get("/nowhere").text
    assert 'aria-current="page"' in web.visitor().get("/about").text
