"""A Sendmail of the tests' own: unpacked, not installed, with own queue and mailboxes, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

from tests.servers.lmtp import Mailboxes
from tests.servers.mtas import ALIASES, DOMAINS, FOLDERS, TOP, USERS, Delivered, Listeners, read_back, snippet
from tests.servers.ports import free_port
from tests.servers.saslauthd import Passwords
from tests.servers.smtp import PATIENCE, Connection, Sink, is_open, wait_until

UNPACKED = TOP / "var/debian"
PROGRAMS = UNPACKED / "sendmail-bin"
COMMANDS = PROGRAMS / "usr/libexec/sendmail"
MACROS = PROGRAMS / "usr/share/sendmail/cf"
LIBRARIES = f"usr/lib/{os.uname().machine}-linux-gnu"
SASL = UNPACKED / "libsasl2-modules" / LIBRARIES / "sasl2"
PAGE = TOP / "docs/install-sendmail.md"


class Sendmail:
    """A running Sendmail."""

    # Without XCLIENT, addresses of loopback stand for those of the world.
    settings: Mapping[str, Mapping[str, object]] = {"mail": {"internal_networks": ["127.0.0.1/32"]}}

    def __init__(self, folder: Path, milters: Sequence[str]) -> None:
        """Start below a folder; for each name there are Listeners."""
        self._folder = folder
        self.cf = folder / "sendmail.cf"
        self.listeners: Mapping[str, Listeners] = {name: self._behind_socket(name) for name in milters}
        self.sink = Sink(free_port())
        self.copies = free_port()  # where copies are handed in
        self._mailboxes = Mailboxes(folder / "lmtp")
        self._passwords = Passwords(folder / "mux")
        self._environment = {
            "LD_LIBRARY_PATH": f"{PROGRAMS}/{LIBRARIES}",
            "LD_PRELOAD": str(_nameless(folder)),
        }
        self._write()
        self._daemon = self._start()

    def _behind_socket(self, name: str) -> Listeners:
        path = f"{self._folder}/{name}.sock"
        return Listeners(f"unix:{path}", f"local:{path}", free_port(), free_port())

    def _write(self) -> None:
        """Write the configuration, and let Sendmail's own programs translate it."""
        files = {
            "sendmail.mc": _lines(*_settings(self._folder), *self._wiring()),
            "service.switch": "hosts files\naliases files\npasswd files\n",  # no DNS
            "Sendmail.conf": f"pwcheck_method: saslauthd\nsaslauthd_path: {self._folder}/mux\n",
            "aliases": _lines(*_groups()),
        }
        for name, text in files.items():
            (self._folder / name).write_text(text)
        (self._folder / "queue").mkdir(mode=0o700)
        self.cf.write_text(self._run(PROGRAMS / "usr/bin/m4", f"-D_CF_DIR_={MACROS}/", "sendmail.mc"))
        self._run(
            COMMANDS / "makemap", "-C", self.cf, "hash", "virtusertable", given=_lines(*_virtual_users())
        )
        self._run(COMMANDS / "sendmail", "-C", self.cf, "-bi")  # newaliases

    def _run(self, *command: str | Path, given: str = "") -> str:
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, input=given, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _wiring(self) -> Iterator[str]:
        """Return the page's lines, with filter and listeners once for each name."""
        yield snippet(PAGE, "delivery").replace("/run/dovecot/lmtp", f"{self._folder}/lmtp")
        for name, one in self.listeners.items():
            wiring = snippet(PAGE, "filter").replace("`tamis'", f"`{name}'")
            yield wiring.replace("local:/run/tamis/milter.sock", one.milter_in_mta)
            here = f"Addr=127.0.0.1, I={name}"
            yield snippet(PAGE, "submission").replace("Port=submission", f"Port={one.submission}, {here}")
            yield f"DAEMON_OPTIONS(`Name=MTA, Port={one.mx}, {here}')dnl"
        yield snippet(PAGE, "copies").replace("Port=10026", f"Port={self.copies}")
        yield f"define(`confINPUT_MAIL_FILTERS', `{next(iter(self.listeners))}')dnl"  # without a daemon
        yield f"define(`RELAY_MAILER_ARGS', `TCP $h {self.sink.port}')dnl"
        yield from ("MAILER(`local')dnl", "MAILER(`smtp')dnl")
        yield from ("LOCAL_CONFIG", f"ESASL_CONF_PATH={self._folder}", f"ESASL_PATH={SASL}")

    def _start(self) -> subprocess.Popen[bytes]:
        daemon = subprocess.Popen(
            [COMMANDS / "sendmail", "-C", self.cf, "-bD"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the tests
        )
        try:
            for one in self.listeners.values():
                wait_until(partial(is_open, one.mx))
                wait_until(partial(is_open, one.submission))
            wait_until(partial(is_open, self.copies))
        except AssertionError:
            daemon.kill()
            raise
        return daemon

    def connect(
        self, port: int, *, client: str | None = "192.0.2.25", user: str | None = None
    ) -> AbstractContextManager[Connection]:
        """Connect as a host of 127.0.2.0/24 for 192.0.2.0/24, or from Sendmail's own, and authenticate."""
        if client is None:
            one = Connection(port)
        else:
            one = Connection(port, source=client.replace("192.0.2.", "127.0.2."), name="mail.example.net")
        if user is not None:
            one.login(user)
        return closing(one)

    def submit(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand in a message as a program of the host does that speaks SMTP with `sendmail -bs`."""
        envelope = (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
        lines = [f"{command}\r\n".encode() for command in ("EHLO localhost", *envelope)]
        with subprocess.Popen(
            [COMMANDS / "sendmail", "-C", self.cf, "-bs"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as program:
            assert program.stdin is not None and program.stdout is not None
            for line in (b"", *lines, message + b".\r\n", b"QUIT\r\n"):
                program.stdin.write(line)
                program.stdin.flush()
                while (reply := program.stdout.readline())[3:4] == b"-":
                    pass
                assert reply[:1] in b"23", reply

    def delivered(self, queue_id: str) -> Sequence[Delivered]:
        """Return what came into mailboxes of a queued message, once it has left the queue."""
        wait_until(lambda: not any((self._folder / "queue").glob(f"?f{queue_id}")))
        return self._in_mailboxes(queue_id)

    def arrived(self) -> Sequence[Delivered]:
        """Return all that ever came into mailboxes, once nothing is in the queue."""
        wait_until(lambda: not any((self._folder / "queue").glob("?f*")))
        return self._in_mailboxes("")

    def _in_mailboxes(self, queue_id: str) -> Sequence[Delivered]:
        copies = sorted(self._mailboxes.copies, key=lambda one: one.recipient)
        found = (read_back(one.content, *_place(one.recipient), queue_id=queue_id) for one in copies)
        return [one for one in found if one is not None]

    def stop(self) -> None:
        """Stop all of it."""
        self._daemon.terminate()
        self._daemon.wait(PATIENCE)
        self._mailboxes.stop()
        self._passwords.stop()
        self.sink.stop()


def _place(recipient: str) -> tuple[str, str]:
    """Return account and folder; mail with another detail is in the inbox."""
    user, _, detail = recipient.partition("+")
    return f"{user}@example.org", detail if detail in FOLDERS else ""


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _nameless(folder: Path) -> Path:
    """Return a library that keeps Sendmail from asking name servers, as it does about each client."""
    library = folder / "nameless.so"
    source = Path(__file__).with_name("nameless.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def _settings(folder: Path) -> Iterator[str]:
    """Return what is not the page's: places, and where mail goes."""
    yield from (f"include(`{MACROS}/m4/cf.m4')dnl", f"include(`{MACROS}/debian/autoconf.m4')dnl")
    yield "OSTYPE(`debian')dnl"
    options = {
        "MAIL_SETTINGS_DIR": f"{folder}/",
        "ALIAS_FILE": f"{folder}/aliases",
        "HELP_FILE": "",
        "QUEUE_DIR": f"{folder}/queue",
        "STATUS_FILE": "",
        "confHOST_STATUS_DIRECTORY": "",
        "confPID_FILE": f"{folder}/sendmail.pid",
        "confSERVICE_SWITCH_FILE": f"{folder}/service.switch",
        "confDOMAIN_NAME": "mx.example.org",
        "confDONT_PROBE_INTERFACES": "True",
        "confDONT_BLAME_SENDMAIL": "TrustStickyBit",  # the folder lies in /tmp
        "confTRUSTED_USER": pwd.getpwuid(os.geteuid()).pw_name,
        "confLOG_LEVEL": "0",  # it would go to the machine's own log
        "confPRIVACY_FLAGS": "needmailhelo",  # without authwarnings, which tells of -C if not by root
        "confTO_IDENT": "0",
        "confQUEUE_LA": "1000",  # load averages
        "confREFUSE_LA": "1000",
        "confDELAY_LA": "0",
        "confAUTH_MECHANISMS": "PLAIN",
        "SMART_HOST": "relay:[127.0.0.1]",
    }
    yield from (f"define(`{name}', `{value}')dnl" for name, value in options.items())
    yield from ("TRUST_AUTH_MECH(`PLAIN')dnl", "RELAY_DOMAIN(`127.0.0.1')dnl", "FEATURE(`no_default_msa')dnl")
    yield from ("FEATURE(`nocanonify')dnl", "FEATURE(`accept_unresolvable_domains')dnl")
    yield f"FEATURE(`virtusertable', `hash:{folder}/virtusertable')dnl"
    yield f"LOCAL_DOMAIN(`{' '.join(DOMAINS)}')dnl"


def _virtual_users() -> Iterator[str]:
    """Return virtusertable's lines; a list of addresses is for aliases(5)."""
    for user in USERS:
        if user.isascii():  # Debian's Sendmail knows nothing of SMTPUTF8
            yield from (f"{user}@example.org {user}", f"{user}+*@example.org {user}+%2")
    yield "@example.org error:5.1.1:550 User unknown"
    for name, (target, *more) in ALIASES.items():
        if target.startswith("@"):
            yield f"{name} %1%3{target}"
        else:
            yield f"{name} {name.partition('@')[0] if more else target}"


def _groups() -> Iterator[str]:
    for name, targets in ALIASES.items():
        if len(targets) > 1:
            yield f"{name.partition('@')[0]}: {', '.join(targets)}"


@contextmanager
def running(milters: Sequence[str]) -> Iterator[Sendmail]:
    """Yield a Sendmail in a folder of its own, and leave nothing behind."""
    if not (COMMANDS / "sendmail").exists():
        raise AssertionError("Sendmail is missing: run `make test`, or tests/unpack sendmail-bin")
    folder = Path(tempfile.mkdtemp(prefix="tamis-sendmail-"))
    try:
        one = Sendmail(folder, milters)
        try:
            yield one
        finally:
            one.stop()
    finally:
        shutil.rmtree(folder)
