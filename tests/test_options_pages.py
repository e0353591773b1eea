"""All pages: what each answer says of itself, and what is refused."""

from __future__ import annotations

import contextlib
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers.milter import PATIENCE
from tests.servers.options import Options, StartOptions
from tests.servers.ports import free_port
from tests.stores import write_config
from tests.visitor import FORM, Page, Visitor
from tests.web import Web, running

from tamis.options.forms import LONGEST, MOST
from tamis.options.routes import ROUTES, For
from tamis.sandbox.processes import CommandFailed

ROOT = Path(__file__).parents[1]

ASKED: dict[str, Callable[[Visitor], Page]] = {
    "sign-in": lambda visitor: visitor.get("/sign-in"),
    "reception": lambda visitor: visitor.get("/reception"),
    "nowhere": lambda visitor: visitor.get("/nowhere"),
    "file": lambda visitor: visitor.get("/static/x/style.css"),
    "refused": lambda visitor: visitor.post("/reception", {}),
}


@pytest.mark.parametrize("name", ASKED)
def test_each_answer_forbids_what_no_page_needs(web: Web, name: str) -> None:
    page = ASKED[name](web.signed_in())

    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"


def test_sites_that_are_named_may_show_pages_in_a_frame(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nframe_ancestors = ["https://webmail.example.org"]') as web:
        policy = web.visitor().get("/sign-in").headers["content-security-policy"]

    assert policy.endswith("frame-ancestors https://webmail.example.org")


def test_files_are_kept_by_browsers_as_their_addresses_change_with_them(web: Web) -> None:
    text = web.visitor().get("/sign-in").text
    path = text.partition('stylesheet" href="')[2].partition('"')[0]

    page = web.visitor().get(path)

    assert (page.status, page.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert page.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/x/../../conf/tamis.toml",
        "/static/x/..%2f..%2fsite.py",
        "//evil.example/reception",
        "/reception/",
        "/%00",
        "/sign-in%0d%0aSet-Cookie:%20a=b",
    ],
)
def test_what_is_not_there_is_told_in_the_visitors_language(web: Web, path: str) -> None:
    page = web.visitor("fr").get(path)

    assert page.status == 404
    assert "Cette page n&#39;existe pas" in page.text
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("PUT", "/reception", None, {}, 405),
        ("GET", "/sign-out", None, {}, 405),
        ("POST", "/sign-in", b"{}", {"content-type": "application/json"}, 415),
        ("POST", "/sign-in", b"a=" + b"x" * LONGEST, FORM, 413),
        ("POST", "/sign-in", b"&".join([b"a=1"] * (MOST + 1)), FORM, 400),
        ("POST", "/sign-in", b"a=%ff", FORM, 400),
        ("POST", "/sign-in", b"\xff", FORM, 400),
        ("POST", "/sign-in", b"token=%C3%A9", FORM, 403),
    ],
)
def test_what_no_form_of_ours_sends_is_refused(
    web: Web, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    page = web.visitor().ask(method, path, body, headers)

    assert page.status == status
    assert "<h1>" in page.text


@pytest.mark.parametrize("route", [one for one in ROUTES if one.who is For.ACCOUNT], ids=lambda one: one.name)
def test_who_is_not_signed_in_is_led_to_the_form(web: Web, route: object) -> None:
    assert isinstance(route, type(ROUTES[0]))
    visitor = web.visitor()
    visitor.cookies = {"tamis": "x" * 43}
    pages = [visitor.get(route.path)] * (route.show is not None)
    pages += [visitor.post(route.path, {"token": "x"})] * (route.change is not None)

    assert pages
    assert all((page.status, page.text) == (303, "") for page in pages)
    assert all(page.location.startswith("/sign-in") for page in pages)


def test_each_route_is_documented() -> None:
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")

    assert [one.path for one in ROUTES if f"| `{one.path}` |" not in text] == []


def write(folder: Path, listen: str, more: str = "") -> Path:
    return write_config(folder, more=f'[options]\nlisten = "{listen}"\n{more}')


def test_a_unix_socket_has_the_mode_that_is_set(tmp_path: Path, start_options: StartOptions) -> None:
    path = Path("/tmp") / f"options-{free_port()}.sock"

    options = start_options(write(tmp_path, f"unix:{path}", 'socket_mode = "0600"\n'))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
    options.stop()
    assert not path.exists()


def test_a_port_that_is_taken_is_told(tmp_path: Path, start_options: StartOptions) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(CommandFailed, match=f"cannot listen on inet:127.0.0.1:{port}: Address already"):
            start_options(write(tmp_path, f"inet:127.0.0.1:{port}"), port)


@pytest.fixture
def options(tmp_path: Path, start_options: StartOptions) -> Options:
    """Run a web page in a process of its own."""
    port = free_port()
    return start_options(write(tmp_path, f"inet:127.0.0.1:{port}"), port)


def test_a_stop_ends_it_while_a_connection_is_open(options: Options) -> None:
    with socket.create_connection(("127.0.0.1", options.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: here\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"

        options.stop()

    assert "stopped" in options.log()


def test_the_log_names_nobody(options: Options) -> None:
    options.visitor().get("/sign-in?next=secret")
    options.visitor().get("/nowhere/secret")
    with socket.create_connection(("127.0.0.1", options.port), timeout=PATIENCE) as connection:
        connection.sendall(b"secret\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
    options.stop()

    lines = options.log().splitlines()
    assert len(lines) == 2
    assert all(
        "secret" not in line and "127.0.0.1:" not in line.replace("inet:127.0.0.1", "") for line in lines
    )


def test_lines_of_a_request_that_are_too_long_are_refused(options: Options) -> None:
    with socket.create_connection(("127.0.0.1", options.port), timeout=PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # cut off while we still send: the answer is there
            connection.sendall(b"GET /sign-in?" + b"x" * 70_000)

        assert connection.recv(12) == b"HTTP/1.1 400"
