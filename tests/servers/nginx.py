"""nginx as docs/reverse-proxy.md has it, in front of the web page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.listening import listening

TOP = Path(__file__).parents[2]
PROGRAM = TOP / "var/debian/nginx/usr/sbin/nginx"
PAGE = TOP / "docs/reverse-proxy.md"
SOCKET = "/run/tamis-options/options.sock"


def location(socket: Path) -> str:
    """Return the documented location, with the page's socket in another place."""
    return _documented(socket)[0]


def locations(socket: Path, passwords: Path) -> str:
    """Return it with that of operators, whose passwords lie in another place, too."""
    users, operators = _documented(socket)
    users = users.replace("}", 'proxy_set_header Remote-Operator "";\n}')
    return users + operators.replace("/etc/nginx/operators", str(passwords))


def _documented(socket: Path) -> Sequence[str]:
    found = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [one.replace(SOCKET, str(socket)) for one in found]


@contextmanager
def serving(folder: Path, servers: str, port: int) -> Iterator[None]:
    """Run nginx with its files in a folder, and with servers that listen on a port."""
    temporary = "".join(
        f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ {temporary} access_log off;\n{servers} }}\n"
    )
    command: list[str | Path] = [PROGRAM, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
    with listening(command, port):
        yield
