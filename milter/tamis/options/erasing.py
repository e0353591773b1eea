"""*My data*: erasure, with what goes and what stays explained before it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from tamis.desk import erasure, outlook
from tamis.options import confirming
from tamis.options.confirming import Wrong
from tamis.options.my_data import TITLES, read
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.promises.speech import Speech
from tamis.retention.classes import Clock
from tamis.retention.rules import Bound, Rules
from tamis.words.catalogue import text

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
    return await _page(visit, asks_password=await confirming.has_password(visit))


async def erase(visit: Visit) -> Response:
    """Begin to erase, sign everybody out, and let the rest be done behind the page."""
    asks_password = await confirming.has_password(visit)
    wrong = await _wrong(visit, asks_password=asks_password)
    if wrong is not None:
        return await _page(visit, asks_password=asks_password, unconfirmed=wrong.why, status=wrong.status)

    notify = visit.site.config.notices.is_on

    def begin(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
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


async def _wrong(visit: Visit, *, asks_password: bool) -> Wrong | None:
    """Return what is wrong with what was typed to confirm, None for nothing."""
    typed = visit.form.get("confirm")
    if asks_password:
        return await confirming.wrong(visit, typed)
    is_right = typed.strip().lower() == visit.account
    return None if is_right else Wrong(visit.say(WRONG_ADDRESS), HTTPStatus.UNPROCESSABLE_ENTITY)


async def _page(
    visit: Visit, *, asks_password: bool, unconfirmed: str = "", status: int = HTTPStatus.OK
) -> Response:
    data = await read(visit)
    rules = visit.site.config.rules
    found = outlook.if_erased(data.records, data.owner, rules, now=visit.now)
    values = {
        "titles": TITLES,
        "going": [one for one in found if one.kept_until is None],
        "staying": [(one, _reason(visit, one, rules)) for one in found if one.kept_until is not None],
        "asks_password": asks_password,
        "unconfirmed": unconfirmed,
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
