"""*My data*: what is kept, a copy of it, restriction, closing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from tamis.desk import outlook, report, status
from tamis.desk.status import Act, NoAccount
from tamis.options.exports import Busy
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.promises import storage
from tamis.promises.speech import Speech
from tamis.promises.terms import limits
from tamis.retention.classes import RecordClass
from tamis.retention.due import Owner
from tamis.store import owners
from tamis.store.changes import USER
from tamis.store.extent import Extent
from tamis.store.tickets import Unreadable
from tamis.words.catalogue import text

log = logging.getLogger(__name__)

TITLES: Mapping[RecordClass, str] = {
    RecordClass.ACCOUNT: text("Your account and settings"),
    RecordClass.TICKET: text("What happened to your mail"),
    RecordClass.SESSION: text("Sign-ins"),
    RecordClass.SETTING_CHANGE: text("Changes of your settings"),
    RecordClass.CONSENT: text("What you agreed to"),
}
BUSY = text("An export is still on its way. Wait until it is there, then ask for the next.")
NOT_MADE = text("Your export cannot be made at present. It is noted for your provider; nothing is lost.")
DONE: Mapping[str, str] = {
    Act.CLOSE: text("Your account is closed."),
    Act.REOPEN: text("Your account is open again, as it was."),
    Act.RESTRICT: text("The use of your data is restricted: no filter looks at your next message."),
    Act.LIFT: text("The restriction is over: your filters look at your next message."),
}


@dataclass(frozen=True, slots=True)
class Data:
    """What there is about an account."""

    records: Sequence[Extent]
    owner: Owner
    created: int  # Unix ms


async def show(visit: Visit) -> Response:
    """Show what there is, and what can be done with it."""
    return _page(visit, await read(visit))


async def read(visit: Visit) -> Data:
    """Return what there is about the visitor."""

    def work(clerk: Clerk) -> Data:
        with clerk.database.reading() as connection:
            records = report.report(connection, visit.account).records
            owner = owners.owners(connection, [visit.account]).get(visit.account, Owner())
            created = next((one.oldest for one in records if one.kind is RecordClass.ACCOUNT), visit.now)
            return Data(records, owner, created)

    return await visit.work(work)


async def export(visit: Visit) -> Response:
    """Hand all of it out."""
    try:
        return await visit.site.exports.make(visit.account, now=visit.now)
    except Busy:
        return _page(visit, await read(visit), problem=BUSY, status=HTTPStatus.TOO_MANY_REQUESTS)
    except (Unreadable, OSError) as error:
        log.error("export not made error=%s", error)  # IDs, or what is wrong with the disk
        return _page(visit, await read(visit), problem=NOT_MADE, status=HTTPStatus.INTERNAL_SERVER_ERROR)


async def restrict(visit: Visit) -> Response:
    """Restrict the use of the account's data, or end that."""
    return await _carry_out(visit, Act.RESTRICT, Act.LIFT)


async def close(visit: Visit) -> Response:
    """Close the account, or reopen it."""
    return await _carry_out(visit, Act.CLOSE, Act.REOPEN)


async def _carry_out(visit: Visit, *acts: Act) -> Response:
    act = Act(visit.form.choice("do", acts))
    notify = visit.site.config.notices.is_on

    def work(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
            status.carry_out(connection, visit.account, act, actor=USER, notify=notify, now=visit.now)

    try:
        await visit.work(work)
    except NoAccount:  # it was erased meanwhile, and who asks is signed out by that
        return visit.go("my-data")
    if notify:
        visit.site.errands.tell(now=visit.now)
    return visit.go("my-data", f"done={act}")


def _page(visit: Visit, data: Data, *, problem: str = "", status: int = HTTPStatus.OK) -> Response:
    rules = visit.site.config.rules
    speech = Speech(visit.language.name)
    values = {
        "titles": TITLES,
        "records": data.records,
        "how_long": {
            kind: storage.how_long(kind, limits(rules, kind), str(rules.notice), speech) for kind in TITLES
        },
        "created": data.created,
        "owner": data.owner,
        "if_closed": outlook.if_closed(data.records, data.owner, rules, now=visit.now),
        "notify": visit.site.config.notices.is_on,
        "problem": problem,
        "done": DONE.get(visit.request.query_params.get("done", ""), ""),
    }
    return visit.page("my_data.html", values, status=status)
