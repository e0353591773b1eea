"""Confirming by a password that it is still the user who asks, where he has one here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from tamis.options import client
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.imap import ImapUnavailable
from tamis.options.pool import Clerk
from tamis.options.sign_in import AWAY, NOBODY, TOO_MANY
from tamis.options.visit import Visit
from tamis.store import credentials
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

WRONG_PASSWORD = text("This is not the password that you sign in with.")
WRONG_LOCAL = text("This is not your password.")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why nothing was done, and the status of the page that says so."""

    why: str
    status: HTTPStatus


async def has_password(visit: Visit) -> bool:
    """Tell whether there is a password by which the account's user can sign in."""
    ways = visit.site.config.options.sign_in
    return "imap" in ways or ("password" in ways and await _digest(visit) is not None)


async def wrong(visit: Visit, typed: str) -> Wrong | None:
    """Return what is wrong with what was typed as the user's password, None for nothing."""
    return await _wrong(visit, typed, visit.account, WRONG_PASSWORD)


async def wrong_local(visit: Visit, typed: str) -> Wrong | None:
    """Return likewise what is wrong with it as his local password; that of his mailbox is none."""
    return await _wrong(visit, typed, NOBODY, WRONG_LOCAL)


async def _wrong(visit: Visit, typed: str, mailbox: str, told: str) -> Wrong | None:
    door = visit.site.doorkeeper
    where = client.address(visit.request, visit.site.config.options.proxies)
    try:
        door.admit(visit.account, client.subscriber(where), now=visit.now)
    except TooMany as error:
        why = visit.say(TOO_MANY, minutes=ceil(error.wait / MINUTE))
        return Wrong(why, HTTPStatus.TOO_MANY_REQUESTS)
    try:
        is_right = await door.verify(mailbox, await _digest(visit), typed)
    except ImapUnavailable as error:
        log.error("imap server unavailable error=%s", error)
        return Wrong(visit.say(AWAY), HTTPStatus.SERVICE_UNAVAILABLE)
    if not is_right:
        return Wrong(visit.say(told), HTTPStatus.UNPROCESSABLE_ENTITY)
    door.succeeded(visit.account, client.subscriber(where))
    return None


async def _digest(visit: Visit) -> str | None:
    """Return the hash of the account's local password, None where it has none."""

    def work(clerk: Clerk) -> str | None:
        with clerk.database.reading() as connection:
            return credentials.password(connection, visit.account)

    return await visit.work(work)
