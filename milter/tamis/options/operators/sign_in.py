"""Signing in and out of operators, whom `tamis options operator add` has made."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil

from starlette.responses import Response

from tamis.options import client, keys
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.language import spoken
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import operators, web_sessions
from tamis.store.web_sessions import WebSession
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

LONGEST = 32  # octets of a name

WRONG = text("Name or password is wrong.")
TOO_MANY = text("Too many attempts. Wait {minutes} min, then try again.")


async def show(visit: Visit) -> Response:
    """Show the form, or the overview to who is signed in."""
    if visit.session is not None:
        return visit.go("operator")
    return _form(visit, "", "", HTTPStatus.OK)


async def sign_in(visit: Visit) -> Response:
    """Sign an operator in by his password."""
    typed = visit.form.get("name").strip().lower()[:LONGEST]
    where = client.address(visit.request, visit.site.config.options.proxies)
    door = visit.site.operators.doorkeeper
    try:
        door.admit(typed, client.subscriber(where), now=visit.now)
    except TooMany as error:
        told = visit.say(TOO_MANY, minutes=ceil(error.wait / MINUTE))
        return _form(visit, typed, told, HTTPStatus.TOO_MANY_REQUESTS)

    def known(clerk: Clerk) -> str | None:
        with clerk.database.reading() as connection:
            return operators.password(connection, typed)

    if not await door.verify(typed, await visit.work(known), visit.form.get("password")):
        log.warning("an operator's sign-in was refused")
        return _form(visit, typed, visit.say(WRONG), HTTPStatus.UNAUTHORIZED)
    door.succeeded(typed, client.subscriber(where))
    return await _enter(visit, typed)


async def sign_out(visit: Visit) -> Response:
    """End the session, here and in the browser."""
    digest = visit.site.keys.operator(visit.token)

    def end(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, digest)

    await visit.work(end)
    response = visit.go("operator-sign-in")
    visit.site.operators.cookie.take(response)
    return response


async def _enter(visit: Visit, name: str) -> Response:
    """Begin a session with a token that nobody knew before."""
    token = keys.new_token()
    options = visit.site.config.options
    expires = visit.now + round(1000 * min(options.idle, options.session))
    language = spoken(visit.request.query_params.get("lang"))
    digest = visit.site.keys.operator(token)
    one = WebSession(digest, name, "", visit.now, visit.now, expires, language)

    def begin(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.add(connection, one)

    await visit.work(begin)
    log.info("operator signed in name=%s", name)
    response = visit.go("operator")
    visit.site.operators.cookie.give(response, token)
    return response


def _form(visit: Visit, typed: str, error: str, status: int) -> Response:
    return visit.page("operator_sign_in.html", {"typed": typed, "error": error}, status=status)
