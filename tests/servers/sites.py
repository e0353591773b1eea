"""Whole installations: Postfix, `tamis serve` and clamd together, and what became of a message there."""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.servers.mail import message_id
from tests.servers.milter import Milter
from tests.servers.postfix import ACCOUNTS, ALIASES, DOMAINS, Delivered, Postfix, running
from tests.servers.smtp import Connection, Reply, To, connection

from tamis import cli
from tamis.sandbox.scanner import PrivateClamd as Clamd

Json: TypeAlias = Mapping[str, Any]
Tables: TypeAlias = Mapping[str, Mapping[str, object]]

# What each user set; those who are not named here set nothing.
SETTINGS: Mapping[str, str] = {
    "bob": "antispam.action=file graymail.newsletter=file graymail.social=file graymail.list=file",
    "carol": "antispam.action=none graymail.newsletter=none graymail.social=none graymail.list=none",
    "dave": "antivirus=off antispam=off graymail=off",
    "erin": "antivirus=off",
    "frank": "antispam=off",
    "grace": "graymail=off",
    "ivan": "antispam.mark=-50",
    "heidi": "antispam.action=file senders.blocked=rude@example.net senders.allowed=friend@example.net "
    "senders.newsletter=@shop.example.net graymail.newsletter=file",
    "zoë": "antispam.action=file",
}
EVERYBODY = ("anna", "judy", "kim", *SETTINGS)
SCANNERLESS = ("lenient", "unscanned")  # the others' logs must be free of trouble
TROUBLE = re.compile("(warning|error): ")
OUTPUT = threading.Lock()  # of the process, while a command prints into a text
VERDICTS = ("antivirus", "antispam", "graymail", "action")


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one message."""

    reply: Reply
    tickets: Sequence[Json]
    copies: Sequence[Delivered]

    @property
    def ticket(self) -> Json:
        """The message's one ticket."""
        (one,) = self.tickets
        return one

    @property
    def copy(self) -> Delivered:
        """The message's one copy."""
        (one,) = self.copies
        return one

    @property
    def verdicts(self) -> Mapping[str, str]:
        """What the ticket says of each recipient, by address as received and account."""
        return {
            f"{one['address']}={one['account']}": " ".join(one[key] for key in VERDICTS)
            for one in self.ticket["recipients"]
        }

    @property
    def places(self) -> Sequence[str]:
        """Where the copies are: account, a slash and folder."""
        return sorted(f"{one.account}/{one.folder}" for one in self.copies)


class Site:
    """A `tamis serve` with its own configuration and store, behind listeners of the Postfix."""

    def __init__(self, postfix: Postfix, name: str, folder: Path, *, clamd: str, tables: Tables) -> None:
        """Start behind the listeners of that name; the tables are added to the configuration."""
        self.postfix = postfix
        self.folder = folder
        self._listeners = postfix.listeners[name]
        everywhere: Tables = {
            "milter": {"socket_mode": "0666"},  # Postfix's processes run as another user
            "mail": {"domains": DOMAINS},
        }
        merged = {key: {**everywhere.get(key, {}), **tables.get(key, {})} for key in {**everywhere, **tables}}
        self.milter = Milter(folder, merged, listen=self._listeners.milter, clamd=clamd)
        self._populate()

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.folder / "tamis.db"

    def _populate(self) -> None:
        for user in EVERYBODY:
            wishes = SETTINGS.get(user, "antispam=on").split()
            self.run("account", "set", f"{user}@example.org", *wishes)
        for name, targets in ALIASES.items():
            self.run("alias", "add", name, *targets)

    def run(self, *arguments: str) -> str:
        """Run a command on this site's configuration, here and not in a process of its own."""
        out, error = io.StringIO(), io.StringIO()
        with OUTPUT, contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = cli.main([*arguments, "--config", str(self.milter.config)])
        assert status == 0, f"tamis {' '.join(arguments)}: {error.getvalue()}"
        return out.getvalue()

    def tickets(self, raw: bytes) -> Sequence[Json]:
        """Return the tickets of a message, by its Message-ID."""
        printed = self.run("tickets", "--message-id", message_id(raw), "--json")
        return [json.loads(line) for line in printed.splitlines()]

    def connect(self, *, client: str | None = "192.0.2.25") -> AbstractContextManager[Connection]:
        """Open a connection from outside, or from the host itself."""
        return connection(self._listeners.mx, client=client)

    def receive(
        self, raw: bytes, *recipients: To, sender: str = "pat@example.net", options: Sequence[str] = ()
    ) -> Story:
        """Send a message from outside, and see what became of it."""
        with self.connect() as client:
            return self.story(raw, client.send(raw, *recipients, sender=sender, options=options))

    def submit(self, raw: bytes, *recipients: To, user: str = "anna@example.org") -> Story:
        """Send a message as one of the site's own users, and see what became of it."""
        with connection(self._listeners.submission, client="192.0.2.99", user=user) as client:
            return self.story(raw, client.send(raw, *recipients, sender=user))

    def story(self, raw: bytes, reply: Reply) -> Story:
        """Return what became of a message that was answered so."""
        copies = self.postfix.delivered(reply.queue_id) if reply.code == 250 else []
        return Story(reply, self.tickets(raw), copies)

    def stop(self) -> None:
        """Stop, in good order."""
        self.milter.stop()


