"""Signing in by a one-time link, and by the header of a reverse proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.commands import Tamis
from tests.examples import parsed
from tests.stores import NOON, on_every_store, other
from tests.visitor import Page
from tests.web import Web, running

from tamis.config import ConfigError
from tamis.options.links import Links

ROOT = Path(__file__).parents[1]
KEY = "00112233445566778899aabbccddeeff"
LINKS = Links(KEY.encode(), 60)


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Web]:
    """Run a web page that takes links and nothing else."""
    key_file = tmp_path / "link.key"
    key_file.write_text(f"{KEY}\n")
    key_file.chmod(0o640)
    more = f'[options]\nsign_in = ["link"]\n[options.link]\nkey_file = "{key_file}"\n'
    with running(tmp_path, more) as web:
        yield web


def link(
    address: str = "anna@example.org",
    *,
    seconds: int = 30,
    nonce: str = "A" * 16,
    changed: Mapping[str, str] | None = None,
) -> str:
    """Return a link that is good from NOON on for seconds, with what is changed after it was signed."""
    expires = str(NOON // 1000 + seconds)
    fields = {"address": address, "expires": expires, "nonce": nonce}
    fields["signature"] = LINKS.signature(address, expires, nonce)
    return "/sign-in/link?" + urlencode(fields | dict(changed or {}))


@on_every_store
def test_a_link_signs_in_once(linked: Web, tamis: Tamis) -> None:
    visitor = linked.visitor()

    first = visitor.get(link())
    again = linked.visitor().get(link())

    assert (first.status, first.location) == (303, "/reception")
    assert "anna@example.org" in visitor.get("/reception").text
    assert again.status == 403 and "signs nobody in any more" in again.text
    with other(linked.config) as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (1,)


def test_a_look_at_a_link_does_not_use_it_up(linked: Web) -> None:
    linked.visitor().ask("HEAD", link())

    assert linked.visitor().get(link()).status == 303


def test_who_loads_his_link_anew_is_still_signed_in(linked: Web) -> None:
    visitor = linked.visitor()
    visitor.get(link())

    assert visitor.get(link()).location == "/reception"


def test_a_link_that_was_used_shows_nobody_elses_page(linked: Web) -> None:
    linked.visitor().get(link("bob@example.org"))
    visitor = linked.visitor()
    visitor.get(link(nonce="B" * 16))

    assert visitor.get(link("bob@example.org")).status == 403


def test_a_link_leads_to_a_page_and_in_a_language_that_it_names(linked: Web) -> None:
    visitor = linked.visitor()

    page = visitor.get(link(changed={"next": "senders", "lang": "fr"}))

    assert page.location == "/senders"
    assert '<html lang="fr">' in visitor.get("/senders").text


@pytest.mark.parametrize(
    "path",
    [
        link(changed={"address": "bob@example.org"}),
        link(changed={"expires": str(NOON // 1000 + 31)}),
        link(changed={"nonce": "B" * 16}),
        link(changed={"signature": ""}),
        link(changed={"signature": "é"}),
        link(seconds=0),
        link(seconds=-1),
        link(seconds=61),
        link(nonce="short"),
        link(nonce="A" * 65),
        link("anna@elsewhere.example"),
        link("anna"),
        "/sign-in/link",
        "/sign-in/link?address=a&address=b",
    ],
)
def test_no_other_link_signs_in(linked: Web, path: str) -> None:
    page = linked.visitor().get(path)

    assert page.status == 403
    with other(linked.config) as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (0,)


def test_the_documented_example_is_right() -> None:
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")

    assert f"the key `{KEY}`, `anna@example.org`, 1764000000 and `{'A' * 16}`" in text
    assert f"`{LINKS.signature('anna@example.org', '1764000000', 'A' * 16)}`" in text


def test_where_there_are_links_alone_there_is_no_form(linked: Web) -> None:
    page = linked.visitor().get("/sign-in")

    assert "<form" not in page.text
    assert "Open this page from your webmail" in page.text


def test_without_links_there_is_no_such_page(web: Web) -> None:
    assert web.visitor().get(link()).status == 404


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        (None, 0, "cannot be read"),
        ("short", 0o600, "expected a key of 32 octets"),
        (KEY, 0o644, "is open to all users"),
    ],
)
def test_a_key_that_will_not_do_is_told_at_the_start(
    tmp_path: Path, text: str | None, mode: int, expected: str
) -> None:
    key_file = tmp_path / "link.key"
    if text is not None:
        key_file.write_text(text)
        key_file.chmod(mode)
    more = f'[options]\nsign_in = ["link"]\n[options.link]\nkey_file = "{key_file}"\n'

    with pytest.raises(ConfigError, match=rf"line \d+: options.link.key_file: .*{expected}"):
        running(tmp_path, more).__enter__()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('sign_in = ["link"]', "options.link.key_file: expected the file"),
        ('sign_in = ["header"]', "options.proxies: expected networks"),
        ('[options.header]\nname = "Cookie"', "options.header.name: expected the name"),
        ('[options.header]\noperator = "Cookie"', "options.header.operator: expected the name"),
        ('[options.header]\noperator = "Remote-Operator"', "options.proxies: expected networks"),
        ('[options.link]\nlifetime = "1h"', "options.link.lifetime: "),
    ],
)
def test_what_would_not_do_is_refused_at_the_start(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parsed(f"[options]\n{text}\n")


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Web]:
    """Run a web page behind a proxy at 192.0.2.1 that signs users in."""
    with running(tmp_path, '[options]\nsign_in = ["header", "password"]\nproxies = ["192.0.2.1"]\n') as web:
        yield web


def come(web: Web, name: str, path: str = "/sign-in", *, client: str | None = "192.0.2.1") -> Page:
    visitor = web.visitor(client=client)
    visitor.sent = {"remote-user": name}
    return visitor.get(path)


def test_whom_the_proxy_names_is_signed_in_and_led_on(proxied: Web) -> None:
    visitor = proxied.visitor(client="192.0.2.1")
    visitor.sent = {"remote-user": "Anna@example.org", "x-forwarded-for": "203.0.113.5"}

    first = visitor.get("/senders")
    second = visitor.get(first.location)

    assert (first.location, second.location) == ("/sign-in?next=senders", "/senders")
    assert "anna@example.org" in visitor.get("/senders").text
    with other(proxied.config) as connection:
        assert connection.execute("SELECT account, address FROM session").fetchall() == [
            ("anna@example.org", "203.0.113.5")
        ]


def test_the_header_counts_on_a_unix_socket(proxied: Web) -> None:
    assert come(proxied, "anna@example.org", client=None).status == 303


def test_the_header_counts_from_nobody_else(proxied: Web) -> None:
    assert come(proxied, "anna@example.org", client="192.0.2.9").status == 200


def test_without_that_way_the_header_counts_for_nothing(web: Web) -> None:
    assert come(web, "anna@example.org", client=None).status == 200


@pytest.mark.parametrize("name", ["anna@elsewhere.example", "anna", "<b>@x@y"])
def test_who_has_no_mailbox_here_is_told_so(proxied: Web, name: str) -> None:
    page = come(proxied, name)

    assert page.status == 403
    assert "which is no mailbox here" in page.text and "<b>" not in page.text


def test_a_session_is_over_when_the_proxy_names_another(proxied: Web) -> None:
    visitor = proxied.visitor(client="192.0.2.1")
    visitor.sent = {"remote-user": "anna@example.org"}
    visitor.get("/sign-in")
    assert visitor.get("/reception").status == 200

    visitor.sent = {"remote-user": "bob@example.org"}

    assert visitor.get("/reception").location == "/sign-in?next=reception"
    visitor.get("/sign-in")
    assert "bob@example.org" in visitor.get("/reception").text


def test_an_alias_that_the_proxy_names_stays_signed_in(proxied: Web, tamis: Tamis) -> None:
    tamis("alias", "add", "a.smith@example.org", "anna@example.org")
    visitor = proxied.visitor(client="192.0.2.1")
    visitor.sent = {"remote-user": "a.smith@example.org"}
    visitor.get("/sign-in")

    assert visitor.get("/reception").status == 200


def test_who_signs_out_is_not_signed_in_again_at_once(proxied: Web) -> None:
    visitor = proxied.visitor(client="192.0.2.1")
    visitor.sent = {"remote-user": "anna@example.org"}
    visitor.get("/sign-in")

    out = visitor.post("/sign-out", {"token": visitor.get("/reception").token})
    page = visitor.get(out.location)

    assert page.status == 200
    assert "You are signed out" in page.text and "Sign in as anna@example.org" in page.text
    assert 'href="?out=yes&amp;lang=fr"' in page.text


def test_the_field_that_a_client_adds_makes_it_count_for_nothing(proxied: Web) -> None:
    visitor = proxied.visitor(client="192.0.2.1")
    visitor.sent = {"remote-user": "anna@example.org", "Remote-User": "bob@example.org"}

    assert visitor.get("/sign-in").status == 200
