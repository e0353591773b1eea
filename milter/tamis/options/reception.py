"""*E-mail reception*: which filters look at incoming mail, and what becomes of what they find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from tamis.desk import settings
from tamis.desk.shown import Shown, shown
from tamis.options.filters import ANSWERS, FILTERS
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.preferences import SWITCHES, THRESHOLD, TREATMENTS, Treatment, Value, parse
from tamis.store import changes
from tamis.store.changes import USER
from tamis.words.catalogue import text

KEYS = (*SWITCHES, *TREATMENTS, THRESHOLD)  # that the page's form sets

WRONG_THRESHOLD = text("Enter a number of points between -1000 and 1000, such as 5.0.")
WRONG_CHOICE = text("Choose one of these.")


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's settings, and since when."""

    shown: Shown
    since: Mapping[str, int]  # Unix ms, of the keys whose change is on record


async def start(visit: Visit) -> Response:
    """Lead to the first page."""
    return visit.go("reception")


async def show(visit: Visit) -> Response:
    """Show what is in force."""
    return _page(visit, await visit.work(lambda clerk: _standing(visit, clerk)), {}, HTTPStatus.OK)


async def change(visit: Visit) -> Response:
    """Put in force what the form says, all of it or nothing."""
    standing = await visit.work(lambda clerk: _standing(visit, clerk))
    wanted, wrong = _wanted(visit, standing.shown)
    if wrong:
        return _page(visit, standing, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    values = {key: value for key, value in wanted.items() if value != standing.shown.applied[key]}
    notify = visit.site.config.notices.is_on

    def put(clerk: Clerk) -> None:
        with clerk.database.writing() as connection:
            settings.put(connection, visit.account, values, actor=USER, notify=notify, now=visit.now)

    if values:
        await visit.work(put)
    return visit.go("reception", "saved=" + ("yes" if values else "nothing"))


def _standing(visit: Visit, clerk: Clerk) -> Standing:
    with clerk.database.reading() as connection:
        found = shown(connection, visit.account, config=visit.site.config, accounts=clerk.accounts)
        return Standing(found, changes.latest(connection, visit.account))


def _wanted(visit: Visit, found: Shown) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the values of the keys that are the user's to change, and what is wrong with others."""
    wanted: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    for key in KEYS:
        if key in found.locked or found.is_restricted:
            continue
        given = visit.form.get(key)
        if key in SWITCHES:
            given = given or "off"  # what is not ticked is not sent
        try:
            wanted[key] = parse(key, given.replace(",", ".") if key == THRESHOLD else given)
        except ValueError:
            wrong[key] = visit.say(WRONG_THRESHOLD if key == THRESHOLD else WRONG_CHOICE)
    return wanted, wrong


def _page(visit: Visit, standing: Standing, wrong: Mapping[str, str], status: int) -> Response:
    found = standing.shown
    config = visit.site.config
    given = {key: visit.form.get(key) for key in KEYS} if wrong else {}
    last = max((standing.since[key] for key in KEYS if key in standing.since), default=None)
    values = {
        "filters": FILTERS,
        "answers": _answers(config.mail.recipient_delimiter != ""),
        "folders": {
            "antispam.action": config.filing.spam,
            "graymail.newsletter": config.filing.newsletter,
            "graymail.social": config.filing.social,
            "graymail.list": config.filing.list,
        },
        "applied": {**found.applied, **given},
        "locked": KEYS if found.is_restricted else found.locked,
        "is_restricted": found.is_restricted,
        "since": standing.since,
        "last": last,
        "wrong": wrong,
        "saved": visit.request.query_params.get("saved", ""),
        "outgoing": config.outgoing,
        "only_watches": config.milter.mode == "shadow",
    }
    return visit.page("reception.html", values, status=status)


def _answers(can_file: bool) -> Mapping[str, str]:
    return {one: words for one, words in ANSWERS.items() if can_file or one != Treatment.FILE}
