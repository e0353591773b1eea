"""The web page in the test's own process, on a store in its folder and by a clock that it sets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from argon2 import PasswordHasher
from starlette.types import ASGIApp, Message
from tests.stores import NOON, make_config
from tests.visitor import PASSWORD, Answer, Page, Visitor

from tamis.config import Config
from tamis.desk import passwords as desk
from tamis.desk import tokens
from tamis.options import keys, making
from tamis.options.api.app import PREFIX
from tamis.options.keys import Keys
from tamis.passwords import Passwords
from tamis.service import parts
from tamis.store import operators
from tamis.store.api_tokens import Scope
from tamis.store.database import Database

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def set_password(config: Config, address: str, password: str = PASSWORD, *, now: int = NOON) -> None:
    """Set an account's password, as the operator does."""
    digest = Passwords(CHEAP).hash(password)
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        desk.put(connection, address, digest, actor="root", notify=False, now=now)


def make_operator(config: Config, name: str = "olga") -> None:
    """Add an operator."""
    digest = Passwords(CHEAP).hash(PASSWORD)
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        operators.put(connection, name, digest, now=NOON)


def make_token(
    config: Config,
    account: str | None,
    *,
    name: str = "program",
    scope: Scope = Scope.ERASE,
    expires: int | None = None,
    now: int = NOON,
) -> str:
    """Make a token of an account, or of a webmail's server (None), as the operator does."""
    token = keys.new_token()
    digest = Keys(parts.web_key(config)).program(token)
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        tokens.make(
            connection, account, name, scope, digest, expires=expires, actor="root", notify=False, now=now
        )
    return keys.program(token)


@dataclass
class Program:
    """A program that holds a token of the API."""

    visitor: Visitor

    @property
    def sent(self) -> dict[str, str]:
        """The header fields that it sends."""
        return self.visitor.sent

    def get(self, path: str) -> Page:
        """Ask for something."""
        return self.ask("GET", path)

    def send(self, method: str, path: str, value: object = None) -> Page:
        """Send a value as JSON, None for nothing."""
        if value is None:
            return self.ask(method, path)
        return self.ask(method, path, json.dumps(value).encode(), {"content-type": "application/json"})

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Page:
        """Send a call of any kind."""
        return self.visitor.ask(method, PREFIX + path, body, headers)


@dataclass
class Web:
    """One web page."""

    config: Config
    app: ASGIApp
    clock: list[int]  # Unix ms, in its only place
    meanwhile: Callable[[], None] = lambda: (
        None
    )  # done when a form is asked for: its sender is let in by then

    def visitor(self, language: str = "en", *, client: str | None = "192.0.2.7") -> Visitor:
        """Return a browser without cookies at an address; None for a unix socket."""

        def carry(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
            return asyncio.run(self._carry(method, path, headers, body, client))

        return Visitor(carry, language)

    def signed_in(self, address: str = "anna@example.org", language: str = "en") -> Visitor:
        """Return the browser of who is signed in to an account, which gets a password."""
        self.password(address)
        visitor = self.visitor(language)
        assert visitor.sign_in(address).status == 303
        return visitor

    def operator(self, language: str = "en") -> Visitor:
        """Return the browser of an operator, who is added, and signed in."""
        make_operator(self.config)
        visitor = self.visitor(language)
        assert visitor.sign_in_operator().location == "/operator"
        return visitor

    def program(
        self,
        account: str | None,
        *,
        name: str = "program",
        scope: Scope = Scope.ERASE,
        client: str = "192.0.2.8",
    ) -> Program:
        """Return a program that gets a token of an account, or of a webmail's server (None)."""
        visitor = self.visitor(client=client)
        token = make_token(self.config, account, name=name, scope=scope, now=self.clock[0])
        visitor.sent["authorization"] = f"Bearer {token}"
        return Program(visitor)

    def password(self, address: str, password: str = PASSWORD) -> None:
        """Set an account's password, as the operator does."""
        set_password(self.config, address, password, now=self.clock[0])

    async def _carry(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, client: str | None
    ) -> Answer:
        parts = urlsplit("http://here" + path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": None if client is None else (client, 40000),
            "server": ("here", 80),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            self.meanwhile()
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        fields = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return sent[0]["status"], fields, b"".join(one.get("body", b"") for one in sent[1:])


@contextlib.contextmanager
def running(folder: Path, more: str = "", passwords: Passwords | None = None) -> Iterator[Web]:
    """Run a web page whose configuration has more to it."""
    config = make_config(folder, more=more)
    clock = [NOON]
    with making.made(config, passwords or Passwords(CHEAP), now=lambda: clock[0]) as app:
        yield Web(config, app, clock)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """Run a web page of example.org and example.com."""
    with running(tmp_path) as one:
        yield one
