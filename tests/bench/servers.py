"""The milters that are compared, each started with its own folder on a unix socket and ended by its pid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import processes
from tests.bench.load import connect
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "var" / "debian" / "rspamd"
PATIENCE = 120.0  # seconds; rspamd compiles its patterns at its first start
QUIET = 0.5  # seconds without work after which a server is ready

TAMIS = """\
[milter]
listen = "{listen}"
front = "{front}"
workers = {workers}
{milter}
[mail]
domains = ["example.org"]
[store]
url = "sqlite:///{folder}/tamis.db"
"""
NO_ANTIVIRUS = '[users.defaults]\nantivirus = "off"\n'

# What has no counterpart here, or asks DNS, Redis or another server; Bayes rests, as it has no Redis.
RSPAMD_OFF = (
    "antivirus",
    "arc",
    "asn",
    "dkim",
    "dkim_signing",
    "dmarc",
    "fuzzy_check",
    "greylist",
    "hfilter",
    "history_redis",
    "mx_check",
    "phishing",
    "ratelimit",
    "rbl",
    "replies",
    "reputation",
    "spf",
)
RSPAMD_LOCAL = {
    "options.inc": 'dns {{ nameserver = ["127.0.0.1:9"]; }}\ndisable_monitoring = true;\n',
    "logging.inc": 'type = "console";\nlevel = "warning";\n',
    # What Tamis shows of its verdict, too.
    "milter_headers.conf": 'use = ["x-spamd-result", "x-spam-level", "x-spam-status"];\n'
    "extended_spam_headers = false;\nskip_local = false;\n",
}
RSPAMD_OVERRIDE = {
    "worker-proxy.inc": 'bind_socket = "{socket} mode=0666";\nmilter = yes;\ncount = {workers};\n'
    'upstream "local" {{ default = yes; self_scan = yes; }}\n',
    "worker-normal.inc": "enabled = false;\ncount = 0;\n",
    "worker-controller.inc": "enabled = false;\ncount = 0;\n",
}


class ServerError(Exception):
    """A server does not start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A milter that runs; use stop() at the end."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    log: Path
    end: signal.Signals = signal.SIGTERM

    def pids(self) -> list[int]:
        """Return all its processes."""
        return processes.family(self.process.pid)

    def workers(self) -> list[int]:
        """Return the processes that work: all but the one that looks after them."""
        everyone = self.pids()
        return everyone[1:] or everyone

    def stop(self) -> None:
        """End it; raise ServerError if it does not end in time."""
        self.process.send_signal(self.end)
        try:
            self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise ServerError(f"{self.name} does not end: see {self.log}") from None


def null(folder: Path) -> Server:
    """Start the milter that does nothing."""
    where = f"unix:{_socket(folder)}"
    server = _start("null", [sys.executable, "-m", "tests.bench.null", where], folder=folder, where=where)
    return replace(
        server, end=signal.SIGKILL
    )  # libmilter would take 5 s to stop, and there is nothing to save


def tamis(
    folder: Path, front: str, *, workers: int, settings: str = NO_ANTIVIRUS, milter: str = ""
) -> Server:
    """Start Tamis with an empty store; settings is what its configuration says beyond TAMIS.

    milter are more lines of its [milter].
    """
    where = f"unix:{_socket(folder)}"
    for former in folder.glob("tamis.db*"):
        former.unlink()
    config = folder / "tamis.toml"
    fixed = TAMIS.format(listen=where, front=front, workers=workers, folder=folder, milter=milter)
    config.write_text(fixed + settings)
    command = [sys.executable, "-m", "tamis", "serve", "--config", str(config)]
    return _start(folder.name, command, folder=folder, where=where)


def tickets(folder: Path) -> Iterator[dict[str, object]]:
    """Yield the tickets of the messages whose queue IDs are a load's, from the store of a Tamis."""
    config = folder / "tamis.toml"
    command = [sys.executable, "-m", "tamis", "tickets", "--json", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        if reader.stdout is not None:
            for ticket in map(json.loads, reader.stdout):
                if str(ticket["queue_id"]).startswith("4B"):
                    yield ticket


def relay(folder: Path) -> Server:
    """Start the relay that takes every copy."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.relay", str(port)]
    return _start("relay", command, folder=folder, where=f"inet:127.0.0.1:{port}")


def rspamd(folder: Path, *, workers: int = 1) -> Server | None:
    """Start rspamd as a milter that scans by itself; None where there is none."""
    program = shutil.which("rspamd")
    root = UNPACKED
    if program is None and (UNPACKED / "usr/bin/rspamd").exists():
        program = str(UNPACKED / "usr/bin/rspamd")
    elif program is not None:
        root = Path("/")
    else:
        return None
    where = _socket(folder)
    local = folder / "conf"
    languages = root / "usr/share/rspamd/languages"
    for name, files in (("local.d", RSPAMD_LOCAL), ("override.d", RSPAMD_OVERRIDE)):
        (local / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (local / name / file).write_text(text.format(socket=where, workers=workers))
    (local / "rspamd.conf.local").write_text(f'lang_detection {{ languages = "{languages}"; }}\n')
    for module in RSPAMD_OFF:
        (local / "local.d" / f"{module}.conf").write_text("enabled = false;\n")
    return _start(
        f"rspamd-{workers}",
        [program, "-f", "-i", "-c", str(root / "etc/rspamd/rspamd.conf"), *_variables(root, local, folder)],
        folder=folder,
        where=f"unix:{where}",
        libraries=root,
    )


def _variables(root: Path, local: Path, folder: Path) -> list[str]:
    shared = root / "usr/share/rspamd"
    values = {
        "CONFDIR": root / "etc/rspamd",
        "LOCAL_CONFDIR": local,
        "SHAREDIR": shared,
        "RULESDIR": shared / "rules",
        "LUALIBDIR": shared / "lualib",
        "PLUGINSDIR": shared / "plugins",
        "WWWDIR": shared / "www",
        "DBDIR": folder,
        "RUNDIR": folder,
        "LOGDIR": folder,
    }
    return [f"--var={name}={path}" for name, path in values.items()]


def _socket(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "milter.sock"
    path.unlink(missing_ok=True)  # of a run that was broken off
    return path


def _start(
    name: str, command: list[str], *, folder: Path, where: str, libraries: Path | None = None
) -> Server:
    """Start a server and wait until it listens and has nothing left to prepare."""
    environment = dict(os.environ)
    if libraries is not None:
        found = (libraries / "usr/lib/x86_64-linux-gnu", libraries / "usr/lib/rspamd")
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, found))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment)
    server = Server(name, where, process, log)
    end = time.monotonic() + PATIENCE
    while not _listens(where) or not processes.settle(server.pids(), quiet=QUIET, patience=PATIENCE):
        if process.poll() is not None:
            raise ServerError(f"{name} does not start: {_last_line(log)}")
        if time.monotonic() > end:
            process.kill()
            raise ServerError(f"{name} is not ready after {PATIENCE:.0f} s: see {log}")
        time.sleep(0.05)
    return server


def _listens(where: str) -> bool:
    try:
        connect(where).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"
