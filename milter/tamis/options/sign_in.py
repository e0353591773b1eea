"""Signing in by a password, and out."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil

from starlette.responses import Response

from tamis.options import arrivals, client
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.entering import FIRST, enter
from tamis.options.imap import ImapUnavailable
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials, web_sessions
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

LONGEST = 254  # octets of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)
OUT = "out"  # in the query, of who has just signed out and is not to be signed in by a header at once

WRONG = text("Address or password is wrong.")
AWAY = text("Passwords cannot be checked now. Your mail goes on as before. Try again in a minute.")
TOO_MANY = text("Too many attempts. Wait {minutes} min, then try again.")


async def show(visit: Visit) -> Response:
    """Show the form, or the first page to who is signed in, here or at the reverse proxy."""
    if visit.session is not None:
        return visit.go(FIRST)
    query = visit.request.query_params
    named = client.named(visit.request, visit.site.config.options)
    if named and OUT not in query:
        return await arrivals.by_header(visit, named)
    return _form(visit, next_page=query.get("next", ""), language=query.get("lang", ""), named=named)


async def sign_in(visit: Visit) -> Response:
    """Sign somebody in by his password."""
    typed = visit.form.get("address").strip().lower()[:LONGEST]
    where = client.address(visit.request, visit.site.config.options.proxies)
    door = visit.site.doorkeeper
    try:
        door.admit(typed, client.subscriber(where), now=visit.now)
    except TooMany as error:
        minutes = ceil(error.wait / MINUTE)
        return _refused(visit, typed, visit.say(TOO_MANY, minutes=minutes), HTTPStatus.TOO_MANY_REQUESTS)
    account, digest = await visit.work(lambda clerk: _known(clerk, typed))
    try:
        is_right = await door.verify(account or typed, digest, visit.form.get("password"))
    except ImapUnavailable as error:
        log.error("imap server unavailable error=%s", error)
        return _refused(visit, typed, visit.say(AWAY), HTTPStatus.SERVICE_UNAVAILABLE)
    if not is_right or account is None:
        return _refused(visit, typed, visit.say(WRONG), HTTPStatus.UNAUTHORIZED)
    door.succeeded(typed, client.subscriber(where))
    return await enter(visit, account, {one: visit.form.get(one) for one in ("next", "lang")})


async def sign_out(visit: Visit) -> Response:
    """End the session, here and in the browser."""
    digest = visit.site.keys.session(visit.token)

    def end(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, digest)

    await visit.work(end)
    response = visit.go("sign-in", f"{OUT}=yes")
    visit.site.cookie.take(response)
    response.headers["clear-site-data"] = '"cache"'
    return response


def _known(clerk: Clerk, typed: str) -> tuple[str | None, str | None]:
    """Return the account that an address stands for, and the hash of its password."""
    account = clerk.account(typed)
    with clerk.database.reading() as connection:
        return account, credentials.password(connection, account or typed)


def _form(
    visit: Visit,
    *,
    next_page: str,
    language: str,
    typed: str = "",
    error: str = "",
    named: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    values = {
        "has_form": visit.site.doorkeeper.is_at_work,
        "is_out": OUT in visit.request.query_params,
        "next_page": next_page,
        "chosen": language,
        "typed": typed,
        "error": error,
        "named": named,
    }
    return visit.page("sign_in.html", values, status=status)


def _refused(visit: Visit, typed: str, error: str, status: int) -> Response:
    asked, language = (visit.form.get(one) for one in ("next", "lang"))
    return _form(visit, next_page=asked, language=language, typed=typed, error=error, status=status)
