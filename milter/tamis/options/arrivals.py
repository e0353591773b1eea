"""Signing in without a form: by a link from the webmail, or by a reverse proxy that has asked already."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.options.entering import FIRST, enter
from tamis.options.links import Claim, LinkRefused
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials
from tamis.store.owners import Life
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

NO_LINK = text("This link signs nobody in any more. Open the page from your webmail again.")
NOBODY = text("You are signed in to your provider as {name}, which is no mailbox here.")


async def by_link(visit: Visit) -> Response:
    """Sign in by a link, which counts once."""
    links = visit.site.links
    if links is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if visit.request.method == "HEAD":  # who looks at links before their users do, does not use them up
        return Response()
    asked = visit.request.query_params
    try:
        claim = links.check(asked, visit.now)
        account, life, is_new = await visit.work(lambda clerk: _use(clerk, claim))
        if not is_new and account != visit.account:
            raise LinkRefused("used")
    except LinkRefused as error:
        log.warning("link refused cause=%s", error)
        return refused(visit, visit.say(NO_LINK))
    # Who loads his link anew is signed in by it already.
    return await enter(visit, account, asked, life=life) if is_new else visit.go(FIRST)


async def by_header(visit: Visit, name: str) -> Response:
    """Sign in who a reverse proxy says that he is."""
    account, life = await visit.work(lambda clerk: clerk.living(name.lower()))
    if account is None:
        log.warning("the reverse proxy names nobody in mail.domains")
        return refused(visit, visit.say(NOBODY, name=name))
    return await enter(visit, account, visit.request.query_params, life=life)


def refused(visit: Visit, why: str) -> Response:
    """Show that nobody was signed in."""
    return visit.page("refused.html", {"why": why}, status=HTTPStatus.FORBIDDEN)


def _use(clerk: Clerk, claim: Claim) -> tuple[str, Life | None, bool]:
    """Return the account that a link is for, and whether it was not used before; raise LinkRefused."""
    account, life = clerk.living(claim.address)
    if account is None:
        raise LinkRefused("address")
    with clerk.database.writing() as connection:
        return account, life, credentials.use_link(connection, claim.mark, expires=claim.expires)
