"""Answers requests: finds out who asks, looks at the form's token, and lets the route's page do the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as Path
from starlette.types import ASGIApp

from tamis.interfaces import StoreUnavailable
from tamis.options import client, errors, faults, forms, keys
from tamis.options.api.app import PREFIX, Api
from tamis.options.cookie import Cookie
from tamis.options.headers import Headers
from tamis.options.language import Language, choose, spoken
from tamis.options.pool import Clerk
from tamis.options.routes import ROUTES, For, Route
from tamis.options.site import Site
from tamis.options.visit import Visit
from tamis.store import web_sessions
from tamis.store.web_sessions import WebSession

log = logging.getLogger(__name__)

FRESH = 60_000  # ms; so often it is written that a session is used, not for each page
FOREVER = "public, max-age=31536000, immutable"  # the address has the file's version


class App:
    """The routes of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def asgi(self) -> ASGIApp:
        """Return the application as a server takes it."""
        paths: list[Path | Mount] = [self._path(one) for one in ROUTES]
        paths.append(Mount(PREFIX, app=Api(self._site).asgi()))
        paths.append(Path("/static/{version}/{name}", self._file))
        prefix = self._site.config.options.prefix
        app = Starlette(
            routes=[Mount(prefix, routes=paths)] if prefix else paths,
            exception_handlers={HTTPException: self._refuse},
        )
        app.router.redirect_slashes = False  # it would go where the request's Host says
        return Headers(app, self._site.config.options.frame_ancestors)

    def _path(self, route: Route) -> Path:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(route, request)
            except StoreUnavailable as error:
                log.error("store unavailable page=%s error=%s", route.name, error)
                return self._error(request, HTTPStatus.SERVICE_UNAVAILABLE)
            except HTTPException:
                raise
            except Exception as error:  # what a page says of it is nothing, and the next one works
                log.error("page failed page=%s %s", route.name, faults.told(error))
                return self._error(request, HTTPStatus.INTERNAL_SERVER_ERROR)

        methods: Sequence[str] = ["GET"] * (route.show is not None) + ["POST"] * (route.change is not None)
        return Path(route.path, endpoint, methods=methods)

    async def _answer(self, route: Route, request: Request) -> Response:
        visit, is_new = await self._visit(request, route)
        if route.who is For.ACCOUNT and visit.session is None:
            return visit.go("sign-in", f"next={quote(route.name)}" if request.method == "GET" else "")
        if route.who is For.OPERATOR and visit.session is None:
            return visit.go("operator-sign-in")
        act = route.show
        if request.method == "POST":
            visit = visit.sending(await forms.read(request))
            if not self._site.keys.is_form(visit.token, visit.form.get("token")):
                raise HTTPException(HTTPStatus.FORBIDDEN)
            act = route.change
        if act is None:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        response = await act(visit)
        if is_new and "set-cookie" not in response.headers:
            self._cookie(route).give(response, visit.token)
        return response

    def _cookie(self, route: Route) -> Cookie:
        return self._site.operators.cookie if route.is_operators else self._site.cookie

    async def _visit(self, request: Request, route: Route) -> tuple[Visit, bool]:
        """Return who asks, and whether his browser holds no token so far."""
        now = self._site.now()
        held = self._cookie(route).read(request)
        wanted = spoken(request.query_params.get("lang"))
        session = None
        if held is not None:
            keyed = self._site.keys.operator if route.is_operators else self._site.keys.session
            digest = keyed(held)
            # Whom a reverse proxy names is a user.
            named = "" if route.is_operators else client.named(request, self._site.config.options)
            session = await self._site.pool.run(
                lambda clerk: self._session(clerk, digest, named, wanted, now)
            )
        chosen = wanted or (session.language if session is not None else None)
        language = Language(self._language(request, chosen), self._site.zone)
        token = held or keys.new_token()
        return Visit(self._site, request, token, session, language, now), held is None

    def _session(
        self, clerk: Clerk, digest: bytes, named: str, wanted: str | None, now: int
    ) -> WebSession | None:
        """Return the session of a token; it is written that it is used, and which language is wanted."""
        with clerk.database.reading() as connection:
            found = web_sessions.find(connection, digest, now=now)
        if found is None:
            return None
        if named.lower() not in ("", found.account) and clerk.account(named.lower()) != found.account:
            return None  # another user is signed in to the reverse proxy meanwhile
        options = self._site.config.options
        language = wanted or found.language
        if now - found.used < min(FRESH, options.idle * 1000) and language == found.language:
            return found
        expires = min(now + round(options.idle * 1000), found.made + round(options.session * 1000))
        with clerk.database.writing() as connection:
            web_sessions.use(connection, digest, now=now, expires=expires, language=language)
        return found

    def _language(self, request: Request, wanted: str | None) -> str:
        accepted = request.headers.get("accept-language", "")
        return choose(wanted, accepted, self._site.config.options.language)

    async def _file(self, request: Request) -> Response:
        name, version = (request.path_params[one] for one in ("name", "version"))
        found = self._site.pages.files.get(name)
        if found is None or found.version != version:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(found.octets, media_type=found.kind, headers={"cache-control": FOREVER})

    def _refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # nothing else is handed here
        return self._error(request, error.status_code, error.headers or {})

    def _error(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
        language = Language(
            self._language(request, spoken(request.query_params.get("lang"))), self._site.zone
        )
        return errors.page(self._site, language, status, headers or {})
