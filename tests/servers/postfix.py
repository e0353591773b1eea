"""A Postfix of the tests' own: unpacked, not installed, with own queue and mailboxes, on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.servers.dovecot import Passwords
from tests.servers.mtas import (
    ACCOUNTS,
    ALIASES,
    DOMAINS,
    FOLDERS,
    TOP,
    Delivered,
    Listeners,
    read_back,
    snippet,
)
from tests.servers.ports import free_port
from tests.servers.smtp import PATIENCE, Connection, Sink, connection, wait_until

PROGRAMS = TOP / "var/debian/postfix"
PAGE = TOP / "docs/install-postfix.md"

SUDO: Sequence[str] = () if os.geteuid() == 0 else ("sudo", "-n")  # Postfix's master runs as root
MAIL_OWNER, SETGID_GROUP = "uucp", "news"  # unprivileged, and there on each Debian (base-passwd)
READER = os.geteuid() or 65534  # owner of the mailboxes; virtual(8) takes no root

# queue_directory's folders, their modes, and who owns them, as postfix-script(1) makes them.
PRIVATE = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace")


class Postfix:
    """A running Postfix; its log is read as it comes."""

    settings: Mapping[str, Mapping[str, object]] = {"milter": {"socket_mode": "0666"}}  # it is another user

    def __init__(
        self, folder: Path, milters: Sequence[str], over_tcp: Sequence[str], main: Sequence[str] = ()
    ) -> None:
        """Start below a folder; for each name there are Listeners; local programs use the first.

        main are more lines of main.cf.
        """
        self._queue = folder / "queue"
        self._config = folder / "etc"
        self._mailboxes = folder / "mail"
        self._log: list[str] = []
        self._logged = threading.Condition()
        self.listeners: Mapping[str, Listeners] = {
            **{name: self._behind_socket(f"tamis/{name}.sock") for name in milters},
            **{name: _behind_port(free_port()) for name in over_tcp},
        }
        self.sink = Sink(free_port())
        self.copies = free_port()  # where copies are handed in
        self._make_folders(folder)
        self._passwords = Passwords(self._queue / "tamis/auth")
        self._write(folder, main)
        self.environment: Mapping[str, str] = {  # what its commands need
            "PATH": f"{PROGRAMS}/usr/sbin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{PROGRAMS}/usr/lib/postfix",
            "MAIL_CONFIG": str(self._config),
        }
        self._master = self._start()

    def _behind_socket(self, path: str) -> Listeners:
        ports = free_port(), free_port(), free_port()
        return Listeners(f"unix:{self._queue}/{path}", f"unix:{path}", *ports)

    def _make_folders(self, folder: Path) -> None:
        folder.chmod(0o755)
        self._queue.mkdir()
        for name in (*PRIVATE, "maildrop", "pid", "private", "public", "tamis"):
            (self._queue / name).mkdir()
        for path in (self._config, self._mailboxes, folder / "data"):
            path.mkdir()
        for domain in DOMAINS:
            (self._mailboxes / domain).mkdir()
        own = [*(self._queue / name for name in (*PRIVATE, "private")), folder / "data"]
        self._own(f"{MAIL_OWNER}:root", "700", own)
        self._own(f"{MAIL_OWNER}:{SETGID_GROUP}", "730", [self._queue / "maildrop"])
        self._own(f"{MAIL_OWNER}:{SETGID_GROUP}", "710", [self._queue / "public"])
        self._own("root:root", "755", [self._queue, self._queue / "pid"])
        self._own(f"{READER}:root", "755", [*self._mailboxes.iterdir()])

    def _own(self, owner: str, mode: str, paths: Sequence[Path]) -> None:
        subprocess.run([*SUDO, "chown", owner, *paths], check=True)
        subprocess.run([*SUDO, "chmod", mode, *paths], check=True)

    def _write(self, folder: Path, more: Sequence[str]) -> None:
        first = next(iter(self.listeners.values()))
        page = snippet(PAGE, "main.cf").replace("unix:tamis/milter.sock", first.milter_in_mta)
        main = [*_main_cf(folder, self.sink.port), page, *more]
        (self._config / "main.cf").write_text("\n".join(main) + "\n")
        (self._config / "master.cf").write_text("\n".join([*self._master_cf(), MASTER_CF]))
        (self._config / "mailboxes").write_text("\n".join(_mailboxes()) + "\n")
        aliases = [f"{name} {', '.join(targets)}" for name, targets in ALIASES.items()]
        (self._config / "aliases").write_text("\n".join(aliases) + "\n")

    def _master_cf(self) -> Iterator[str]:
        copies = snippet(PAGE, "master.cf, copies").replace("127.0.0.1:10026", f"127.0.0.1:{self.copies}")
        # Postfix's default from 3.9 on: what may not be said at once is refused.
        yield from (copies.rstrip(), "  -o smtpd_forbid_unauth_pipelining=yes")
        yield "  -o inet_protocols=all"  # else it knows no IPv6 addresses, those of clients included
        for one in self.listeners.values():
            milters = f"  -o smtpd_milters={one.milter_in_mta}"
            yield from (f"127.0.0.1:{one.mx} inet n - n - - smtpd", milters)
            yield from (f"127.0.0.1:{one.submission} inet n - n - - smtpd", milters)
            yield from ("  -o smtpd_sasl_auth_enable=yes", snippet(PAGE, "master.cf, submission").rstrip())
            # As it were another MTA, without a milter, that relays to the one for the world and tries again.
            yield from (f"127.0.0.1:{one.upstream} inet n - n - - smtpd", "  -o smtpd_milters=")
            yield from ("  -o syslog_name=upstream", f"  -o content_filter=smtp:[127.0.0.1]:{one.mx}")

    def _start(self) -> subprocess.Popen[str]:
        command = [*SUDO, "env", *(f"{key}={value}" for key, value in self.environment.items())]
        program = PROGRAMS / "usr/lib/postfix/sbin/master"
        master = subprocess.Popen(
            [*command, program, "-s", "-c", self._config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C is for the tests
        )
        threading.Thread(target=self._read, args=(master,), daemon=True).start()
        try:
            self.wait_for_log("daemon started")
        except AssertionError:
            self._end(master)
            raise
        return master

    def _read(self, master: subprocess.Popen[str]) -> None:
        assert master.stdout is not None
        for line in master.stdout:
            with self._logged:
                self._log.append(line.rstrip("\n"))
                self._logged.notify_all()

    @property
    def log(self) -> Sequence[str]:
        """The lines of mail log so far."""
        return tuple(self._log)

    def wait_for_log(self, text: str) -> str:
        """Return the first log line that has a text in it, waiting until it comes."""

        def found() -> str | None:
            return next((line for line in self._log if text in line), None)

        with self._logged:
            line = self._logged.wait_for(found, PATIENCE)
        assert line is not None, f"Postfix never logged {text!r}:\n" + "\n".join(self._log[-20:])
        return line

    def delivered(self, queue_id: str) -> list[Delivered]:
        """Return what came into mailboxes of a queued message, once it has left the queue."""
        self.wait_for_log(f"{queue_id}: removed")
        return self._in_mailboxes(queue_id)

    def arrived(self) -> list[Delivered]:
        """Return all that ever came into mailboxes, once nothing is in a queue."""
        wait_until(lambda: not self.queued())
        return self._in_mailboxes("")

    def _in_mailboxes(self, queue_id: str) -> list[Delivered]:
        paths = sorted(self._mailboxes.glob("**/new/*"))
        found = (read_back(path.read_bytes(), *self._place(path), queue_id=queue_id) for path in paths)
        return [one for one in found if one is not None]

    def connect(
        self, port: int, *, client: str | None = "192.0.2.25", user: str | None = None
    ) -> AbstractContextManager[Connection]:
        """Connect as a host of 192.0.2.0/24, or from Postfix's own, and authenticate."""
        return connection(port, client=client, user=user)

    def _place(self, path: Path) -> tuple[str, str]:
        domain, user, *folder = path.relative_to(self._mailboxes).parts[:-2]
        return f"{user}@{domain}", "".join(folder).removeprefix(".")

    @property
    def mailboxes(self) -> Path:
        """The folder above all Maildirs."""
        return self._mailboxes

    def queued(self) -> Sequence[Path]:
        """Return the messages that it has in hand, in any of its queues; files named by queue ID."""
        # As messages go round, so that none that goes on while we look is overlooked.
        round_trip = ("deferred", "maildrop", "incoming", "active", "deferred")
        queues = [self._queue / name for name in round_trip]
        found = subprocess.run(
            [*SUDO, "find", *queues, "-type", "f"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )  # of files that go meanwhile it complains
        lines = dict.fromkeys(found.stdout.decode().splitlines())
        return [Path(line).relative_to(self._queue) for line in lines]

    def kill_copies(self) -> None:
        """Kill the processes that take copies (SIGKILL); the master starts others."""
        name = f"smtpd\0-n\x00127.0.0.1:{self.copies}\0".encode()
        found = [
            one.parent.name for one in Path("/proc").glob("[0-9]*/cmdline") if _read(one).startswith(name)
        ]
        if found:
            # One of them may have ended meanwhile.
            subprocess.run([*SUDO, "kill", "-KILL", *found], check=False, stderr=subprocess.DEVNULL)

    def sendmail(self, *arguments: str, message: bytes) -> None:
        """Hand in a message as a local program does."""
        program = PROGRAMS / "usr/sbin/sendmail"
        command = [*SUDO, "env", *(f"{key}={value}" for key, value in self.environment.items())]
        subprocess.run([*command, program, *arguments], input=message, check=True)

    def flush(self) -> None:
        """Try deferred mail now."""
        command = [*SUDO, "env", *(f"{key}={value}" for key, value in self.environment.items())]
        subprocess.run([*command, PROGRAMS / "usr/sbin/postqueue", "-f"], check=True)

    def stop(self) -> None:
        """Stop all of it."""
        self._end(self._master)
        self._passwords.stop()
        self.sink.stop()

    def _end(self, master: subprocess.Popen[str]) -> None:
        if master.poll() is None:
            # By the master's own number: with sudo the child is another process.
            pid = (self._queue / "pid/master.pid").read_text().strip()
            subprocess.run([*SUDO, "kill", f"-{signal.SIGTERM.value}", pid], check=True)
        master.wait(PATIENCE)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""


def _behind_port(port: int) -> Listeners:
    address = f"inet:127.0.0.1:{port}"
    return Listeners(address, address, free_port(), free_port(), free_port())


def _mailboxes() -> Iterator[str]:
    """Return virtual(8)'s table; an address with another detail goes to the inbox."""
    for account in ACCOUNTS:
        user, _, domain = account.partition("@")
        yield f"{account} {domain}/{user}/"
        for folder in FOLDERS:
            yield f"{user}+{folder}@{domain} {domain}/{user}/.{folder}/"


def _main_cf(folder: Path, sink: int) -> list[str]:
    """Return the lines that are not the page's: places, and where mail goes."""
    return [
        "compatibility_level = 3.6",
        f"queue_directory = {folder}/queue",
        f"data_directory = {folder}/data",
        f"command_directory = {PROGRAMS}/usr/sbin",
        f"daemon_directory = {PROGRAMS}/usr/lib/postfix/sbin",
        f"shlib_directory = {PROGRAMS}/usr/lib/postfix",
        "import_environment = MAIL_CONFIG LD_LIBRARY_PATH",
        "export_environment = MAIL_CONFIG LD_LIBRARY_PATH",  # for what sendmail(1) starts
        f"mail_owner = {MAIL_OWNER}",
        f"setgid_group = {SETGID_GROUP}",
        "maillog_file = /dev/stdout",
        "inet_interfaces = 127.0.0.1",
        "inet_protocols = ipv4",
        "myhostname = mx.example.org",
        "mydestination =",
        "mynetworks = 127.0.0.0/8",
        "alias_maps =",
        "smtpd_authorized_xclient_hosts = 127.0.0.1",
        "smtpd_peername_lookup = no",
        "smtpd_sasl_type = dovecot",
        "smtpd_sasl_path = tamis/auth",
        "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
        "smtpd_recipient_restrictions =",
        "smtpd_client_connection_count_limit = 0",
        "smtpd_error_sleep_time = 0",
        f"virtual_mailbox_domains = {', '.join(DOMAINS)}",
        f"virtual_mailbox_base = {folder}/mail",
        f"virtual_mailbox_maps = texthash:{folder}/etc/mailboxes",
        f"virtual_alias_maps = texthash:{folder}/etc/aliases",
        f"virtual_uid_maps = static:{READER}",
        f"virtual_gid_maps = static:{READER}",
        f"default_transport = smtp:[127.0.0.1]:{sink}",
        "smtp_dns_support_level = disabled",
        "smtp_host_lookup = native",
    ]


MASTER_CF = """
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 10 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


@contextmanager
def running(
    milters: Sequence[str], over_tcp: Sequence[str] = (), main: Sequence[str] = ()
) -> Iterator[Postfix]:
    """Yield a Postfix in a folder of its own, and leave nothing behind."""
    if not (PROGRAMS / "usr/lib/postfix/sbin/master").exists():
        raise AssertionError("Postfix is missing: run `make test`, or tests/unpack postfix")
    # Not pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="tamis-postfix-"))
    try:
        one = Postfix(folder, milters, over_tcp, main)
        try:
            yield one
        finally:
            one.stop()
    finally:
        subprocess.run([*SUDO, "rm", "-rf", folder], check=True)
