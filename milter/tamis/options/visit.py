"""One request: who asks, in which language, with which form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import ceil
from typing import TypeVar
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tamis.options.allowance import Allowance
from tamis.options.attempts import Attempts
from tamis.options.forms import EMPTY, Form
from tamis.options.language import Language, spoken
from tamis.options.pool import Clerk
from tamis.options.site import Site
from tamis.store import web_sessions
from tamis.store.web_sessions import WebSession

Result = TypeVar("Result")


class SignedOut(Exception):
    """Who asks was signed out meanwhile."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page is made for."""

    site: Site
    request: Request
    token: bytes  # that the browser holds, or is about to
    session: WebSession | None
    language: Language
    now: int  # Unix ms
    form: Form = EMPTY

    @property
    def account(self) -> str:
        """The address of who is signed in, "" of others."""
        return "" if self.session is None else self.session.account

    def sending(self, form: Form) -> Visit:
        """Return the same with a form."""
        return replace(self, form=form)

    def count(self, limit: Allowance | Attempts, account: str) -> None:
        """Count what is to be done for an account; raise HTTPException where it is too much."""
        wait = limit.wait(account, self.now)
        if wait:
            seconds = {"retry-after": str(ceil(wait / 1000))}
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, headers=seconds)

    async def work(self, work: Callable[[Clerk], Result]) -> Result:
        """Return what work with the store returns."""
        return await self.site.pool.run(work)

    @contextlib.contextmanager
    def writing(self, clerk: Clerk) -> Iterator[Connection]:
        """Lend the connection for a change of the account; raise SignedOut where the session is gone.

        An erasure ends it: what was under way then must not make the account anew.
        """
        with self.site.changes.writing(clerk.database, self.account, now=self.now) as connection:
            session = self.session
            if session is None or web_sessions.find(connection, session.hash, now=self.now) is None:
                raise SignedOut
            yield connection

    def say(self, english: str, **values: object) -> Markup:
        """Return a text in the visitor's language, as HTML."""
        return self.language.say(english, **values)

    def page(
        self, template: str, values: Mapping[str, object] | None = None, *, status: int = HTTPStatus.OK
    ) -> Response:
        """Return a page."""
        own = {
            "account": self.account,
            "form_token": self.site.keys.form(self.token),
            "kept": self._kept(),
            "chosen": "" if self.account else spoken(self.request.query_params.get("lang")) or "",
        }
        return HTMLResponse(self.piece(template, own | dict(values or {})), status)

    def _kept(self) -> str:
        """Return what the address asks for but the language, so that another one can be chosen for it."""
        asked = self.request.query_params.multi_items()
        return urlencode([(name, value) for name, value in asked if name != "lang"])

    def piece(self, template: str, values: Mapping[str, object]) -> Markup:
        """Return a piece of a page, which is the same for all who read the language."""
        said = {"_": self.language.say, "language": self.language}
        return Markup(self.site.pages.render(template, said | dict(values)))  # noqa: S704  # a template's

    def go(self, name: str, query: str = "", **parameters: str) -> Response:
        """Return the way to a page of ours, where a form has done its work."""
        where = self.site.pages.path(name, **parameters) + (f"?{query}" if query else "")
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)
