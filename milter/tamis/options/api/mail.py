"""Calls about an account's own mail: what became of it, and what was wrong with that."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from pydantic import BaseModel

from tamis.desk import corrections, own_mail
from tamis.desk.own_mail import Page, Seen, Wanted
from tamis.options.api import account, models
from tamis.options.api.call import Asked
from tamis.options.api.problems import Refused
from tamis.options.pool import Clerk
from tamis.preferences import LISTS


async def show_tickets(asked: Asked) -> BaseModel:
    """Return a page of tickets, newest first."""
    query = asked.query(models.Search)
    wanted = Wanted(_milliseconds(query.since), _milliseconds(query.until), query.sender, query.kind)

    def look(clerk: Clerk) -> Page:
        with clerk.database.reading() as connection:
            return own_mail.look(connection, asked.account, wanted, before=query.before, after=query.after)

    page = await asked.work(look)
    return models.Tickets(
        tickets=[_ticket(one) for one in page.seen],
        older=page.older or None,
        newer=page.newer or None,
    )


async def show_ticket(asked: Asked) -> BaseModel:
    """Return one ticket."""
    return _ticket(await asked.work(lambda clerk: _seen(asked, clerk)))


async def correct(asked: Asked) -> BaseModel:
    """Write what a user says of a message into his lists of senders."""
    sent = await asked.body(models.Correction)

    def put(clerk: Clerk) -> BaseModel:
        seen = _seen(asked, clerk)
        account.check_free(account.shown_of(asked, clerk), LISTS)
        if seen.is_sent:
            raise Refused(HTTPStatus.CONFLICT, "The account's own address is on no list.")
        with asked.writing(clerk) as connection:
            corrections.correct(
                connection,
                asked.account,
                str(seen.ticket["sender"]),
                sent.meaning,
                sent.reach,
                actor=asked.caller.actor,
                notify=asked.notify,
                now=asked.now,
            )
        return account.lists(account.shown_of(asked, clerk))

    try:
        return await asked.work(put)
    except ValueError:
        raise Refused(
            HTTPStatus.CONFLICT, "No list can name this sender so, or the list is full; nothing was saved."
        ) from None


def _seen(asked: Asked, clerk: Clerk) -> Seen:
    with clerk.database.reading() as connection:
        found = own_mail.one(connection, asked.account, asked.named("ticket"))
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such ticket.")
    return found


def _ticket(seen: Seen) -> models.Ticket:
    return models.Ticket.model_validate(seen.ticket)


def _milliseconds(when: datetime | None) -> int | None:
    return None if when is None else round(when.timestamp() * 1000)
