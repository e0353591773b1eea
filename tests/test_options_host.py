"""The web page on a host: in what its unit leaves to it, on the store's files, and behind nginx."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers import systemd
from tests.servers.milter import COMMAND, PATIENCE
from tests.servers.options import Options, visitor
from tests.servers.postfix import SUDO
from tests.servers.systemd import FILES, OPTIONS
from tests.stores import make_config, stored
from tests.test_systemd import confinement, numbers
from tests.test_systemd import root as root
from tests.web import set_password

from tamis.sandbox.processes import free_port

ROOT = Path(__file__).parents[1]
NGINX = ROOT / "var/debian/nginx"
PROXY = ROOT / "docs/reverse-proxy.md"
SOCKET = "/run/tamis-options/options.sock"


@contextmanager
def listening(command: list[str], port: int) -> Iterator[None]:
    """Run a server as long as the context lasts, once its port answers."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            end = time.monotonic() + PATIENCE
            while True:
                assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def test_the_page_serves_in_its_confinement(tmp_path: Path) -> None:
    port = free_port(0)
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


@pytest.fixture
def behind_nginx(tmp_path: Path) -> Iterator[int]:
    """Run the page behind nginx as the documentation has it, without TLS; return nginx's port."""
    port = free_port(0)
    path = Path("/tmp") / f"options-{port}.sock"
    more = f'[options]\nlisten = "unix:{path}"\nurl = "http://127.0.0.1:{port}/options"\n'
    set_password(make_config(tmp_path, more=more), "anna@example.org")
    location = re.search(r"```nginx\n(.*?)```", PROXY.read_text(), re.DOTALL)
    assert location is not None
    temporary = "".join(
        f"{one}_temp_path {tmp_path}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ {temporary} access_log off;\nserver {{ listen 127.0.0.1:{port};\n"
        f"{location[1].replace(SOCKET, str(path))} }} }}\n"
    )
    command = [str(NGINX / "usr/sbin/nginx"), "-e", "stderr", "-p", str(tmp_path)]
    with Options(tmp_path / "tamis.toml"), listening([*command, "-c", str(tmp_path / "nginx.conf")], port):
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
