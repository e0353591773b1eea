"""Whole installations: an MTA, `tamis serve` and clamd together, and what became of a message there."""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.servers import postfix as postfixes
from tests.servers import sendmail as sendmails
from tests.servers.mail import message_id
from tests.servers.milter import Milter
from tests.servers.mtas import ACCOUNTS, ALIASES, DOMAINS, Delivered, Mta
from tests.servers.postfix import Postfix
from tests.servers.sendmail import Sendmail
from tests.servers.smtp import Connection, Reply, To

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
OURS = ("192.0.2.192/26", "127.0.2.192/26")  # Sendmail sees the second one for the first
# What the operator of each site wrote, apart from what he must.
OPERATORS: Mapping[str, Tables] = {
    # As shipped, with either front, and over TCP.
    "stream": {"milter": {"workers": 2, "front": "stream"}},
    "libmilter": {"milter": {"workers": 2, "front": "libmilter"}},
    "network": {},
    # Show all verdicts, refuse what is surely spam, believe a verifier, let all go out.
    "strict": {
        "mail": {"trusted_authserv_ids": ["verifier.example.org"]},
        "headers": {"on_clean": True},
        "antispam": {"refuse": 500.0},
        "outgoing": {"antivirus": False, "antispam": False, "graymail": False},
    },
    # Pass mail though there is no scanner; refuse no outgoing spam.
    "lenient": {
        "antivirus": {"on_error": "pass", "clamd": "unix:/nonexistent/clamd.sock"},
        "outgoing": {"spam_refuse": 2000.0},
    },
    # Have no scanner until a test puts one at clamd.sock; wait briefly for the store.
    "unscanned": {"store": {"timeout": "2s"}},
    # As shipped, with a relay for copies.
    "split": {},
    "split-libmilter": {"milter": {"front": "libmilter"}},
    # Ask who differs to come another time; what the world is and what not must not hang on loopback.
    "defer": {"milter": {"defer_mixed": True, "front": "stream"}, "mail": {"internal_networks": OURS}},
    "defer-libmilter": {
        "milter": {"defer_mixed": True, "front": "libmilter"},
        "mail": {"internal_networks": OURS},
    },
    # Take the listener for the world, which asks Tamis again, for that of copies.
    "looped": {},
    # Decide and touch nothing.
    "shadow": {"milter": {"mode": "shadow"}},
}
RELAYED = ("split", "split-libmilter")
AWAY = "away"  # listeners without a site
TROUBLED = ("lenient", "unscanned", "looped")  # the others' logs must be free of trouble
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
    """A `tamis serve` with its own configuration and store, behind listeners of an MTA."""

    def __init__(self, mta: Mta, name: str, folder: Path, *, clamd: str) -> None:
        """Start as the operator of that name wants it."""
        self.mta = mta
        self.folder = folder
        self._listeners = mta.listeners[name]
        if name == "unscanned":
            clamd = f"unix:{folder}/clamd.sock"
        tables: dict[str, dict[str, object]] = {"mail": {"domains": DOMAINS}, "antivirus": {"clamd": clamd}}
        relays = dict.fromkeys(RELAYED, mta.copies) | {"looped": self._listeners.mx}
        relay: Tables = {"resend": {"relay": f"inet:127.0.0.1:{relays[name]}"}} if name in relays else {}
        for more in (mta.settings, OPERATORS[name], relay):
            for table, settings in more.items():
                tables.setdefault(table, {}).update(settings)
        self.milter = Milter(folder, tables, listen=self._listeners.milter, clamd=clamd)
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

    def upstream(self) -> AbstractContextManager[Connection]:
        """Open a connection to an MTA without a milter that brings its mail to this site (Postfix)."""
        return self.mta.connect(self._listeners.upstream)

    def connect(self, *, client: str | None = "192.0.2.25") -> AbstractContextManager[Connection]:
        """Open a connection from outside, or from the host itself."""
        return self.mta.connect(self._listeners.mx, client=client)

    def sign_in(self, user: str) -> AbstractContextManager[Connection]:
        """Open a connection for submission."""
        return self.mta.connect(self._listeners.submission, client="192.0.2.99", user=user)

    def receive(
        self, raw: bytes, *recipients: To, sender: str = "pat@example.net", options: Sequence[str] = ()
    ) -> Story:
        """Send a message from outside, and see what became of it."""
        with self.connect() as client:
            return self.story(raw, client.send(raw, *recipients, sender=sender, options=options))

    def submit(self, raw: bytes, *recipients: To, user: str = "anna@example.org") -> Story:
        """Send a message as one of the site's own users, and see what became of it."""
        with self.sign_in(user) as client:
            return self.story(raw, client.send(raw, *recipients, sender=user))

    def story(self, raw: bytes, reply: Reply) -> Story:
        """Return what became of a message that was answered so."""
        copies = self.mta.delivered(reply.queue_id) if reply.code == 250 else []
        return Story(reply, self.tickets(raw), copies)

    def stop(self) -> None:
        """Stop, in good order."""
        self.milter.stop()