assert {f"{user}@example.org" for user in EVERYBODY} <= set(ACCOUNTS)


@pytest.fixture(scope="session")
def postfix() -> Iterator[Postfix]:
    """Run a Postfix with listeners for each of the sites below."""
    with running(("default", "strict", "lenient", "unscanned", "shadow", "away"), ("network",)) as one:
        yield one


@pytest.fixture(scope="session", params=("stream", "libmilter"))
def site(
    request: pytest.FixtureRequest, postfix: Postfix, clamd: Clamd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Run Tamis as shipped, apart from what an operator must say, with either front."""
    tables: Tables = {"milter": {"workers": 2, "front": request.param}}
    yield from _started(postfix, "default", tmp_path_factory, clamd=clamd.address, tables=tables)


@pytest.fixture(scope="session")
def strict_site(postfix: Postfix, clamd: Clamd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Show all verdicts, refuse what is surely spam, believe a verifier, let all go out."""
    tables: Tables = {
        "mail": {"trusted_authserv_ids": ["verifier.example.org"]},
        "headers": {"on_clean": True},
        "antispam": {"refuse": 500.0},
        "outgoing": {"antivirus": False, "antispam": False, "graymail": False},
    }
    yield from _started(postfix, "strict", tmp_path_factory, clamd=clamd.address, tables=tables)


@pytest.fixture(scope="session")
def lenient_site(postfix: Postfix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Pass mail though there is no scanner; refuse no outgoing spam."""
    tables: Tables = {"antivirus": {"on_error": "pass"}, "outgoing": {"spam_refuse": 2000.0}}
    nowhere = "unix:/nonexistent/clamd.sock"
    yield from _started(postfix, "lenient", tmp_path_factory, clamd=nowhere, tables=tables)


@pytest.fixture(scope="session")
def unscanned_site(postfix: Postfix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Have no scanner until a test puts one at clamd.sock; wait briefly for it and the store."""
    folder = tmp_path_factory.mktemp("unscanned")
    yield from _started(
        postfix,
        "unscanned",
        tmp_path_factory,
        folder=folder,
        clamd=f"unix:{folder}/clamd.sock",
        tables={"store": {"timeout": "500ms"}, "antivirus": {"timeout": "1s"}},
    )


@pytest.fixture(scope="session")
def shadow_site(postfix: Postfix, clamd: Clamd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Decide and touch nothing."""
    tables: Tables = {"milter": {"mode": "shadow"}}
    yield from _started(postfix, "shadow", tmp_path_factory, clamd=clamd.address, tables=tables)


@pytest.fixture(scope="session")
def network_site(postfix: Postfix, clamd: Clamd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run Tamis as shipped, behind a TCP port."""
    yield from _started(postfix, "network", tmp_path_factory, clamd=clamd.address, tables={})


def _started(
    postfix: Postfix,
    name: str,
    folders: pytest.TempPathFactory,
    *,
    clamd: str,
    tables: Tables,
    folder: Path | None = None,
) -> Iterator[Site]:
    one = Site(postfix, name, folder or folders.mktemp(name), clamd=clamd, tables=tables)
    yield one
    one.stop()
    if name not in SCANNERLESS:
        assert [line for line in one.milter.log().splitlines() if TROUBLE.search(line)] == []
