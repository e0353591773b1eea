"""A browser made of requests: it has cookies, follows nothing by itself and runs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, TypeAlias
from urllib.parse import urlencode

PASSWORD = "correct horse battery"  # noqa: S105
TOKEN = re.compile(r'name="token" value="([^"]+)"')
FORM = {"content-type": "application/x-www-form-urlencoded"}

Answer: TypeAlias = tuple[int, Sequence[tuple[str, str]], bytes]
"""Status, header fields and body."""

Carry: TypeAlias = Callable[[str, str, dict[str, str], bytes | None], Answer]
"""Carries method, path, header fields and body to a server."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    headers: Mapping[str, str]  # by lower-case name
    octets: bytes

    @property
    def text(self) -> str:
        """The octets, where they are a text."""
        return self.octets.decode(errors="replace")

    @property
    def token(self) -> str:
        """The token of its forms."""
        found = TOKEN.search(self.text)
        assert found is not None, self.text
        return unescape(found[1])

    @property
    def json(self) -> Any:
        """What it holds as JSON."""
        return json.loads(self.text)

    @property
    def location(self) -> str:
        """Where it leads to."""
        return self.headers.get("location", "")


@dataclass
class Visitor:
    """One browser."""

    carry: Carry
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)  # further header fields

    def get(self, path: str) -> Page:
        """Ask for a page."""
        return self.ask("GET", path)

    def post(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send a form."""
        return self.ask("POST", path, urlencode(fields).encode(), FORM)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Page:
        """Send a request of any kind."""
        given = {"accept-language": self.language, **self.sent, **(headers or {})}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        status, fields, octets = self.carry(method, path, given, body)
        for name, value in fields:
            if name.lower() == "set-cookie":
                self._keep(value)
        return Page(status, {name.lower(): value for name, value in fields}, octets)

    def _keep(self, cookie: str) -> None:
        pair, *attributes = cookie.split(";")
        name, _, value = pair.partition("=")
        if any(one.strip().lower() == "max-age=0" for one in attributes):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def sign_in(self, address: str = "anna@example.org", password: str = PASSWORD, **more: str) -> Page:
        """Sign in by the form."""
        token = self.get("/sign-in").token
        return self.post("/sign-in", {"token": token, "address": address, "password": password, **more})

    def sign_in_operator(self, name: str = "olga", password: str = PASSWORD) -> Page:
        """Sign in as an operator."""
        token = self.get("/operator/sign-in").token
        return self.post("/operator/sign-in", {"token": token, "name": name, "password": password})

    def change(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send a form that the page at a path holds."""
        return self.post(path, {"token": self.get(path).token, **fields})
