"""Beginning a session for who has shown, by whatever way, that an account is his."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from tamis.options import client, keys
from tamis.options.language import spoken
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import sessions, web_sessions
from tamis.store.sessions import Kind
from tamis.store.web_sessions import WebSession

FIRST = "reception"  # the page after signing in


async def enter(visit: Visit, account: str, asked: Mapping[str, str]) -> Response:
    """Sign in with a token that nobody knew before, and go to the page that was asked for ("next")."""
    token = keys.new_token()
    digest = visit.site.keys.session(token)
    former = visit.site.keys.session(visit.token)
    options = visit.site.config.options
    language = spoken(asked.get("lang"))
    where = client.address(visit.request, options.proxies)

    def begin(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            web_sessions.end(connection, former)
            record = sessions.sign_in(connection, account, Kind.OPTIONS, where, now=visit.now)
            expires = visit.now + round(1000 * min(options.idle, options.session))
            one = WebSession(digest, account, record, visit.now, visit.now, expires, language)
            web_sessions.add(connection, one)

    await visit.work(begin)
    wanted = asked.get("next", "")
    response = visit.go(wanted if visit.site.pages.is_shown(wanted) else FIRST)
    visit.site.cookie.give(response, token)
    return response
