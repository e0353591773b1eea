"""*My data*: erasure, with what goes and what stays explained before it is confirmed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from starlette.responses import Response

from tamis.desk import erasure, outlook
from tamis.options import client
from tamis.options.attempts import MINUTE
from tamis.options.doorkeeper import TooMany
from tamis.options.imap import ImapUnavailable
from tamis.options.my_data import TITLES, read
from tamis.options.pool import Clerk
from tamis.options.sign_in import AWAY, TOO_MANY
from tamis.options.visit import Visit
from tamis.promises.speech import Speech
from tamis.retention.classes import Clock
from tamis.retention.rules import Bound, Rules
from tamis.store import credentials
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

WRONG_PASSWORD = text("This is not the password that you sign in with.")
WRONG_ADDRESS = text("This is not the address of this account.")

# By the clock of the floor that keeps them.
REASONS: Mapping[Clock, str] = {
    Clock.AGE: text("Each is kept for {period} at least; the last goes between {start} and {end}."),
    Clock.CLOSING: text(
        "Kept for {period} at least from the closing of your account; goes between {start} and {end}."
    ),
}


async def show(visit: Visit) -> Response:
    """Show what goes and what stays."""
    digest = await _password(visit)
    return await _page(visit, asks_password=_asks_password(visit, digest))


async def erase(visit: Visit) -> Response:
    """Begin to erase, sign everybody out, and let the rest be done behind the page."""
    digest = await _password(visit)
    wrong, status = await _wrong(visit, digest)
    if wrong:
        return await _page(visit, asks_password=_asks_password(visit, digest), wrong=wrong, status=status)

    notify = visit.site.config.notices.is_on

    def begin(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            erasure.begin(connection, visit.account, notify=notify, now=visit.now)

    await visit.work(begin)
    visit.site.errands.erase(visit.account, now=visit.now)
    response = visit.go("erased")
    visit.site.cookie.take(response)
    response.headers["clear-site-data"] = '"cache"'
    return response


async def show_end(visit: Visit) -> Response:
    """Tell who is signed out now that his data is being erased."""
    return visit.page("erased.html")


async def _password(visit: Visit) -> str | None:
    """Return the hash of the account's local password, None where it has none."""

    def work(clerk: Clerk) -> str | None:
        with clerk.database.reading() as connection:
            return credentials.password(connection, visit.account)

    return await visit.work(work)


def _asks_password(visit: Visit, digest: str | None) -> bool:
    """Tell whether there is a password by which the account's user can sign in."""
    ways = visit.site.config.options.sign_in
    return "imap" in ways or ("password" in ways and digest is not None)


async def _wrong(visit: Visit, digest: str | None) -> tuple[str, int]:
    """Return what is wrong with what was typed to confirm, "" for nothing, and the status of that."""
    typed = visit.form.get("confirm")
    if not _asks_password(visit, digest):
        is_right = typed.strip().lower() == visit.account
        return ("", HTTPStatus.OK) if is_right else (WRONG_ADDRESS, HTTPStatus.UNPROCESSABLE_ENTITY)
    door = visit.site.doorkeeper
    where = client.address(visit.request, visit.site.config.options.proxies)
    try:
        door.admit(visit.account, client.subscriber(where), now=visit.now)
    except TooMany as error:
        return visit.say(TOO_MANY, minutes=ceil(error.wait / MINUTE)), HTTPStatus.TOO_MANY_REQUESTS
    try:
        is_right = await door.verify(visit.account, digest, typed)
    except ImapUnavailable as error:
        log.error("imap server unavailable error=%s", error)
        return AWAY, HTTPStatus.SERVICE_UNAVAILABLE
    if not is_right:
        return WRONG_PASSWORD, HTTPStatus.UNPROCESSABLE_ENTITY
    door.succeeded(visit.account, client.subscriber(where))
    return "", HTTPStatus.OK


async def _page(
    visit: Visit, *, asks_password: bool, wrong: str = "", status: int = HTTPStatus.OK
) -> Response:
    data = await read(visit)
    rules = visit.site.config.rules
    found = outlook.if_erased(data.records, data.owner, rules, now=visit.now)
    values = {
        "titles": TITLES,
        "going": [one for one in found if one.kept_until is None],
        "staying": [(one, _reason(visit, one, rules)) for one in found if one.kept_until is not None],
        "asks_password": asks_password,
        "wrong": wrong,
        "notify": visit.site.config.notices.is_on,
    }
    return visit.page("erasing.html", values, status=status)


def _reason(visit: Visit, one: outlook.Outlook, rules: Rules) -> str:
    """Return why records stay, and until when."""
    assert one.clock is not None and one.kept_until is not None and one.gone_by is not None  # noqa: S101
    floor = rules.period(one.records.kind, one.clock, Bound.FLOOR)
    return visit.say(
        REASONS[one.clock],
        period=Speech(visit.language.name).period(str(floor)),
        start=visit.language.day(one.kept_until),
        end=visit.language.day(one.gone_by),
    )
