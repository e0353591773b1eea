"""Signing in and out."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil

from starlette.responses import Response

from tamis.options import client, keys
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.imap import ImapUnavailable
from tamis.options.language import spoken
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials, sessions, web_sessions
from tamis.store.sessions import Kind
from tamis.store.web_sessions import WebSession
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

LONGEST = 254  # octets of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)
FIRST = "reception"  # the page after signing in

WRONG = text("Address or password is wrong.")
AWAY = text("Passwords cannot be checked now. Your mail goes on as before. Try again in a minute.")
TOO_MANY = text("Too many attempts. Wait {minutes} min, then try again.")


async def show(visit: Visit) -> Response:
    """Show the form, or the first page to who is signed in."""
    if visit.session is not None:
        return visit.go(FIRST)
    query = visit.request.query_params
    return _form(visit, next_page=query.get("next", ""), language=query.get("lang", ""))


async def sign_in(visit: Visit) -> Response:
    """Sign somebody in by his password."""
    typed = visit.form.get("address").strip().lower()[:LONGEST]
    proxies = visit.site.config.options.proxies
    where = client.address(visit.request, proxies)
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
    door.succeeded(typed)
    return await enter(visit, account, where)


async def enter(visit: Visit, account: str, where: str | None) -> Response:
    """Begin a session for who has shown that an account is his, with a token that nobody knew before."""
    token = keys.new_token()
    digest = visit.site.keys.session(token)
    former = visit.site.keys.session(visit.token)
    options = visit.site.config.options
    language = spoken(visit.form.get("lang"))

    def begin(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, former)
            record = sessions.sign_in(connection, account, Kind.OPTIONS, where, now=visit.now)
            expires = visit.now + round(1000 * min(options.idle, options.session))
            one = WebSession(digest, account, record, visit.now, visit.now, expires, language)
            web_sessions.add(connection, one)

    await visit.work(begin)
    wanted = visit.form.get("next")
    response = visit.go(wanted if visit.site.pages.is_shown(wanted) else FIRST)
    visit.site.cookie.give(response, token)
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session, here and in the browser."""
    digest = visit.site.keys.session(visit.token)

    def end(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, digest)

    await visit.work(end)
    response = visit.go("sign-in")
    visit.site.cookie.take(response)
    response.headers["clear-site-data"] = '"cache"'
    return response


def _known(clerk: Clerk, typed: str) -> tuple[str | None, str | None]:
    """Return the account that an address stands for, and the hash of its password."""
    account = clerk.account(typed)
    with clerk.database.reading() as connection:
        return account, credentials.password(connection, account or typed)


def _form(visit: Visit, *, next_page: str, language: str) -> Response:
    values = {"typed": "", "error": "", "next_page": next_page, "chosen": language}
    return visit.page("sign_in.html", values)


def _refused(visit: Visit, typed: str, error: str, status: int) -> Response:
    values = {
        "typed": typed,
        "error": error,
        "next_page": visit.form.get("next"),
        "chosen": visit.form.get("lang"),
    }
    return visit.page("sign_in.html", values, status=status)
