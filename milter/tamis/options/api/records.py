"""Calls about what is kept about an account."""

from __future__ import annotations

from pydantic import BaseModel

from tamis.desk import report
from tamis.desk.shown import NO_ACCOUNT
from tamis.options.api import models
from tamis.options.api.call import Asked
from tamis.options.pool import Clerk
from tamis.ticket import timestamp


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
