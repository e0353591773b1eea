"""*E-mail reception*: which filters look at incoming mail, and what becomes of what they find."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from tamis.desk import settings
from tamis.desk.shown import Shown
from tamis.options.filters import ANSWERS, FILTERS, NAMES
from tamis.options.pool import Clerk
from tamis.options.standing import Standing, standing
from tamis.options.visit import Visit
from tamis.preferences import SWITCHES, THRESHOLD, TREATMENTS, Treatment, Value, parse
from tamis.store.changes import USER
from tamis.words.catalogue import text

SEEN = "seen."  # before a key: the field of what was in force when the form was made
KEYS = (*SWITCHES, *TREATMENTS, THRESHOLD)  # that the page's form sets

WRONG_THRESHOLD = text("Enter a number of points between -1000 and 1000, such as 5.0.")
WRONG_CHOICE = text("Choose one of these.")
LOCKED = text("{title}: your provider has set this for all users since you opened the page.")


async def start(visit: Visit) -> Response:
    """Lead to the first page."""
    return visit.go("reception")


async def show(visit: Visit) -> Response:
    """Show what is in force."""
    return _page(visit, await visit.work(lambda clerk: standing(visit, clerk)), {}, HTTPStatus.OK)


async def change(visit: Visit) -> Response:
    """Put in force what the form says, all of it or nothing."""
    found = await visit.work(lambda clerk: standing(visit, clerk))
    wanted, wrong = _wanted(visit, found.shown)
    seen = _seen(visit)
    taken = _taken(visit, found.shown, seen)
    if wrong or taken:
        status = HTTPStatus.CONFLICT if taken else HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(visit, found, wrong | taken, status)
    values = {
        key: value for key, value in wanted.items() if value not in (found.shown.applied[key], seen.get(key))
    }
    notify = visit.site.config.notices.is_on

    def put(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
            settings.put(connection, visit.account, values, actor=USER, notify=notify, now=visit.now)

    if values:
        await visit.work(put)
    return visit.go("reception", "saved=" + ("yes" if values else "nothing"))


def _wanted(visit: Visit, found: Shown) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the values of the keys that are the user's to change, and what is wrong with others."""
    wanted: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    for key in KEYS:
        if key in found.locked or found.is_restricted:
            continue
        try:
            wanted[key] = _given(visit, key)
        except ValueError:
            wrong[key] = visit.say(WRONG_THRESHOLD if key == THRESHOLD else WRONG_CHOICE)
    return wanted, wrong


def _given(visit: Visit, key: str) -> Value:
    """Return what the form says of a key; raise ValueError."""
    given = visit.form.get(key)
    if key in SWITCHES:
        given = given or "off"  # what is not ticked is not sent
    return parse(key, given.replace(",", ".") if key == THRESHOLD else given)


def _taken(visit: Visit, found: Shown, seen: Mapping[str, Value]) -> dict[str, str]:
    """Return a word on each key that was the user's to change when the form was made, and is no more."""
    taken: dict[str, str] = {}
    for key in found.locked:
        with contextlib.suppress(ValueError):
            if key in seen and _given(visit, key) != seen[key]:
                taken[key] = visit.say(LOCKED, title=visit.say(NAMES[key]))
    return taken


def _seen(visit: Visit) -> dict[str, Value]:
    """Return what the form has shown to be in force: what differs from that is meant, and nothing else.

    Another browser, the webmail or the operator may have changed the rest since.
    """
    seen: dict[str, Value] = {}
    for key in KEYS:
        with contextlib.suppress(ValueError):  # of a key that was not the user's to change then
            seen[key] = parse(key, visit.form.get(SEEN + key))
    return seen


def _page(visit: Visit, found: Standing, wrong: Mapping[str, str], status: int) -> Response:
    config = visit.site.config
    given = {key: visit.form.get(key) for key in KEYS if key not in found.shown.locked} if wrong else {}
    values = {
        **found.values(visit, KEYS),
        "filters": FILTERS,
        "names": NAMES,
        "keys": KEYS,
        "answers": _answers(config.mail.recipient_delimiter != ""),
        "folders": {
            "antispam.action": config.filing.spam,
            "graymail.newsletter": config.filing.newsletter,
            "graymail.social": config.filing.social,
            "graymail.list": config.filing.list,
        },
        "applied": {**found.shown.applied, **given},
        "seen": {**found.shown.applied, **(_seen(visit) if wrong else {})},
        "locked": KEYS if found.shown.is_restricted else found.shown.locked,
        "wrong": wrong,
        "outgoing": config.outgoing,
        "only_watches": config.milter.mode == "shadow",
    }
    return visit.page("reception.html", values, status=status)


def _answers(can_file: bool) -> Mapping[str, str]:
    return {one: words for one, words in ANSWERS.items() if can_file or one != Treatment.FILE}
