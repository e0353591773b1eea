"""The web page on a host: in what its unit leaves to it, on the store's files, and behind nginx."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import nginx, systemd
from tests.servers.listening import listening
from tests.servers.milter import COMMAND
from tests.servers.options import Options, visitor
from tests.servers.ports import free_port
from tests.servers.postfix import SUDO
from tests.servers.systemd import FILES, OPTIONS
from tests.stores import make_config, stored
from tests.test_systemd import confinement, numbers
from tests.test_systemd import root as root
from tests.web import make_operator, set_password


def test_the_page_serves_in_its_confinement(tmp_path: Path) -> None:
    port = free_port()
    more = f'[options]\nlisten = "inet:127.0.0.1:{port}"\n[metrics]\nfile = "{tmp_path}/tamis.prom"\n'
    config = make_config(tmp_path, more=more)
    set_password(config, "anna@example.org")

    command = [*confinement(OPTIONS), *COMMAND, "options", "--config", str(tmp_path / "tamis.toml")]
    with listening(command, port):
        one = visitor(port)
        signed_in = one.sign_in()
        page = one.change("/senders", {"list": "blocked", "sender": "rude@example.net"})

    assert (signed_in.location, page.status) == ("/reception", 303)


def test_the_stores_files_are_open_to_its_group(root: Path) -> None:
    sysusers = systemd.run("bin/systemd-sysusers", f"--root={root}", FILES / "sysusers.d/tamis-options.conf")
    files = [FILES / "tmpfiles.d" / name for name in ("tamis.conf", "tamis-options.conf")]
    systemd.run("bin/systemd-tmpfiles", f"--root={root}", "--create", files[0])
    store = root / "var/lib/tamis/tamis.db"
    owner = str(numbers(root, "passwd", 2)["tamis"])
    subprocess.run([*SUDO, "install", "-m", "600", "-o", owner, "/dev/null", store], check=True)

    done = systemd.run("bin/systemd-tmpfiles", f"--root={root}", "--create", *files)

    assert (sysusers.returncode, done.returncode, done.stderr) == (0, 0, "")
    shown = subprocess.run([*SUDO, "stat", "-c", "%a", store.parent, store], capture_output=True, text=True)
    assert shown.stdout.split() == ["2770", "660"]


def test_nginx_signs_operators_in_and_nobody_else(tmp_path: Path) -> None:
    port = free_port()
    path = Path("/tmp") / f"options-{port}.sock"
    more = f"""[options]
listen = "unix:{path}"
url = "http://127.0.0.1:{port}/options"
header = {{ operator = "Remote-Operator" }}
"""
    make_operator(make_config(tmp_path, more=more))
    passwords = tmp_path / "operators"
    passwords.write_text("olga:{PLAIN}secret\npat:{PLAIN}secret\n")
    server = f"server {{ listen 127.0.0.1:{port}; {nginx.locations(path, passwords)} }}"
    with Options(tmp_path / "tamis.toml"), nginx.serving(tmp_path, server, port):
        stranger, pat, olga = (visitor(port) for _ in range(3))
        stranger.sent = {"remote-operator": "olga"}
        pat.sent = basic("pat")
        olga.sent = basic("olga")
        unasked = [stranger.get(f"/options{one}") for one in ("/operator", "/operator/sign-in", "/sign-in")]
        no_operator = pat.get("/options/operator/sign-in")
        olga.get("/options/operator/sign-in")
        overview = olga.get("/options/operator")

    assert [one.status for one in unasked] == [401, 401, 200]
    assert no_operator.status == 403
    assert overview.status == 200
    assert "olga" in overview.text


def basic(name: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()}


@pytest.fixture
def behind_nginx(tmp_path: Path) -> Iterator[int]:
    """Run the page behind nginx as the documentation has it, without TLS; return nginx's port."""
    port = free_port()
    path = Path("/tmp") / f"options-{port}.sock"
    more = f'[options]\nlisten = "unix:{path}"\nurl = "http://127.0.0.1:{port}/options"\n'
    set_password(make_config(tmp_path, more=more), "anna@example.org")
    server = f"server {{ listen 127.0.0.1:{port}; {nginx.location(path)} }}"
    with Options(tmp_path / "tamis.toml"), nginx.serving(tmp_path, server, port):
        yield port


def test_nginx_passes_on_who_asks_and_nothing_that_a_client_says_of_it(
    behind_nginx: int, tmp_path: Path
) -> None:
    browser = visitor(behind_nginx)
    browser.sent = {"x-forwarded-for": "192.0.2.99"}

    token = browser.get("/options/sign-in").token
    fields = {"token": token, "address": "anna@example.org", "password": "correct horse battery"}
    done = browser.post("/options/sign-in", fields)

    assert (done.status, done.location) == (303, "/options/reception")
    assert browser.get(done.location).status == 200
    assert browser.get("/options").status == 301
    config = make_config(tmp_path)
    assert stored(config, "SELECT address FROM session") == [("127.0.0.1",)]
