"""A provider for browsers: a milter, its web page, accounts with passwords, and mail that is sent there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Page, expect
from tests.servers.clamd import Clamd
from tests.servers.imap import ImapServer
from tests.servers.milter import PATIENCE, Milter
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.visitor import PASSWORD
from tests.web import make_operator, set_password

from tamis import config as configuration
from tamis.message import Envelope, Recipient
from tamis.store import changes, tickets
from tamis.store.database import Database
from tamis.store.tickets import Query

KEY = "k" * 32  # of links
MAILBOX, MAILBOX_PASSWORD = "mailbox@example.org", "of the mailbox"
WAITS = pytest.StashKey[list[float]]()
Outcome: TypeAlias = dict[str, Any]
"""What a ticket says of a recipient."""


@dataclass
class Provider:
    """A milter and its web page."""

    milter: Milter
    options: Options
    thread: ThreadPoolExecutor  # for event loops beside playwright's
    waits: list[float]  # seconds from changes to the beginning of the first message that they counted for
    accounts: int = 0
    counted: dict[str, float] = field(default_factory=dict)  # by account, the change that counted last

    def account(self) -> str:
        """Return the address of a new account, with a password."""
        self.accounts += 1
        address = f"user{self.accounts}@example.org"
        set_password(configuration.load(str(self.milter.config)), address)
        self.counted[address] = time.time()
        return address

    def operator(self) -> str:
        """Return the name of an operator, whose password is the same."""
        make_operator(configuration.load(str(self.milter.config)), "olga")
        return "olga"

    def send(self, recipient: str, raw: bytes) -> Outcome:
        """Send a message and return what the ticket says of its one recipient."""
        message = Envelope(mail_from="anna@example.net", recipients=(Recipient(recipient),))
        self.thread.submit(self.milter.send, message, raw).result()
        config = configuration.load(str(self.milter.config))
        with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
            last = list(tickets.find(connection, Query()))[-1]
        found: Outcome = json.loads(last.body)["recipients"][0]
        return found

    def send_until(self, recipient: str, raw: bytes, **wanted: object) -> None:
        """Send a message until the ticket says what is wanted, as it does a second later at most."""
        end = time.monotonic() + PATIENCE
        found: Outcome = {}
        while time.monotonic() < end:
            begun = time.time()
            found = self.send(recipient, raw)
            if wanted.items() <= found.items():
                self._count(recipient, begun)
                return
        raise AssertionError(f"expected {wanted}, got {found}")

    def _count(self, account: str, begun: float) -> None:
        """Note how long after the last change a message began that was treated accordingly."""
        config = configuration.load(str(self.milter.config))
        with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
            changed = max(changes.latest(connection, account).values(), default=0) / 1000
        if changed > self.counted.get(account, 0.0):
            self.counted[account] = changed
            self.waits.append(begun - changed)


@pytest.fixture(scope="module")
def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clamd: Clamd
) -> Iterator[Provider]:
    """Run a provider where one signs in by each way."""
    port = free_port()
    folder = tmp_path_factory.mktemp("provider")
    key_file = folder / "link.key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    with (
        ImapServer(folder, {MAILBOX: MAILBOX_PASSWORD}) as mailboxes,
        Milter(
            folder,
            {
                "options": {
                    "listen": f"inet:127.0.0.1:{port}",
                    "sign_in": ["password", "imap", "link", "header"],
                    "proxies": ["127.0.0.1"],
                    "imap": {
                        "server": f"inet:127.0.0.1:{mailboxes.port}",
                        "ca_file": str(mailboxes.certificate),
                    },
                    "link": {"key_file": str(key_file)},
                },
                "metrics": {"file": f"{folder}/tamis.prom", "interval": "1s"},
            },
            clamd=clamd.address,
        ) as milter,
        Options(milter.config, port) as options,
        ThreadPoolExecutor(1) as thread,
    ):
        yield Provider(milter, options, thread, request.config.stash.setdefault(WAITS, []))


def sign_in(page: Page, provider: Provider, address: str, password: str = PASSWORD) -> None:
    """Sign in by the form; the browser speaks English."""
    page.goto(provider.options.url)
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def save(page: Page) -> None:
    """Send the form of *E-mail reception*."""
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("In force since")
