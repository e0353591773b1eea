"""Calls about what is kept about an account."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel
from starlette.responses import Response

from tamis.desk import erasure, records, report, sessions
from tamis.desk.shown import NO_ACCOUNT
from tamis.options.api import models
from tamis.options.api.call import Asked
from tamis.options.api.problems import Refused, Wrong
from tamis.options.exports import Busy
from tamis.options.language import choose, spoken
from tamis.options.pool import Clerk
from tamis.retention.classes import RecordClass
from tamis.store.owners import Status
from tamis.store.tickets import Unreadable
from tamis.ticket import timestamp

log = logging.getLogger(__name__)

PAGE = 50  # records of an answer at most


async def show_report(asked: Asked) -> BaseModel:
    """Return which records there are."""

    def work(clerk: Clerk) -> report.Report:
        with clerk.database.reading() as connection:
            return report.report(connection, asked.account)

    told = await asked.work(work)
    extents = [
        models.Extent(
            kind=one.kind.value,
            count=one.count,
            oldest=timestamp(one.oldest),
            newest=timestamp(one.newest),
        )
        for one in told.records
    ]
    return models.Report(
        address=told.address, status=told.status or NO_ACCOUNT, kept=bool(extents), records=extents
    )


async def show_sign_ins(asked: Asked) -> BaseModel:
    """Return a page of sign-ins."""
    found, older = await _newest(asked, RecordClass.SESSION)
    return models.SignIns(sign_ins=[models.SignIn.model_validate(one) for one in found], older=older)


async def show_changes(asked: Asked) -> BaseModel:
    """Return a page of changes."""
    found, older = await _newest(asked, RecordClass.SETTING_CHANGE)
    return models.Changes(changes=[models.Change.model_validate(one) for one in found], older=older)


async def delete_sign_ins(asked: Asked) -> BaseModel:
    """Delete all sign-ins."""
    return await _delete(asked, None)


async def delete_sign_in(asked: Asked) -> BaseModel:
    """Delete one."""
    deleted = await _delete(asked, [asked.named("sign_in")])
    if deleted.deleted + deleted.kept == 0:
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such sign-in.")
    return deleted


async def export(asked: Asked) -> Response:
    """Hand out all that is kept."""
    try:
        return await asked.site.exports.make(asked.account, now=asked.now)
    except Busy:
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            "The last export is not through yet, or too many others are not.",
            headers={"retry-after": "60"},
        ) from None
    except (Unreadable, OSError) as error:
        log.error("export not made error=%s", error)  # IDs, or what is wrong with the disk
        raise Refused(
            HTTPStatus.INTERNAL_SERVER_ERROR, "It cannot be made at present; noted for the provider."
        ) from None


async def erase(asked: Asked) -> BaseModel:
    """Begin to erase all about the account."""
    sent = await asked.body(models.Confirmation)
    if sent.address.strip().lower() != asked.account:
        wrong = Wrong(pointer="/address", detail="not the address of this account")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Nothing was erased.", errors=[wrong])

    def begin(clerk: Clerk) -> None:
        with asked.writing(clerk) as connection:
            erasure.begin(connection, asked.account, notify=asked.notify, now=asked.now)

    await asked.work(begin)
    asked.site.errands.erase(asked.account, now=asked.now)
    return models.Erasing(address=asked.account, status=Status.ERASED.value)


async def show_notice(asked: Asked) -> BaseModel:
    """Return the privacy notice."""
    wanted = spoken(asked.query(models.Speaking).language)
    accepted = asked.request.headers.get("accept-language", "")
    language = choose(wanted, accepted, asked.site.config.options.language)
    text = await asked.work(lambda clerk: asked.site.notice.markdown(clerk, language, now=asked.now))
    return models.Notice(language=language, text=text)


async def _newest(asked: Asked, kind: RecordClass) -> tuple[Sequence[records.Object], str | None]:
    before = asked.query(models.Before).before

    def read(clerk: Clerk) -> tuple[Sequence[records.Object], bool]:
        with clerk.database.reading() as connection:
            return records.newest(connection, kind, asked.account, before=before, most=PAGE)

    found, has_older = await asked.work(read)
    return found, str(found[-1]["id"]) if has_older else None


async def _delete(asked: Asked, ids: Sequence[str] | None) -> models.Deleted:
    rules = asked.site.config.rules

    def delete(clerk: Clerk) -> sessions.Deleted:
        with asked.writing(clerk) as connection:
            return sessions.delete(connection, asked.account, ids, rules, now=asked.now)

    found = await asked.work(delete)
    return models.Deleted(deleted=found.gone, kept=found.kept)
