"""Answers the calls of programs."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tamis.interfaces import StoreUnavailable
from tamis.options import faults, forms
from tamis.options.api.call import KIND, Asked, Call
from tamis.options.api.calls import CALLS
from tamis.options.api.description import description
from tamis.options.api.gate import Gate
from tamis.options.api.problems import Refused, answer
from tamis.options.site import Site

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
DESCRIPTION = "/openapi.json"


class Api:
    """The calls of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._gate = Gate(site)
        options = site.config.options
        self._description = json.dumps(description(CALLS, options.prefix + PREFIX)).encode()

    def asgi(self) -> ASGIApp:
        """Return the application behind PREFIX."""
        routes = [self._route(one) for one in CALLS]
        routes.append(Route(DESCRIPTION, self._describe, methods=["GET"]))
        app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
        app.router.redirect_slashes = False
        return app

    def _route(self, call: Call) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(call, request)
            except Refused as refused:
                return answer(refused)
            except HTTPException:
                raise
            except StoreUnavailable as error:
                log.error("store unavailable call=%s error=%s", call.name, error)
                return answer(
                    Refused(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "The store is out of reach; nothing was changed.",
                        headers={"retry-after": "60"},
                    )
                )
            except Exception as error:  # what a program is told of it is nothing, and the next call works
                log.error("call failed call=%s %s", call.name, faults.told(error))
                return answer(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Noted for the provider."))

        return Route(call.path, endpoint, methods=[call.method])

    async def _answer(self, call: Call, request: Request) -> Response:
        forms.check_address(request)
        now = self._site.now()
        caller = await self._gate.admit(request, call.scope, now=now)
        found = await call.act(Asked(self._site, request, caller, now))
        if isinstance(found, BaseModel):
            text = found.model_dump_json(by_alias=True, exclude_unset=True)
            return Response(text, call.status, media_type=KIND)
        return Response(status_code=HTTPStatus.NO_CONTENT) if found is None else found

    async def _describe(self, request: Request) -> Response:
        return Response(self._description, media_type=KIND)


def refuse(request: Request, error: Exception) -> Response:
    """Tell a program of what no call is there for."""
    assert isinstance(error, HTTPException)  # noqa: S101  # nothing else is handed here
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is no such call.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This is not done by that method.",
    }
    return answer(Refused(status, details.get(status, status.phrase), headers=error.headers))
