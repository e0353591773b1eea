"""One request: who asks, in which language, with which form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tamis.options.forms import EMPTY, Form
from tamis.options.language import Language
from tamis.options.pool import Clerk
from tamis.options.site import Site
from tamis.store.web_sessions import WebSession

Result = TypeVar("Result")


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

    async def work(self, work: Callable[[Clerk], Result]) -> Result:
        """Return what work with the store returns."""
        return await self.site.pool.run(work)

    def say(self, english: str, **values: object) -> Markup:
        """Return a text in the visitor's language, as HTML."""
        return self.language.say(english, **values)

    def page(
        self, template: str, values: Mapping[str, object] | None = None, *, status: int = HTTPStatus.OK
    ) -> Response:
        """Return a page."""
        html = self.site.pages.render(
            template,
            {
                "_": self.language.say,
                "language": self.language,
                "account": self.account,
                "form_token": self.site.keys.form(self.token),
                **(values or {}),
            },
        )
        return HTMLResponse(html, status)

    def go(self, name: str, query: str = "", **parameters: str) -> Response:
        """Return the way to a page of ours, where a form has done its work."""
        where = self.site.pages.path(name, **parameters) + (f"?{query}" if query else "")
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)
