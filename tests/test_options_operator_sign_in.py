"""Who gets to see the operator's pages: by a password, or by a reverse proxy that has asked already."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.visitor import PASSWORD, Visitor
from tests.web import Web, make_operator, running

from tamis.options.doorkeeper import OF_AN_ACCOUNT
from tamis.options.routes import ROUTES, For, Route

OWN = [one for one in ROUTES if one.who is For.OPERATOR]


def test_an_operator_signs_in_and_out(web: Web) -> None:
    visitor = web.operator()
    seen = visitor.get("/operator")
    held = dict(visitor.cookies)

    visitor.post("/operator/sign-out", {"token": seen.token})
    visitor.cookies = held

    assert "olga" in seen.text
    assert visitor.get("/operator").location == "/operator/sign-in"


@pytest.mark.parametrize(("name", "password"), [("olga", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_who_is_wrong_is_told_the_same_whether_there_is_such_an_operator(
    web: Web, name: str, password: str
) -> None:
    make_operator(web.config)

    page = web.visitor().sign_in_operator(name, password)

    assert page.status == 401
    assert "Name or password is wrong." in page.text


def test_attempts_are_limited(web: Web) -> None:
    make_operator(web.config)
    visitor = web.visitor()
    for _ in range(OF_AN_ACCOUNT):
        visitor.sign_in_operator(password="wrong")  # noqa: S106

    assert visitor.sign_in_operator().status == 429


@pytest.mark.parametrize("route", OWN, ids=lambda one: one.name)
def test_a_user_is_no_operator(web: Web, route: Route) -> None:
    visitor = web.signed_in()
    visitor.cookies["tamis-operator"] = visitor.cookies["tamis"]
    token = visitor.get("/reception").token
    pages = [visitor.get(route.path)] * (route.show is not None)
    pages += [visitor.post(route.path, {"token": token})] * (route.change is not None)

    assert [page.location for page in pages] == ["/operator/sign-in"]


def test_an_operator_is_no_user(web: Web) -> None:
    visitor = web.operator()
    visitor.cookies["tamis"] = visitor.cookies["tamis-operator"]

    assert visitor.get("/reception").location == "/sign-in?next=reception"


def test_the_cookie_goes_to_operators_pages_alone(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nurl = "https://mail.example.org/options"') as web:
        cookie = web.visitor().get("/options/operator/sign-in").headers["set-cookie"]

    assert cookie.startswith("__Secure-tamis-operator=")
    assert "; Path=/options/operator; SameSite=lax; Secure" in cookie
    assert "HttpOnly" in cookie


def test_who_is_removed_is_signed_out(web: Web, tamis: Tamis) -> None:
    visitor = web.operator()

    tamis("options", "operator", "remove", "olga")

    assert visitor.get("/operator").location == "/operator/sign-in"


def test_operators_are_added_and_listed(web: Web, tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    added = tamis("options", "operator", "add", "pat")

    assert added.status == 0
    assert tamis("options", "operator", "list").out.startswith("pat  password set 20")
    assert web.visitor().sign_in_operator("pat").location == "/operator"
    assert tamis("options", "operator", "remove", "olga").status == 1
    assert tamis("options", "operator", "add", "pat@example.org").status == 2


# --- By a reverse proxy ----------------------------------------------------------------------------

PROXY = '[options]\nproxies = ["192.0.2.1"]\n[options.header]\noperator = "Remote-Operator"'


@pytest.fixture
def proxied(tmp_path: Path, tamis: Tamis) -> Iterator[Web]:
    """Run a web page to which a reverse proxy at 192.0.2.1 names operators, of whom olga is one."""
    with running(tmp_path, PROXY) as web:
        assert tamis("options", "operator", "add", "--no-password", "olga").status == 0
        yield web


def named(web: Web, name: str = "olga", client: str | None = "192.0.2.1") -> Visitor:
    visitor = web.visitor(client=client)
    visitor.sent = {"remote-operator": name}
    return visitor


@pytest.mark.parametrize(("name", "client"), [("olga", "192.0.2.1"), ("Olga", None)])
def test_an_operator_whom_the_proxy_names_is_signed_in_and_led_on(
    proxied: Web, name: str, client: str | None
) -> None:
    visitor = named(proxied, name, client)

    first = visitor.get("/operator")
    second = visitor.get(first.location)

    assert (first.location, second.location) == ("/operator/sign-in", "/operator")
    assert "olga" in visitor.get("/operator").text


def test_whom_others_name_is_no_operator(proxied: Web) -> None:
    assert named(proxied, client="192.0.2.9").get("/operator/sign-in").status == 200


def test_without_its_key_no_field_makes_an_operator(web: Web) -> None:
    make_operator(web.config)

    assert named(web, client=None).get("/operator/sign-in").status == 200


def test_whom_the_proxy_names_twice_is_nobody(proxied: Web) -> None:
    visitor = named(proxied)
    visitor.sent["Remote-Operator"] = "olga"

    assert visitor.get("/operator/sign-in").status == 200


@pytest.mark.parametrize("name", ["anna@example.org", "pat", "<b>"])
def test_who_is_none_of_the_operators_is_told_so(proxied: Web, name: str) -> None:
    page = named(proxied, name).get("/operator/sign-in")

    assert page.status == 403
    assert "who is no operator here" in page.text
    assert "<b>" not in page.text


def test_an_operator_whom_the_proxy_names_is_no_user(proxied: Web) -> None:
    visitor = named(proxied)
    visitor.get("/operator/sign-in")

    assert visitor.get("/sign-in").status == 200
    assert visitor.get("/reception").location == "/sign-in?next=reception"


def test_an_operators_session_is_over_when_the_proxy_names_another(proxied: Web, tamis: Tamis) -> None:
    tamis("options", "operator", "add", "--no-password", "pat")
    visitor = named(proxied)
    visitor.get("/operator/sign-in")
    assert visitor.get("/operator").status == 200

    visitor.sent = named(proxied, "pat").sent

    assert visitor.get("/operator").location == "/operator/sign-in"
    visitor.get("/operator/sign-in")
    assert "pat" in visitor.get("/operator").text


def test_an_operator_who_signs_out_is_not_signed_in_again_at_once(proxied: Web) -> None:
    visitor = named(proxied)
    visitor.get("/operator/sign-in")

    out = visitor.post("/operator/sign-out", {"token": visitor.get("/operator").token})
    page = visitor.get(out.location)

    assert "You are signed out" in page.text
    assert "Sign in as olga" in page.text
    assert 'href="?out=yes&amp;lang=fr"' in page.text
    assert visitor.get("/operator").location == "/operator/sign-in"


def test_who_was_removed_comes_in_by_no_proxy(proxied: Web, tamis: Tamis) -> None:
    visitor = named(proxied)
    visitor.get("/operator/sign-in")

    tamis("options", "operator", "remove", "olga")

    assert visitor.get("/operator").location == "/operator/sign-in"
    assert visitor.get("/operator/sign-in").status == 403


def test_who_has_no_password_signs_in_by_none(proxied: Web, tamis: Tamis) -> None:
    visitor = proxied.visitor()

    assert visitor.sign_in_operator(password="").status == 401
    assert visitor.sign_in_operator().status == 401
    assert tamis("options", "operator", "list").out.startswith("olga  no password, added 20")
    assert '"password_set": null' in tamis("options", "operator", "list", "--json").out
