"""Debian's PHP, which serves a folder by HTTP, and the lines for it in docs/options.md."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.listening import listening
from tests.servers.ports import free_port

TOP = Path(__file__).parents[2]
UNPACKED = TOP / "var/debian"
PACKAGES = ("roundcube-core", "roundcube-sqlite3")  # which bring PHP
PAGE = TOP / "docs/options.md"
BLOCK = re.compile(r"^(?:    .*\n|\n(?=    ))+", re.MULTILINE)


def documented() -> tuple[str, str]:
    """Return the function that makes a link by which a webmail signs its users in, and its call."""
    section = PAGE.read_text().partition("## Links from a webmail\n")[2].partition("\n## ")[0]
    function, call = (textwrap.dedent(one).strip() for one in BLOCK.findall(section))
    return f"{function}\n", f"{call}\n"


def found(path: str) -> Path:
    """Return where a file of PHP's or Roundcube's packages is: unpacked, or installed."""
    for root in (*(UNPACKED / package for package in PACKAGES), Path("/")):
        if (root / path).exists():
            return root / path
    raise AssertionError(f"no {path}: `make test` or `tests/unpack {' '.join(PACKAGES)}` gets it")


@contextmanager
def serving(folder: Path, settings: Sequence[str] = ()) -> Iterator[int]:
    """Serve a folder with some settings of php.ini; yield the port."""
    folders = (UNPACKED.glob(f"{one}/{two}/*-linux-gnu*") for one in PACKAGES for two in ("usr/lib", "lib"))
    libraries = ":".join(str(one) for some in folders for one in some)
    port = free_port()
    given = [part for one in settings for part in ("-d", one)]
    command: list[str | Path] = [
        found("usr/bin/php8.2"),
        "-n",
        *given,
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        folder,
    ]
    with listening(command, port, {**os.environ, "LD_LIBRARY_PATH": libraries}):
        yield port
