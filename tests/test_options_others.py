"""Nobody sees or changes what is another's: each page and call, with another's identifiers and with none."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.stores import keep, make_ticket, other, write_settings
from tests.visitor import TOKEN, Page, Visitor
from tests.web import Program, Web, running

from tamis.options.api.call import Call
from tamis.options.api.calls import CALLS
from tamis.options.routes import ROUTES, For, Route

ANNA, BOB = "anna@example.org", "bob@example.org"
FRIEND = "friend-of-bob@example.net"
PLACE = "203.0.113.77"  # where bob signs in from
TABLES = {
    "account": "address",
    "setting": "account",
    "ticket_account": "account",
    "session": "account",
    "setting_change": "account",
    "consent": "account",
    "web_session": "account",
    "local_password": "account",
    "api_token": "account",
    "notice": "account",
}
NOTHING = "01KAR6FVC0ZZZZZZZZZZZZZZZZ"  # an identifier that is nobody's
# Parameters that are no identifiers.
OTHERS = {"list": "allowed"}
# What a form or a body might name another by.
NAMES = ("account", "address", "confirm", "user", "email", "sender", "list")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Web, Mapping[str, str]]]:
    """Run a web page on which bob has something of each kind; return his identifiers, too."""
    with running(tmp_path) as web:
        web.password(BOB)
        web.visitor(client=PLACE).sign_in(BOB)
        web.program(BOB, name="bobs-program")
        write_settings(web.config, BOB, antispam="off", senders_allowed=(FRIEND,))
        keep(web.config, [make_ticket(BOB, message_id="<of-bob@example.net>")])
        with other(web.config) as connection:
            found = {
                "ticket": "SELECT id FROM ticket",
                "sign_in": "SELECT id FROM session",
                "token_id": "SELECT id FROM api_token",
            }
            yield web, {name: connection.execute(one).fetchone()[0] for name, one in found.items()}


def rows(web: Web, owner: str) -> Mapping[str, list[tuple[object, ...]]]:
    """Return all that the store has about an account."""
    found = {}
    with other(web.config) as connection:
        for table, column in TABLES.items():
            mine = f"SELECT * FROM {table} WHERE {column} = ?"  # noqa: S608  # names of ours
            found[table] = sorted(map(tuple, connection.execute(mine, (owner,))), key=repr)
    return found


def path_of(path: str, identifiers: tuple[str, ...], ids: Mapping[str, str]) -> str:
    """Return a path with identifiers; one that is not known here fails the test: bob needs such a thing."""
    values = {
        name: ids[name] if name in identifiers else OTHERS[name] for name in re.findall(r"{(\w+)}", path)
    }
    return path.format(**values)


def pages(visitor: Visitor, route: Route, ids: Mapping[str, str]) -> Iterator[Page]:
    """Return what a visitor gets of a route, by whatever names another."""
    path = path_of(route.path, route.identifiers, ids)
    token = visitor.get("/sign-in?lang=en").token if not visitor.cookies else visitor.get("/reception").token
    fields = {**dict.fromkeys(NAMES, BOB), **ids, "id": next(iter(ids.values()))}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    if route.show is not None:
        yield visitor.get(path)
        yield visitor.get(f"{path}?{query}")
    if route.change is not None:
        yield visitor.post(f"{path}?{query}", {"token": token, **fields})


def answers(program: Program, call: Call, ids: Mapping[str, str]) -> Iterator[Page]:
    """Return what a program gets of a call, by whatever names another."""
    path = path_of(call.path, call.identifiers, ids)
    fields = {**dict.fromkeys(NAMES, BOB), **ids}
    yield program.send(call.method, path)
    yield program.send(call.method, path, {})
    yield program.send(call.method, path, fields)
    yield program.send(
        call.method, f"{path}?" + "&".join(f"{name}={value}" for name, value in fields.items())
    )
    yield program.ask(call.method, path, b"{}", {"content-type": "application/json", "tamis-account": BOB})


def told(page: Page, ids: Mapping[str, str]) -> tuple[int, str]:
    """Return what an answer says, but for the identifiers that were in the question, and forms' tokens."""
    text = TOKEN.sub("", _unpacked(page)) + page.location
    for one in ids.values():
        text = text.replace(one, "")
    return page.status, text


def _unpacked(page: Page) -> str:
    if page.headers.get("content-type") != "application/zip":
        return page.text
    with zipfile.ZipFile(io.BytesIO(page.octets)) as archive:
        return "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


def check(
    site: tuple[Web, Mapping[str, str]], ask: Callable[[Mapping[str, str]], Iterator[Page]]
) -> list[Page]:
    """See that nothing of bob's shows or changes; return what is answered to his identifiers."""
    web, ids = site
    before = rows(web, BOB)

    found = list(ask(ids))

    text = "".join(told(one, ids)[1] for one in found)
    assert [one for one in (FRIEND, "of-bob", "bobs-program", PLACE) if one in text] == []
    assert rows(web, BOB) == before
    return found


def check_missing(
    found: list[Page], ids: Mapping[str, str], ask: Callable[[Mapping[str, str]], Iterator[Page]]
) -> None:
    """See that what is another's is answered as what is nobody's."""
    nobodys = dict.fromkeys(ids, NOTHING)

    assert [told(one, ids) for one in found] == [told(one, nobodys) for one in ask(nobodys)]
    assert {page.status for page in found} <= {404, 415, 422}


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: one.name)
def test_pages_show_and_change_nothing_of_another_user(
    site: tuple[Web, Mapping[str, str]], route: Route
) -> None:
    visitor = site[0].signed_in(ANNA)

    found = check(site, lambda ids: pages(visitor, route, ids))

    if route.identifiers:
        check_missing(found, site[1], lambda ids: pages(visitor, route, ids))
    if route.who is For.OPERATOR:
        assert {(page.status, page.text) for page in found} <= {(303, ""), (403, found[-1].text)}


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: one.name)
def test_pages_show_and_change_nothing_to_who_is_not_signed_in(
    site: tuple[Web, Mapping[str, str]], route: Route
) -> None:
    found = check(site, lambda ids: pages(site[0].visitor(), route, ids))

    if route.who is not For.ANYBODY:
        assert {(page.status, page.text) for page in found} == {(303, "")}
        assert {page.location.partition("?")[0].rpartition("/")[2] for page in found} == {"sign-in"}


@pytest.mark.parametrize("call", CALLS, ids=lambda one: one.name)
def test_calls_tell_and_change_nothing_of_another_user(
    site: tuple[Web, Mapping[str, str]], call: Call
) -> None:
    program = site[0].program(ANNA)

    found = check(site, lambda ids: answers(program, call, ids))

    assert found[-1].status == 404
    if call.identifiers:
        check_missing(found, site[1], lambda ids: answers(program, call, ids))


@pytest.mark.parametrize("call", CALLS, ids=lambda one: one.name)
def test_calls_without_a_token_tell_and_change_nothing(
    site: tuple[Web, Mapping[str, str]], call: Call
) -> None:
    found = check(site, lambda ids: answers(Program(site[0].visitor()), call, ids))

    assert {page.status for page in found} == {401}
