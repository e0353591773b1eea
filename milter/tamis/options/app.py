"""Answers requests: finds out who asks, looks at the form's token, and lets the route's page do the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Router
from starlette.routing import Route as Path
from starlette.types import ASGIApp

from tamis.interfaces import StoreUnavailable
from tamis.options import client, errors, faults, forms, keys, sign_in
from tamis.options.api import app as api
from tamis.options.cookie import Cookie
from tamis.options.headers import Headers
from tamis.options.language import Language, choose, spoken
from tamis.options.pool import Clerk
from tamis.options.routes import ROUTES, For, Route
from tamis.options.site import Site
from tamis.options.visit import SignedOut, Visit
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
        paths.append(Mount(api.PREFIX, app=api.Api(self._site).asgi()))
        paths.append(Path("/static/{version}/{name}", self._file))
        prefix = self._site.config.options.prefix
        if prefix:
            below = Router(paths, redirect_slashes=False)
            paths = [Path(prefix, self._start), Mount(prefix, app=below)]
        app = Starlette(routes=paths, exception_handlers={HTTPException: self._refuse})
        app.router.redirect_slashes = False  # it would go where the request's Host says
        return Headers(app, self._site.config.options.frame_ancestors)

    def _path(self, route: Route) -> Path:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(route, request)
            except StoreUnavailable as error:
                log.error("store unavailable page=%s error=%s", route.name, error)
                return self._error(request, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "60"})
            except HTTPException:
                raise
            except Exception as error:  # what a page says of it is nothing, and the next one works
                log.error("page failed page=%s %s", route.name, faults.told(error))
                return self._error(request, HTTPStatus.INTERNAL_SERVER_ERROR)

        methods: Sequence[str] = ["GET"] * (route.show is not None) + ["POST"] * (route.change is not None)
        return Path(route.path, endpoint, methods=methods)

    async def _answer(self, route: Route, request: Request) -> Response:
        forms.check_address(request)
        visit, is_new = await self._visit(request, route)
        if route.who is For.ACCOUNT and visit.session is None:
            return visit.go("sign-in", _asked(route, request))
        if route.who is For.OPERATOR and visit.session is None:
            return visit.go("operator-sign-in")
        act = route.show
        if request.method == "POST":
            visit = visit.sending(await forms.read(request))
            if not self._site.keys.is_form(visit.token, visit.form.get("token")):
                raise HTTPException(HTTPStatus.FORBIDDEN)
            if route.who is For.ACCOUNT and not route.always:
                visit.count(self._site.changes, visit.account)
            act = route.change
        if act is None:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            response = await act(visit)
        except SignedOut:
            return visit.go("sign-in", _asked(route, request))
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
            names = client.named_operator if route.is_operators else client.named
            named = names(request, self._site.config.options)
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
            return None  # another is signed in to the reverse proxy meanwhile
        options = self._site.config.options
        language = wanted or found.language
        if now - found.used < min(FRESH, options.idle * 1000 / 10) and language == found.language:
            return found
        expires = min(now + round(options.idle * 1000), found.made + round(options.session * 1000))
        try:
            with clerk.database.writing() as connection:
                web_sessions.use(connection, digest, now=now, expires=expires, language=language)
        except StoreUnavailable as error:  # what only shows something is shown all the same
            log.warning("use of a session not noted error=%s", error)
        return found

    def _language(self, request: Request, wanted: str | None) -> str:
        accepted = request.headers.get("accept-language", "")
        return choose(wanted, accepted, self._site.config.options.language)

    async def _start(self, request: Request) -> Response:
        return RedirectResponse(self._site.pages.path("start"), HTTPStatus.SEE_OTHER)

    async def _file(self, request: Request) -> Response:
        name, version = (request.path_params[one] for one in ("name", "version"))
        found = self._site.pages.files.get(name)
        if found is None or found.version != version:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(found.octets, media_type=found.kind, headers={"cache-control": FOREVER})

    def _refuse(self, request: Request, error: Exception) -> Response:
        # A path with a line end in it gets past each Mount.
        if request.url.path.startswith(f"{self._site.config.options.prefix}{api.PREFIX}/"):
            return api.refuse(request, error)
        assert isinstance(error, HTTPException)  # noqa: S101  # nothing else is handed here
        return self._error(request, error.status_code, error.headers or {})

    def _error(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
        language = Language(
            self._language(request, spoken(request.query_params.get("lang"))), self._site.zone
        )
        return errors.page(self._site, language, status, headers or {})


def _asked(route: Route, request: Request) -> str:
    """Return the query that leads who signs in back to his page, and tells of a form that is lost."""
    if request.method == "HEAD" or route.change is sign_in.sign_out:
        return ""
    asked = {sign_in.LOST: "yes"} if request.method == "POST" else {}
    if route.show is not None:
        path = route.path[1:].format(**request.path_params)
        asked["next"] = path + (f"?{request.url.query}" if request.url.query else "")
    return urlencode(asked)
