"""What scanners try on a web page: each is refused, costs little, and the next visitor is served."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.servers.milter import PATIENCE
from tests.servers.options import Options
from tests.stores import write_config
from tests.visitor import FORM, Visitor
from tests.web import CHEAP, Web, running

from tamis.options.doorkeeper import OF_A_CLIENT
from tamis.passwords import Passwords
from tamis.sandbox.processes import free_port

HOST = b"Host: here\r\nConnection: close\r\n"
POST = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Options]:
    """Run a web page for all of these tests."""
    folder, port = tmp_path_factory.mktemp("tricks"), free_port(0)
    with Options(write_config(folder, more=f'[options]\nlisten = "inet:127.0.0.1:{port}"'), port) as one:
        yield one


def ask(options: Options, octets: bytes) -> bytes:
    """Return all that is answered to octets until the connection ends."""
    found = b""
    with socket.create_connection(("127.0.0.1", options.port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(octets)
            while some := connection.recv(65536):
                found += some
        except ConnectionError:  # cut off while we still send
            pass
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
    "sender", ["a\x00@example.org", "a\x1b@example.org", "a\r\nb@example.org", "a@exam\x7fple.org"]
)
def test_a_list_takes_nothing_that_cannot_be_read(web: Web, sender: str) -> None:
    page = web.signed_in().change("/senders", {"list": "allowed", "sender": sender})

    assert page.status == 422
