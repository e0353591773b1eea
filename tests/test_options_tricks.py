"""What scanners try on a web page: each is refused, costs little, and the next visitor is served."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.servers.milter import PATIENCE
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.stores import NOON, on_every_store, write_config, write_settings
from tests.visitor import FORM, Visitor
from tests.web import CHEAP, Web, running

from tamis.options.allowance import CHANGES, OCTETS
from tamis.options.doorkeeper import OF_A_CLIENT
from tamis.passwords import Passwords
from tamis.store import changes
from tamis.store.changes import Change
from tamis.store.database import Database

HOST = b"Host: here\r\nConnection: close\r\n"
POST = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Options]:
    """Run a web page for all of these tests."""
    folder, port = tmp_path_factory.mktemp("tricks"), free_port()
    with Options(write_config(folder, more=f'[options]\nlisten = "inet:127.0.0.1:{port}"'), port) as one:
        yield one


def ask(options: Options, octets: bytes) -> bytes:
    """Return all that is answered to octets until the connection ends."""
    found = b""
    with socket.create_connection(("127.0.0.1", options.port), timeout=PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # cut off while we still send: the answer is there
            connection.sendall(octets)
        with contextlib.suppress(ConnectionError):
            while some := connection.recv(65536):
                found += some
    return found


@pytest.mark.parametrize(
    ("status", "octets"),
    [
        (404, b"GET /static/x/../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET /static/x/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET //evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET /\\evil.example HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET /api/v1/%2e%2e/%2e%2e/sign-in HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET /%0d%0aSet-Cookie:%20evil=1 HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"GET /" + b"a" * 15_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
        (200, b"GET /sign-in?next=//evil.example&lang=%0d%0aevil:1 HTTP/1.1\r\n" + HOST + b"\r\n"),
        (303, b"GET /reception HTTP/1.1\r\nX-Forwarded-Host: evil.example\r\n" + HOST + b"\r\n"),
        (303, b"GET /reception HTTP/1.1\r\nX-Original-URL: /evil\r\n" + HOST + b"\r\n"),
        (
            303,
            b"GET /reception HTTP/1.1\r\nCookie: tamis=\xff; tamis=" + b"x" * 43 + b"\r\n" + HOST + b"\r\n",
        ),
        (303, b"GET /reception HTTP/1.1\r\nAccept-Language: \xff;q=nan,fr;q=9e999\r\n" + HOST + b"\r\n"),
        (405, b"TRACE /sign-in HTTP/1.1\r\n" + HOST + b"\r\n"),
        (404, b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
        (405, b"GET /sign-out HTTP/1.1\r\nX-HTTP-Method-Override: POST\r\n" + HOST + b"\r\n"),
        (400, b"GET /sign-in HTTP/1.1\r\nHost: evil.example\r\n" + HOST + b"\r\n"),
        (400, b"GET /sign-in HTTP/1.1\r\n\r\n"),
        (400, b"GET /sign-in\r\n\r\n"),
        (400, b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
        (400, b"GET /sign-in HTTP/1.1\r\nX: a\rb\r\n" + HOST + b"\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 400),
        (400, POST + b"Content-Length: -5\r\n\r\nabc"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
        (400, POST + b"Content-Length: 400000\r\n\r\n" + b"a&" * 200_000),
        (413, POST + b"Content-Length: 10000000000\r\n\r\na=" + b"x" * 1_100_000),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_tricks_are_refused_and_lead_nowhere(options: Options, status: int, octets: bytes) -> None:
    head, _, _ = ask(options, octets).partition(b"\r\n\r\n")

    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % status)
    names = {line.partition(b":")[0].lower() for line in lines[1:]}
    assert not names & {b"evil", b"server", b"x-powered-by"}
    assert not any(b"evil" in line for line in lines)
    assert options.visitor().get("/sign-in").status == 200


def test_a_flood_of_attempts_costs_few_passwords(tmp_path: Path) -> None:
    class Counting(Passwords):
        """Notes how often it was asked."""

        asked = 0

        def verify(self, digest: str | None, password: str) -> bool:
            """Tell whether a password is the one of a hash."""
            self.asked += 1
            return super().verify(digest, password)

    passwords = Counting(CHEAP)
    with running(tmp_path, passwords=passwords) as web:
        visitor = web.visitor()
        form = {"token": visitor.get("/sign-in").token, "password": "wrong"}
        statuses = asyncio.run(_flood(web, visitor, form, 2_000))

    assert passwords.asked == OF_A_CLIENT
    assert statuses.count(429) == 2_000 - OF_A_CLIENT


async def _flood(web: Web, visitor: Visitor, form: dict[str, str], number: int) -> list[int]:
    headers = {**FORM, "cookie": f"tamis={visitor.cookies['tamis']}"}
    found = []
    for one in range(number):
        body = urlencode({**form, "address": f"user{one}@example.org"}).encode()
        status, _, _ = await web._carry("POST", "/sign-in", headers, body, "192.0.2.7")
        found.append(status)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/mail?day=9999-12-31",
        "/mail?day=0001-01-01",
        "/mail?before=7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "/mail?sender=%00%25_%ed%a0%80",
        "/mail?kind=%00",
        "/mail/7ZZZZZZZZZZZZZZZZZZZZZZZZZ?saved=999999999999999",
        "/sign-ins?before=%00",
        "/sign-ins?done=%3Cscript%3E",
        "/my-data/history?before=%ff",
        "/senders/allowed%00",
        "/about?lang=%00",
    ],
)
def test_no_parameter_breaks_a_page(web: Web, path: str) -> None:
    page = web.signed_in().get(path)

    assert page.status in (200, 404, 422)
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "sender",
    [
        "a\x00@example.org",
        "a\x1b@example.org",
        "a\r\nb@example.org",
        "a@exam\x7fple.org",
        "a@example.\u202egro",
        "a\u200b@example.org",
        f"{'a' * 309}@example.org",
    ],
)
def test_a_list_takes_nothing_that_cannot_be_read(web: Web, sender: str) -> None:
    page = web.signed_in().change("/senders", {"list": "allowed", "sender": sender})

    assert page.status == 422


@pytest.mark.parametrize("path", ["/my-data/closing", "/my-data/restriction", "/sign-ins"])
@pytest.mark.parametrize("form", [{}, {"do": ""}, {"do": "everything"}, {"do": "Act.CLOSE"}])
def test_what_no_form_offers_is_not_done(web: Web, path: str, form: dict[str, str]) -> None:
    visitor, elsewhere = web.signed_in(), web.visitor()
    elsewhere.sign_in()

    page = visitor.post(path, form | {"token": visitor.get("/my-data").token})

    assert page.status == 400
    assert elsewhere.get("/reception").status == 200
    assert not re.search("Closed since|Restricted since", visitor.get("/my-data").text)


def test_nobody_fills_the_store_with_changes(web: Web) -> None:
    visitor, program = web.signed_in(), web.program("anna@example.org")
    form = {"token": visitor.get("/senders").token, "list": "allowed"}
    for number in range(CHANGES // 2):
        visitor.post("/senders", form | {"sender": f"user{number}@example.net"})
        program.send("PATCH", "/senders/allowed", {"remove": [f"user{number}@example.net"]})

    refused = visitor.post("/senders", form | {"sender": "one-more@example.net"})

    assert (refused.status, refused.headers["retry-after"]) == (429, "3600")
    assert "Nothing was done this time. Go on in 60 min" in refused.text
    assert program.send("PATCH", "/account", {"antispam": "off"}).status == 429
    assert visitor.get("/senders").status == 200
    assert visitor.post("/sign-out", form).status == 303
    bob = web.signed_in("bob@example.org")
    assert bob.change("/senders", {"list": "allowed", "sender": "x@example.net"}).status == 303


@on_every_store
def test_what_changes_put_on_record_is_counted_in_octets(web: Web) -> None:
    found = [Change("antispam", None, "off"), Change("senders.allowed", [], ["é@example.net"])]
    with contextlib.closing(Database(web.config.store)) as database, database.writing() as connection:
        for address, now in (("anna@example.org", NOON), ("bob@example.org", NOON + 1)):
            changes.record(connection, address, found, actor="user", now=now)

        lengths = [changes.octets(connection, "anna@example.org", now=NOON + one) for one in (-1, 0, 1)]

    assert lengths == [0, len('"off"' + "[]" + r'["\u00e9@example.net"]'), 0]


def test_nobody_fills_the_store_with_few_long_changes(web: Web) -> None:
    visitor, program = web.signed_in(), web.program("anna@example.org")
    form = {"token": visitor.get("/senders").token, "list": "allowed"}
    long = tuple(f"{number}{'a' * 59}@{'b' * 60}.{'c' * 60}.{'d' * 60}" for number in range(1000, 2900))
    write_settings(web.config, "anna@example.org", senders_allowed=long)
    least = 2 * sum(map(len, long))  # of a change: what the list was, and what it is
    for number in range(-(-OCTETS // least)):
        page = visitor.post("/senders", form | {"sender": f"user{number}@example.net"})
        assert page.location.startswith("/senders")
    web.clock[0] += 1_200_000

    refused = visitor.post("/senders", form | {"sender": "one-more@example.net"})
    answer = program.send("PATCH", "/account", {"antispam": "off"})

    assert (refused.status, refused.headers["retry-after"]) == (429, "2400")
    assert "Go on in 40 min" in refused.text
    assert (answer.status, answer.json["detail"]) == (
        429,
        "Too many changes, or too long ones. Wait 2400 s.",
    )
    assert visitor.get("/senders").status == 200
    for _ in range(2):
        web.clock[0] += 1_200_000
        visitor.get("/senders")  # who does nothing for half an hour is signed out
    done = visitor.post("/senders", form | {"sender": "one-more@example.net"})
    assert done.location.startswith("/senders")


def test_a_program_is_told_as_such_what_is_not_there(web: Web) -> None:
    answer = web.program("anna@example.org").get("/senders/allowed%0A")

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


@on_every_store
def test_what_no_store_can_hold_is_not_asked_of_it(web: Web) -> None:
    visitor, stranger = web.signed_in(), web.visitor()
    program = web.program("anna@example.org")
    form = {"token": visitor.get("/sign-ins").token}
    operator = {"token": stranger.get("/operator/sign-in").token, "name": "a\0", "password": "x"}

    found = [
        stranger.sign_in("a\0@example.org", "x").status,
        stranger.post("/operator/sign-in", operator).status,
        visitor.get("/sign-ins?before=%00").status,
        visitor.get("/my-data/history?before=%00").status,
        visitor.post("/sign-ins/%00", form).status,
        program.ask("DELETE", "/sign-ins/%00").status,
        program.get("/tickets/%00").status,
    ]

    assert found == [401, 401, 404, 404, 404, 404, 404]
