"""Beginning a session for who has shown, by whatever way, that an account is his."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from tamis.options import client, keys
from tamis.options.language import spoken
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials, owners, sessions, web_sessions
from tamis.store.owners import Life
from tamis.store.sessions import Kind
from tamis.store.web_sessions import WebSession

FIRST = "reception"  # the page after signing in


class Outdated(Exception):
    """The password has been changed while it was verified, which has signed all others out."""


async def enter(
    visit: Visit, account: str, asked: Mapping[str, str], *, life: Life | None, digest: str | None = None
) -> Response:
    """Sign in with a token that nobody knew before, and go to the page that was asked for ("next").

    Tell of the erasure instead where the account was erased since its life was read. Raise Outdated where its
    local password is no more the one of the hash that was verified.
    """
    visit.count(visit.site.entries, account)
    token = keys.new_token()
    session = visit.site.keys.session(token)
    former = visit.site.keys.session(visit.token)
    options = visit.site.config.options
    language = spoken(asked.get("lang"))
    where = client.address(visit.request, options.proxies)

    def begin(clerk: Clerk) -> bool:
        with clerk.database.writing() as connection:
            if owners.was_erased(connection, account, since=life):
                return False
            if digest is not None and credentials.password(connection, account) != digest:
                raise Outdated
            web_sessions.end(connection, former)
            record = sessions.sign_in(connection, account, Kind.OPTIONS, where, now=visit.now)
            expires = visit.now + round(1000 * min(options.idle, options.session))
            one = WebSession(session, account, record, visit.now, visit.now, expires, language)
            web_sessions.add(connection, one)
        return True

    if not await visit.work(begin):
        return visit.go("erased")
    wanted = visit.site.pages.place(asked.get("next", ""))
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER) if wanted else visit.go(FIRST)
    visit.site.cookie.give(response, token)
    return response
