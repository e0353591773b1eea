"""Signing in by a password, and out."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil
from urllib.parse import urlencode

from starlette.responses import Response

from tamis.accounts import without_detail
from tamis.options import arrivals, client
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.entering import FIRST, Outdated, enter
from tamis.options.imap import ImapUnavailable
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials, web_sessions
from tamis.store.owners import Life
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

LONGEST = 254  # octets of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)
SOON = 60  # seconds
NOBODY = ""  # no account's address, and not what was typed, which may be no text that a database takes
LOST = (
    "lost"  # in the query, of whose form has done nothing, as he was signed out before; he is told so first
)
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
    if named and OUT not in query and LOST not in query:
        return await arrivals.by_header(visit, named)
    return _form(visit, next_page=query.get("next", ""), language=query.get("lang", ""), named=named)


async def sign_in(visit: Visit) -> Response:
    """Sign somebody in by his password."""
    typed = visit.form.get("address").strip().lower()[:LONGEST]
    where = client.address(visit.request, visit.site.config.options.proxies)
    door = visit.site.doorkeeper
    # Any detail leads to the same account. Counting aliases with it would tell whose they are.
    counted = without_detail(typed, visit.site.config.mail.recipient_delimiter)
    try:
        door.admit(counted, client.subscriber(where), now=visit.now)
    except TooMany as error:
        minutes = ceil(error.wait / MINUTE)
        return _refused(
            visit,
            typed,
            visit.say(TOO_MANY, minutes=minutes),
            HTTPStatus.TOO_MANY_REQUESTS,
            wait=ceil(error.wait / 1000),
        )
    account, life, digest = await visit.work(lambda clerk: _known(clerk, typed))
    # Of no other domain's address, whose login may be one of ours: how long the server takes would tell.
    is_ours = typed.rpartition("@")[2] in visit.site.config.mail.domains
    asked = account or (typed if is_ours else NOBODY)
    is_spent = account is not None and door.is_spent(account, now=visit.now)
    try:
        is_right = await door.verify(asked, digest, visit.form.get("password"))
    except ImapUnavailable as error:
        log.error("imap server unavailable error=%s", error)
        return _refused(visit, typed, visit.say(AWAY), HTTPStatus.SERVICE_UNAVAILABLE, wait=SOON)
    if not is_right or account is None or is_spent:
        log.info("a sign-in was refused")
        return _refused(visit, typed, visit.say(WRONG), HTTPStatus.UNAUTHORIZED)
    door.succeeded(counted, client.subscriber(where), account=account)
    wanted = {one: visit.form.get(one) for one in ("next", "lang")}
    try:
        return await enter(visit, account, wanted, life=life, digest=digest)
    except Outdated:
        return _refused(visit, typed, visit.say(WRONG), HTTPStatus.UNAUTHORIZED)


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


def _known(clerk: Clerk, typed: str) -> tuple[str | None, Life | None, str | None]:
    """Return the account that an address stands for, its life, and the hash of its password."""
    account, life = clerk.living(typed)
    with clerk.database.reading() as connection:
        return account, life, credentials.password(connection, account or NOBODY)


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
    is_out, is_lost = (one in visit.request.query_params for one in (OUT, LOST))
    # A form that was refused has no query.
    kept = {OUT: "yes" * is_out, LOST: "yes" * is_lost, "next": next_page}
    values = {
        "has_form": visit.site.doorkeeper.is_at_work,
        "is_out": is_out,
        "is_lost": is_lost,
        "next_page": next_page,
        "chosen": language,
        "typed": typed,
        "error": error,
        "is_wrong": status == HTTPStatus.UNAUTHORIZED,
        "named": named,
        "kept": urlencode({name: value for name, value in kept.items() if value}),
    }
    return visit.page("sign_in.html", values, status=status)


def _refused(visit: Visit, typed: str, error: str, status: int, *, wait: int = 0) -> Response:
    """Show the form again; wait is in seconds, 0 for who need not."""
    asked, language = (visit.form.get(one) for one in ("next", "lang"))
    page = _form(visit, next_page=asked, language=language, typed=typed, error=error, status=status)
    if wait:
        page.headers["retry-after"] = str(wait)
    return page
