"""A PostgreSQL of the tests' own, on a unix socket in a folder of its own, and databases on it."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.servers.smtp import PATIENCE, wait_until

UNPACKED = Path(__file__).parents[2] / "var/debian/postgresql-15"
PROGRAMS = "usr/lib/postgresql/15/bin"
PORT = 5432  # which also names the unix socket
NOBODY = 65534  # it does not run as root
MEMORY, ROOM = Path("/dev/shm"), 1 << 30  # octets
TEMPLATE = "tamis_template"
OWNER = "tamis"  # the role that owns the databases, and is no superuser

# The order of a language, unlike that of octets: no query may rest on it.
CLUSTER = (
    "--auth=trust",
    "--no-sync",  # of what it makes, not of what is committed later
    "--encoding=UTF8",
    "--locale-provider=icu",
    "--icu-locale=fr-FR",
    "--locale=C.UTF-8",
)
SETTINGS = ("max_connections = 50", "shared_buffers = 16MB", "max_wal_size = 64MB", "jit = off")


def programs(folder: Path) -> tuple[Path, Path | None]:
    """Return where the installed programs are, or unpacked ones and the folder of their libraries.

    Where another user may not enter the folder of these, they are copied into a folder.
    """
    if (Path("/") / PROGRAMS / "postgres").exists():
        return Path("/") / PROGRAMS, None
    root = UNPACKED
    assert (root / PROGRAMS / "postgres").exists(), (
        "no PostgreSQL: run `make test` or tests/unpack postgresql-15"
    )
    if os.geteuid() == 0 and not all(one.stat().st_mode & 0o001 for one in root.parents):
        root = folder / "programs"
        shutil.copytree(UNPACKED / "usr", root / "usr", symlinks=True)
    (libraries,) = (root / "usr/lib").glob("*-linux-gnu*")
    return root / PROGRAMS, libraries


class PostgreSQL:
    """A running server."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Make its files below a folder that others may enter, and start it.

        With a port it also listens on that one of loopback, with TLS.
        """
        self._folder = folder
        self._data = folder / "data"
        self._port = port or PORT
        self._programs, libraries = programs(folder)
        self._environment: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            **({} if libraries is None else {"LD_LIBRARY_PATH": str(libraries)}),
        }
        self._numbers = itertools.count(1)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        self._make(port)
        self._process = self._start()
        self.run(f"CREATE ROLE {OWNER} LOGIN", f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")

    def _make(self, port: int | None) -> None:
        made: list[str | Path] = [self._programs / "initdb", "-D", self._data, "-U", "postgres", *CLUSTER]
        subprocess.run(self._as_user(made), env=self._environment, check=True, stdout=subprocess.DEVNULL)
        over_tcp = ("listen_addresses = '127.0.0.1'", f"port = {port}", "ssl = on")
        listen = ("listen_addresses = ''",) if port is None else over_tcp
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join((f"unix_socket_directories = '{self._folder}'", *listen, *SETTINGS)))
        if port is not None:
            self._make_certificate()

    def _make_certificate(self) -> None:
        own = ("-keyout", self._data / "server.key", "-out", self._data / "server.crt")
        command = ("openssl", "req", "-x509", "-nodes", "-newkey", "ed25519", "-subj", "/CN=localhost", *own)
        subprocess.run(self._as_user(command), check=True, stderr=subprocess.DEVNULL)

    @staticmethod
    def _as_user(command: Sequence[str | Path]) -> Sequence[str | Path]:
        ids = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        return ("setpriv", *ids, *command) if os.geteuid() == 0 else command

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self._as_user([self._programs / "postgres", "-D", self._data]),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is for the tests
            )
        try:
            wait_until(self._answers)
        except AssertionError:
            process.kill()
            process.wait()
            raise AssertionError((self._folder / "log").read_text()) from None
        return process

    def _answers(self) -> bool:
        try:
            self.run()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def connection(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """Lend a superuser's connection, each of whose statements is a transaction of its own."""
        where = f"host={self._folder} port={self._port} dbname={database} user=postgres"
        with psycopg.connect(where, autocommit=True) as one:
            yield one

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as superuser."""
        with self.connection(database) as connection:
            for one in statements:
                connection.execute(one)

    def url(self, database: str, *, role: str = OWNER) -> str:
        """Return what stands in store.url."""
        return f"postgresql+psycopg://{role}@/{database}?host={self._folder}"

    def new(self, template: str = "template0") -> str:
        """Make a database, as a copy of another; return its name."""
        name = f"tamis_{next(self._numbers)}"
        with self.connection() as connection:
            parts = map(sql.Identifier, (name, template, OWNER))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*parts))
        return name

    def drop(self, name: str) -> None:
        """Delete a database, whoever is connected."""
        with self.connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def kill_backends(self) -> None:
        """Kill the processes that serve Tamis's connections (SIGKILL); the server restarts all by itself."""
        with self.connection() as connection:
            asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tamis'"
            pids = [pid for (pid,) in connection.execute(asked)]
        for pid in pids:
            _kill(pid)  # the server knows of it before it takes anybody's next connection

    def kill(self) -> None:
        """End it at once, as a failing machine would."""
        self._process.send_signal(signal.SIGSTOP)  # it has no more children from now on
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        self._process.wait(PATIENCE)
        for one in map(int, children):  # none of them lives on without it for long
            _kill(one)  # a new server does not start beside any of them

    def start(self) -> None:
        """Start it again; it recovers."""
        self._process = self._start()

    def stop(self) -> None:
        """Stop it, whoever is connected; what is in its files is of no use any more."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE)


def _kill(pid: int) -> None:
    """Kill a process (SIGKILL), and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], PATIENCE)
        os.close(descriptor)


@contextmanager
def running(port: int | None = None) -> Iterator[PostgreSQL]:
    """Yield a PostgreSQL in a folder of its own, and leave nothing behind."""
    # A database is a thousand files: to make and to delete those of a hundred tests takes a minute on a disk.
    room = shutil.disk_usage(MEMORY).free if MEMORY.exists() else 0
    with tempfile.TemporaryDirectory(prefix="tamis-pg-", dir=MEMORY if room > ROOM else None) as folder:
        Path(folder).chmod(0o755)  # it may be another user
        one = PostgreSQL(Path(folder), port)
        try:
            yield one
        finally:
            one.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL; .new() makes a database on it, .url() is for store.url."""
    with running() as one:
        yield one
