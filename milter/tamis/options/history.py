"""*My data*: who changed a setting, when, from what to what; and what was agreed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from tamis.desk import records
from tamis.desk.passwords import KEY as PASSWORD
from tamis.desk.records import OPERATOR, WEBMAIL, Object
from tamis.desk.tokens import KEY as TOKEN
from tamis.options.filters import FILTERS
from tamis.options.pool import Clerk
from tamis.options.senders import ALL
from tamis.options.visit import Visit
from tamis.preferences import Treatment
from tamis.retention.classes import RecordClass
from tamis.store.changes import TAMIS, USER
from tamis.store.owners import Date
from tamis.ticket import time_of
from tamis.words.catalogue import text

PAGE = 50  # changes of a page at most, and consents
SAID = 5  # senders that are named of those that were added, or removed

BY: Mapping[str, str] = {
    USER: text("by you"),
    WEBMAIL: text("by you, in the webmail"),
    OPERATOR: text("by your provider"),
    TAMIS: text("by the filter itself"),
}
TITLES: Mapping[str, str] = {
    **{one.key: one.title for one in FILTERS},
    **{choice.key: choice.title for one in FILTERS for choice in one.choices},
    **{one.threshold: text("Points from which on mail is spam") for one in FILTERS if one.threshold},
    **{one.key: one.title for one in ALL},
}
# What is no setting: what it is called when it begins, and when it ends.
ACTS: Mapping[str, tuple[str, str]] = {
    Date.CLOSED: (text("Account closed"), text("Account reopened")),
    Date.RESTRICTED: (text("Use of your data restricted"), text("Restriction ended")),
    PASSWORD: (text("Password set"), text("Password removed")),
    TOKEN: (text("A program let in"), text("A program shut out")),
    "notice": (text("Mail to you about your account"), ""),
}
VALUES: Mapping[object, str] = {
    "on": text("on"),
    "off": text("off"),
    Treatment.MARK.value: text("marked"),
    Treatment.FILE.value: text("put into a folder"),
    Treatment.NONE.value: text("nothing"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A change in words."""

    time: int  # Unix ms
    title: str
    details: Sequence[str]
    by: str


async def show(visit: Visit) -> Response:
    """Show the newest changes, or those from before one, and the newest consents."""
    before = visit.request.query_params.get("before", "")

    def read(clerk: Clerk) -> tuple[Sequence[Object], bool, Sequence[Object]]:
        with clerk.database.reading() as connection:
            changes, has_older = records.newest(
                connection, RecordClass.SETTING_CHANGE, visit.account, before=before, most=PAGE
            )
            consents, _ = records.newest(connection, RecordClass.CONSENT, visit.account, before="", most=PAGE)
            return changes, has_older, consents

    changes, has_older, consents = await visit.work(read)
    values = {
        "changes": [_line(visit, one) for one in changes],
        "consents": [{**one, "time": time_of(one["id"])} for one in consents],
        "titles": TITLES,
        "by": BY,
        "older": changes[-1]["id"] if has_older else "",
        "is_first": not before,
    }
    return visit.page("history.html", values)


def _line(visit: Visit, change: Object) -> Line:
    key, old, new = change["key"], change["old"], change["new"]
    if key in ACTS:
        begun, ended = ACTS[key]
        title = ended if new is None else begun
        details = [str(new or old)] if key == TOKEN else []
    else:
        title, details = TITLES.get(key, key), list(_details(visit, old, new))
    return Line(time_of(change["id"]), title, details, BY[change["actor"]])


def _details(visit: Visit, old: object, new: object) -> Iterator[str]:
    """Return what a setting was and is; of a list, what was added and removed."""
    if isinstance(old, list) or isinstance(new, list):
        before, after = (dict.fromkeys(one if isinstance(one, list) else ()) for one in (old, new))
        for pattern, entries in (
            (text("Added: {entries}"), [one for one in after if one not in before]),
            (text("Removed: {entries}"), [one for one in before if one not in after]),
        ):
            if entries:
                named = ", ".join(entries[:SAID]) + (" …" if len(entries) > SAID else "")
                yield visit.say(pattern, entries=named)
    elif new is None:
        yield visit.say("no longer set by you")
    elif old is None:
        yield visit.say("set to: {new}", new=_value(visit, new))
    else:
        yield visit.say("from {old} to {new}", old=_value(visit, old), new=_value(visit, new))


def _value(visit: Visit, value: object) -> str:
    if isinstance(value, int | float):
        return visit.language.tenths(value)
    return visit.say(VALUES[value]) if value in VALUES else str(value)
