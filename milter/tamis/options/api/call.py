"""One call of the API: what stands in the table, and what an act is handed."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tamis.options import forms
from tamis.options.api.gate import Caller, unknown
from tamis.options.api.problems import Refused, ambiguous, unfit
from tamis.options.pool import Clerk
from tamis.options.site import Site
from tamis.store import api_tokens, owners
from tamis.store.api_tokens import Scope

KIND = "application/json"

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was let in."""

    site: Site
    request: Request
    caller: Caller
    now: int  # Unix ms

    @property
    def account(self) -> str:
        """The address that it is about, and no other."""
        return self.caller.account

    @property
    def notify(self) -> bool:
        """Whether notices can be sent to users."""
        return self.site.config.notices.is_on

    def named(self, parameter: str) -> str:
        """Return what stands in the path."""
        return str(self.request.path_params[parameter])

    def query(self, model: type[Model]) -> Model:
        """Return the parameters behind the path; raise Refused."""
        asked = self.request.query_params
        repeated = [name for name in asked if len(asked.getlist(name)) > 1]
        if repeated:
            raise ambiguous(repeated)
        try:
            return model.model_validate_strings(dict(asked))
        except ValidationError as error:
            raise unfit(error) from None

    async def body(self, model: type[Model]) -> Model:
        """Return what was sent; raise Refused."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != KIND:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {KIND}.")
        try:
            return model.model_validate_json(await forms.octets(self.request))
        except HTTPException as error:
            raise Refused(HTTPStatus(error.status_code), "The body is too long, or broken off.") from None
        except ValidationError as error:
            raise unfit(error) from None

    async def work(self, work: Callable[[Clerk], Result]) -> Result:
        """Return what work with the store returns."""
        return await self.site.pool.run(work)

    @contextlib.contextmanager
    def writing(self, clerk: Clerk) -> Iterator[Connection]:
        """Lend the connection for a change of the account; raise Refused where it was erased meanwhile.

        What was under way then must not make the account anew. Its own tokens are gone with it.
        """
        with self.site.changes.writing(clerk.database, self.account, now=self.now) as connection:
            if api_tokens.find(connection, self.caller.token, now=self.now) is None:
                raise unknown(self.request)
            if owners.was_erased(connection, self.account, since=self.caller.life):
                raise Refused(HTTPStatus.NOT_FOUND, "The account was erased meanwhile.")
            yield connection


Act: TypeAlias = Callable[[Asked], Awaitable[BaseModel | Response | None]]
"""Returns what is answered; nothing: 204."""


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the table."""

    name: str
    method: str
    path: str  # behind /api/v1; {words} in it are parameters
    scope: Scope
    about: str  # what it does, in a sentence
    act: Act
    answer: type[BaseModel] | str | None  # a media type where it is no JSON, None: 204
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    refusals: Sequence[HTTPStatus] = ()  # of its own, beside those of all calls
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)  # values of parameters that are few
    identifiers: tuple[str, ...] = ()  # parameters of which each value belongs to one account
    status: HTTPStatus = HTTPStatus.OK
