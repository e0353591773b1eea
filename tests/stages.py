"""Where states of the web page are shown: a browser, an account and a web page of a configuration."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, Page
from tests import own_tickets
from tests.own_tickets import outcome
from tests.servers.milter import configuration
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.stores import keep
from tests.web import make_operator

from tamis import config as configurations
from tamis.config import Config
from tamis.options.attempts import MINUTE
from tamis.options.links import Links
from tamis.ticket import Action, Outcome, Ticket

KEY = "k" * 32  # of links
OPERATOR = "olga"
CLAMD = "unix:/run/clamav/clamd.ctl"  # which nobody asks here
Tables: TypeAlias = Mapping[str, Mapping[str, object]]
"""Tables of a configuration."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A browser without cookies, an account of its own, and the web page that they meet on."""

    context: BrowserContext
    config: Config
    url: str
    account: str

    def go(self, path: str) -> Page:
        """Open a page of who is signed in, or of anybody."""
        page = self.context.new_page()
        page.goto(self.url + path)
        return page

    def enter(self, path: str = "/reception") -> Page:
        """Sign in by a link from the webmail and open a page."""
        self.go(self.link()).close()
        return self.go(path)

    def link(self, seconds: int = 30) -> str:
        """Return a link that is good for seconds."""
        fields = {
            "address": self.account,
            "expires": str(int(time.time()) + seconds),
            "nonce": secrets.token_hex(16),
        }
        signature = Links(KEY.encode(), 60).signature(*fields.values())
        return f"/sign-in/link?{urlencode(fields | {'signature': signature})}"

    def message(self, ticket: Ticket) -> Page:
        """Open a message that came or was sent."""
        keep(self.config, [ticket])
        return self.enter(f"/mail/{ticket.id}")

    def send(self, page: Page, form: str, **fields: str) -> Page:
        """Fill a form in and send it."""
        for name, value in fields.items():
            page.locator(f"{form} [name='{name}']").fill(value)
        return press(page, f"{form} button")

    def came(self, *copies: Outcome, minutes: int = 0) -> Ticket:
        """Return the ticket of a message that came minutes ago."""
        own = [replace(one, address=self.account, account=self.account) for one in copies or [outcome()]]
        return own_tickets.came(*own, time=now() - minutes * MINUTE)

    def spam(self) -> Ticket:
        """Return the ticket of spam."""
        reasons = ("LINK_TEXT_MISMATCH", "SUBJECT_ALL_CAPS", "CONTENT_MODEL")
        return self.came(outcome("spam", Action.MARK, score=7.3, reasons=reasons))


def press(page: Page, button: str) -> Page:
    """Send a form by the first button that there is of a kind, and wait for what it leads to."""
    with page.expect_navigation():
        page.locator(button).first.click()
    return page


def now() -> int:
    """Return the Unix time in ms."""
    return round(time.time() * 1000)


@contextlib.contextmanager
def running(folder: Path, settings: Tables) -> Iterator[Callable[[BrowserContext, str], Stage]]:
    """Run a web page in a folder; lend what makes a stage of a browser and an account."""
    port = free_port()
    key_file = folder / "link.key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    path = folder / "tamis.toml"
    own = {**settings, "options": {**settings["options"], "listen": f"inet:127.0.0.1:{port}"}}
    own |= {"options.link": {"key_file": str(key_file)}, "store": {"timeout": "500ms"}}
    path.write_text(configuration(folder, own, listen=f"unix:{folder}/milter.sock", clamd=CLAMD))
    config = configurations.load(str(path))
    with Options(path, port) as options:
        make_operator(config, OPERATOR)
        yield lambda context, account: Stage(context, config, options.url, account)
