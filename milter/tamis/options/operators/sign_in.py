"""Signing in and out of operators, whom `tamis options operator add` has made."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil

from starlette.responses import Response

from tamis.options import arrivals, client, keys
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.language import spoken
from tamis.options.pool import Clerk
from tamis.options.sign_in import OUT
from tamis.options.visit import Visit
from tamis.store import operators, web_sessions
from tamis.store.web_sessions import WebSession
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

LONGEST = 32  # octets of a name

WRONG = text("Name or password is wrong.")
TOO_MANY = text("Too many attempts. Wait {minutes} min, then try again.")
NOBODY = text("You are signed in to your provider as {name}, who is no operator here.")


async def show(visit: Visit) -> Response:
    """Show the form, or the overview to who is signed in, here or at the reverse proxy."""
    if visit.session is not None:
        return visit.go("operator")
    named = client.named_operator(visit.request, visit.site.config.options)
    if named and OUT not in visit.request.query_params:
        return await _by_header(visit, named)
    return _form(visit, named=named)


async def sign_in(visit: Visit) -> Response:
    """Sign an operator in by his password."""
    typed = visit.form.get("name").strip().lower()[:LONGEST]
    name = typed if typed.isprintable() else ""  # no database takes each text
    where = client.address(visit.request, visit.site.config.options.proxies)
    door = visit.site.operators.doorkeeper
    try:
        door.admit(typed, client.subscriber(where), now=visit.now)
    except TooMany as error:
        told = visit.say(TOO_MANY, minutes=ceil(error.wait / MINUTE))
        return _form(visit, typed=typed, error=told, status=HTTPStatus.TOO_MANY_REQUESTS)

    def known(clerk: Clerk) -> str | None:
        with clerk.database.reading() as connection:
            return operators.password(connection, name)

    is_right = await door.verify(typed, await visit.work(known), visit.form.get("password"))
    entered = await _enter(visit, name) if is_right else None
    if entered is None:
        log.warning("an operator's sign-in was refused")
        return _form(visit, typed=typed, error=visit.say(WRONG), status=HTTPStatus.UNAUTHORIZED)
    door.succeeded(typed, client.subscriber(where))
    return entered


async def sign_out(visit: Visit) -> Response:
    """End the session, here and in the browser."""
    digest = visit.site.keys.operator(visit.token)

    def end(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, digest)

    await visit.work(end)
    response = visit.go("operator-sign-in", f"{OUT}=yes")
    visit.site.operators.cookie.take(response)
    return response


async def _by_header(visit: Visit, named: str) -> Response:
    """Sign in who a reverse proxy says that he is, if he is one of our operators."""
    entered = await _enter(visit, named.lower())
    if entered is None:
        log.warning("the reverse proxy names no operator")
        return arrivals.refused(visit, visit.say(NOBODY, name=named))
    return entered


async def _enter(visit: Visit, name: str) -> Response | None:
    """Begin a session with a token that nobody knew before; None where there is no such operator."""
    token = keys.new_token()
    former = visit.site.keys.operator(visit.token)
    options = visit.site.config.options
    expires = visit.now + round(1000 * min(options.idle, options.session))
    language = spoken(visit.request.query_params.get("lang"))
    digest = visit.site.keys.operator(token)
    one = WebSession(digest, name, "", visit.now, visit.now, expires, language)

    def begin(clerk: Clerk) -> bool:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, former)
            is_there = operators.exists(connection, name)  # who is removed just now does not come in
            if is_there:
                web_sessions.add(connection, one)
        return is_there

    if not await visit.work(begin):
        return None
    log.info("operator signed in name=%s", name)
    response = visit.go("operator")
    visit.site.operators.cookie.give(response, token)
    return response


def _form(
    visit: Visit, *, typed: str = "", error: str = "", named: str = "", status: int = HTTPStatus.OK
) -> Response:
    is_out = OUT in visit.request.query_params and not error
    is_wrong = status == HTTPStatus.UNAUTHORIZED
    values = {"typed": typed, "error": error, "is_wrong": is_wrong, "named": named, "is_out": is_out}
    return visit.page("operator_sign_in.html", values, status=status)