class Sites:
    """The MTAs, and the sites behind them; each starts when it is first asked for."""

    def __init__(self, stack: ExitStack, folders: pytest.TempPathFactory, clamd: str) -> None:
        """Take what stops all of it in the end."""
        self._stack = stack
        self._folders = folders
        self._clamd = clamd
        self._started: dict[tuple[str, str], Site] = {}

    @cached_property
    def postfix(self) -> Postfix:
        """The Postfix."""
        behind_sockets = [*(name for name in OPERATORS if name != "network"), AWAY]
        return self._stack.enter_context(postfixes.running(behind_sockets, ["network"]))

    @cached_property
    def sendmail(self) -> Sendmail:
        """The Sendmail."""
        return self._stack.enter_context(sendmails.running([*OPERATORS, AWAY]))

    def get(self, mta: str, name: str) -> Site:
        """Return a site behind "postfix" or "sendmail"."""
        if (mta, name) not in self._started:
            server: Mta = self.postfix if mta == "postfix" else self.sendmail
            one = Site(server, name, self._folders.mktemp(f"{mta}-{name}"), clamd=self._clamd)
            self._stack.callback(one.stop)
            self._started[mta, name] = one
        return self._started[mta, name]

    def trouble(self) -> Sequence[str]:
        """Return lines of logs that tell of trouble where there must be none."""
        logs = [one.milter.log() for (_, name), one in self._started.items() if name not in TROUBLED]
        return [line for log in logs for line in log.splitlines() if TROUBLE.search(line)]


@pytest.fixture(scope="session")
def sites(clamd: Clamd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Run whatever the fixtures below need."""
    with ExitStack() as stack:
        found = Sites(stack, tmp_path_factory, clamd.address)
        yield found
    assert found.trouble() == []


@pytest.fixture(scope="session")
def postfix(sites: Sites) -> Postfix:
    """Run a Postfix with listeners for each of the sites."""
    return sites.postfix


@pytest.fixture(
    scope="session", params=["postfix stream", "postfix libmilter", "sendmail stream"], ids=lambda one: one
)
def site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run Tamis as shipped, apart from what an operator must say, with either front and behind either MTA."""
    return sites.get(*request.param.split())


@pytest.fixture(scope="session", params=["stream", "libmilter"])
def postfix_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run it behind Postfix."""
    return sites.get("postfix", request.param)


@pytest.fixture(scope="session", params=["stream", "libmilter"])
def sendmail_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run it behind Sendmail."""
    return sites.get("sendmail", request.param)


@pytest.fixture(scope="session", params=["postfix", "sendmail"])
def strict_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run the strict operator's."""
    return sites.get(request.param, "strict")


@pytest.fixture(scope="session", params=["postfix", "sendmail"])
def lenient_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run the lenient operator's."""
    return sites.get(request.param, "lenient")


@pytest.fixture(
    scope="session",
    params=["postfix split", "postfix split-libmilter", "sendmail split"],
    ids=lambda one: one,
)
def split_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run it with a relay, with either front and behind either MTA."""
    return sites.get(*request.param.split())


@pytest.fixture(scope="session", params=["postfix", "sendmail"])
def looped_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run it where copies come back."""
    return sites.get(request.param, "looped")


@pytest.fixture(scope="session", params=RELAYED)
def postfix_split_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run it behind Postfix."""
    return sites.get("postfix", request.param)


@pytest.fixture(
    scope="session",
    params=["postfix defer", "postfix defer-libmilter", "sendmail defer"],
    ids=lambda one: one,
)
def deferring_site(request: pytest.FixtureRequest, sites: Sites) -> Site:
    """Run the one that settles mixed recipients at RCPT, with either front and behind either MTA."""
    return sites.get(*request.param.split())


@pytest.fixture(scope="session")
def unscanned_site(sites: Sites) -> Site:
    """Run the one without a scanner, behind Postfix."""
    return sites.get("postfix", "unscanned")


@pytest.fixture(scope="session")
def shadow_site(sites: Sites) -> Site:
    """Run the one that touches nothing, behind Postfix."""
    return sites.get("postfix", "shadow")


@pytest.fixture(scope="session")
def network_site(sites: Sites) -> Site:
    """Run it behind a TCP port of Postfix's own host."""
    return sites.get("postfix", "network")


assert {f"{user}@example.org" for user in EVERYBODY} <= set(ACCOUNTS)
