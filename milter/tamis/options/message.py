"""One message of a user's own: what was done with it and why, and what to do where that was wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.desk import corrections, own_mail
from tamis.desk.corrections import Edit, Meaning, Reach
from tamis.desk.own_mail import Kind, Seen
from tamis.options.mail import ID
from tamis.options.pool import Clerk
from tamis.options.senders import ALL, TOO_MANY
from tamis.options.standing import Standing, standing
from tamis.options.told import Told
from tamis.options.visit import Visit
from tamis.preferences import LISTS, MAX_PATTERNS
from tamis.store.changes import USER
from tamis.store.pseudonyms import is_pseudonym
from tamis.ticket import time_of
from tamis.words.catalogue import text

Choice = TypeVar("Choice", bound=str)

MEANINGS: Mapping[Meaning, str] = {
    Meaning.NOT_SPAM: text("This is not spam"),
    Meaning.SPAM: text("This is spam"),
    Meaning.NEWSLETTER: text("This is a newsletter"),
    Meaning.SOCIAL: text("This is from a social network"),
    Meaning.NO_CLASS: text("This is neither a newsletter nor from a social network"),
}
REACHES: Mapping[Reach, str] = {
    Reach.ADDRESS: text("Only {address}"),
    Reach.DOMAIN: text("All of {domain}"),
    Reach.SITE: text("All of {domain} and what is below it"),
}
SENT = text("A message that you sent")
TITLES = {one.key: one.title for one in ALL}


@dataclass(frozen=True, slots=True)
class Case:
    """A message, and what its reader's lists say of its sender."""

    seen: Seen
    standing: Standing
    threshold: float | None
    listed: corrections.Lists
    edits: Sequence[Edit]  # that were made just now

    @property
    def is_locked(self) -> bool:
        """Whether the operator keeps the lists."""
        return any(key in self.standing.shown.locked for key in LISTS)

    @property
    def sender(self) -> str:
        """The address that lists can name, "" where there is none, or it is the reader's own."""
        sender = str(self.seen.ticket["sender"])
        if self.seen.is_sent or is_pseudonym(sender) or not corrections.reaches(sender):
            return ""
        return sender

    @property
    def is_class_found(self) -> bool:
        """Whether no list has put the message into its class, so that none can take it out."""
        is_sorted = {Kind.NEWSLETTER, Kind.SOCIAL, Kind.LIST} & self.seen.kinds()
        return bool(is_sorted) and Meaning.NO_CLASS not in self.meanings

    @property
    def meanings(self) -> Sequence[Meaning]:
        """What can be said of the message that was not found."""
        found = {one[name] for one in self.seen.own for name in ("antispam", "graymail")}
        if not self.sender or any(one["antivirus"] == "infected" for one in self.seen.own):
            return ()
        wanted = [Meaning.NOT_SPAM if "spam" in found else Meaning.SPAM]
        if "spam" not in found:
            wanted += [one for one in (Meaning.NEWSLETTER, Meaning.SOCIAL) if one.value not in found]
        if {"senders.newsletter", "senders.social"} & self.listed.keys():
            wanted.append(Meaning.NO_CLASS)
        return wanted


async def show(visit: Visit) -> Response:
    """Show a message."""
    return _page(visit, await _case(visit), "", HTTPStatus.OK)


async def change(visit: Visit) -> Response:
    """Put right what was wrong, or take that back."""
    case = await _case(visit)
    if case.is_locked:
        raise HTTPException(HTTPStatus.CONFLICT)
    undone = _time(visit.form.get("undo"))
    edit = partial(_undo, visit, undone) if undone else _correction(visit, case)
    try:
        is_changed = await visit.work(edit)
    except ValueError:  # as many as there may be
        wrong = visit.say(TOO_MANY, most=MAX_PATTERNS)
        return _page(visit, case, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    done = str(visit.now) if is_changed else "nothing"
    return visit.go("message", f"saved={done}", ticket=case.seen.ticket["id"])


def _correction(visit: Visit, case: Case) -> Callable[[Clerk], bool]:
    """Return what the form wants done; raise HTTPException for what it cannot."""
    meaning = _chosen(visit.form.get("meaning"), case.meanings)
    reach = _chosen(visit.form.get("reach"), corrections.reaches(case.sender))

    def correct(clerk: Clerk) -> bool:
        with visit.writing(clerk) as connection:
            return corrections.correct(
                connection,
                visit.account,
                case.sender,
                meaning,
                reach,
                actor=USER,
                notify=visit.site.config.notices.is_on,
                now=visit.now,
            )

    return correct


def _undo(visit: Visit, time: int, clerk: Clerk) -> bool:
    notify = visit.site.config.notices.is_on
    with visit.writing(clerk) as connection:
        return corrections.undo(connection, visit.account, time, actor=USER, notify=notify, now=visit.now)


async def _case(visit: Visit) -> Case:
    """Return what the address names; raise HTTPException where the visitor has no such message."""
    ticket_id = visit.request.path_params["ticket"]
    if not ID.fullmatch(ticket_id):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    config = visit.site.config
    saved = _time(visit.request.query_params.get("saved", ""))

    def find(clerk: Clerk) -> Case:
        found = standing(visit, clerk)
        with clerk.database.reading() as connection:
            seen = own_mail.one(connection, visit.account, ticket_id)
            if seen is None:
                raise HTTPException(HTTPStatus.NOT_FOUND)
            threshold = own_mail.threshold(
                connection, visit.account, seen.ticket, config=config, accounts=clerk.accounts, now=visit.now
            )
            listed = corrections.listed(connection, visit.account, str(seen.ticket["sender"]))
            edits = corrections.made(connection, visit.account, saved) if saved else ()
            return Case(seen, found, threshold, listed, edits)

    return await visit.work(find)


def _chosen(given: str, offered: Collection[Choice]) -> Choice:
    found = next((one for one in offered if one == given), None)
    if found is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return found


def _time(given: str) -> int:
    """Return the Unix time in ms that an address or a form names, 0 where it is none."""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0


def _page(visit: Visit, case: Case, wrong: str, status: int) -> Response:
    seen = case.seen
    told = Told(visit.language, visit.site.config)
    values = {
        "ticket": seen.ticket["id"],
        "moment": visit.language.moment(time_of(seen.ticket["id"])),
        "is_sent": seen.is_sent,
        "title": visit.say(SENT) if seen.is_sent else told.sender(seen),
        "recipients": told.recipients(seen) if seen.is_sent else (),
        "sent": told.sent(seen) if seen.is_sent else None,
        "copies": told.copies(seen, case.threshold),
        "facts": told.facts(seen),
        "only_watched": seen.only_watched,
        "is_hidden": is_pseudonym(str(seen.ticket["sender"])) and not seen.is_sent,
        "sender": case.sender,
        "meanings": {one: MEANINGS[one] for one in case.meanings},
        "reaches": _reaches(visit, case.sender),
        "likely": corrections.likely(case.sender),
        "listed": case.listed,
        "is_class_found": case.is_class_found,
        "lists": TITLES,
        "is_locked": case.is_locked,
        "edits": case.edits,
        "edited": _time(visit.request.query_params.get("saved", "")),
        "wrong": wrong,
        **case.standing.values(visit, LISTS),
    }
    return visit.page("message.html", values, status=status)


def _reaches(visit: Visit, sender: str) -> Mapping[Reach, str]:
    found = corrections.reaches(sender)
    return {
        one: visit.say(REACHES[one], address=sender, domain=patterns[0].removeprefix("@"))
        for one, patterns in found.items()
    }
