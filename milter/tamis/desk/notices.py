"""Tells users what somebody else has done to their accounts, or is about to be done."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from sqlalchemy import Connection

from tamis.config import Config
from tamis.desk import post
from tamis.desk.english import ENGLISH
from tamis.desk.french import FRENCH
from tamis.desk.post import NotSent, Unavailable
from tamis.desk.words import Kind, Words
from tamis.retention.classes import KINDS, RecordClass
from tamis.retention.due import to_be_warned
from tamis.retention.rules import Rules
from tamis.store import changes, notices, owners, settings
from tamis.store.changes import TAMIS, Change
from tamis.store.database import Database
from tamis.store.notices import Notice
from tamis.store.owners import Date, Status
from tamis.ticket import time_of, timestamp

log = logging.getLogger(__name__)

HOUR = 3_600_000  # milliseconds
RETRY = HOUR
GIVE_UP = 30 * 24 * HOUR  # so that nobody's address waits for ever
LANGUAGES: Mapping[str, Words] = {"en": ENGLISH, "fr": FRENCH}


@dataclass(slots=True)
class Tally:
    """How many notices were sent, and what kept the others from it."""

    sent: int = 0
    failed: int = 0
    reason: str = ""  # of the last one that failed


def changed(connection: Connection, address: str, found: Sequence[Change], *, actor: str, now: int) -> None:
    """Have an account's user told of changes, in their transaction: of closing always, else of others'."""
    closed = any(one.key == Date.CLOSED and one.new is not None for one in found)
    if not found or (changes.is_users(actor) and not closed):
        return
    body = {"changes": [{"key": one.key, "old": one.old, "new": one.new} for one in found]}
    notices.add(connection, address, Kind.CLOSED if closed else Kind.CHANGED, body, now=now)


def password(connection: Connection, address: str, *, now: int) -> None:
    """Have a user told that his password was changed as by himself: somebody else may have known it."""
    notices.add(connection, address, Kind.PASSWORD, {}, now=now)


def erasing(connection: Connection, address: str, *, now: int) -> None:
    """Have a user told of an erasure once it is done, though it be killed before."""
    notices.add(connection, address, notices.ERASING, {}, now=now)


def erased(connection: Connection, address: str, kept: Mapping[RecordClass, int], *, now: int) -> None:
    """Have a user told of an erasure, in its last transaction, and until when (Unix ms) records stay.

    Nothing is done where nobody was to be told, or another process has seen to it.
    """
    if not notices.end(connection, address):
        return
    body = {"kept": {kind.value: _day(until) for kind, until in kept.items()}}
    notices.add(connection, address, Kind.ERASED, body, now=now)


def warn(database: Database, rules: Rules, *, now: int) -> None:
    """Have those told whose data would go as nobody signs in; raise StoreUnavailable."""
    with database.reading() as connection:
        found = [one for one, owner in owners.every(connection) if to_be_warned(owner, rules, now)]
    for address in found:
        with database.writing() as connection:
            owner = owners.owners(connection, [address]).get(address)
            waits = notices.waits(connection, address, Kind.INACTIVE)
            if owner is not None and to_be_warned(owner, rules, now) and not waits:
                notices.add(connection, address, Kind.INACTIVE, {}, now=now)


def attend(database: Database, config: Config, *, now: int) -> Tally:
    """Do all that is due: warn, and send what waits; raise StoreUnavailable."""
    if config.notices.is_on:
        warn(database, config.rules, now=now)
    return deliver(database, config, now=now)


def deliver(database: Database, config: Config, *, now: int) -> Tally:
    """Send what waits and was not tried within the last hour; raise StoreUnavailable.

    A kill between the MTA's answer and the record of it makes one mail go out a second time.
    """
    tally = Tally()
    if not config.notices.is_on:
        return tally
    before = now - RETRY
    with database.reading() as connection:
        waiting = notices.waiting(connection, tried_before=before)
    for notice_id in waiting:
        with database.writing() as connection:
            one = notices.take(connection, notice_id, tried_before=before, now=now)
            told = None if one is None else _mail(connection, one, config, now=now)
            if one is not None and told is None:
                notices.remove(connection, notice_id)
        if one is None or told is None:
            continue
        try:
            post.send(config.notices, told, one.account)
        except NotSent as error:
            tally.failed += 1
            tally.reason = str(error)
            log.warning("notice not sent id=%s kind=%s cause=%s", one.id, one.kind, error)
            if time_of(one.id) < now - GIVE_UP:
                _settle(database, one, sent=False, now=now)
            if isinstance(error, Unavailable):
                break
        else:
            tally.sent += 1
            _settle(database, one, sent=True, now=now)
    return tally


def _settle(database: Database, one: Notice, *, sent: bool, now: int) -> None:
    """Record that a notice was sent or given up, and forget it; about who was erased nothing new is kept."""
    log.info("notice settled id=%s kind=%s sent=%s", one.id, one.kind, sent)
    with database.writing() as connection:
        notices.remove(connection, one.id)
        if settings.status(connection, one.account) in (None, Status.ERASED):
            return
        change = Change("notice", None, {"kind": one.kind, "sent": sent})
        changes.record(connection, one.account, [change], actor=TAMIS, now=now)
        if sent and one.kind == Kind.INACTIVE:
            owners.put(connection, one.account, Date.WARNED, now)


def _mail(connection: Connection, one: Notice, config: Config, *, now: int) -> EmailMessage | None:
    """Return the mail of a notice; None where there is no reason for it any more."""
    words = LANGUAGES[config.notices.language]
    kind = Kind(one.kind)
    told = {"address": one.account, "time": _date(time_of(one.id))}
    if kind is Kind.INACTIVE:
        owner = owners.owners(connection, [one.account]).get(one.account)
        if owner is None or owner.last_sign_in is None or not to_be_warned(owner, config.rules, now):
            return None
        told |= {"last": _day(owner.last_sign_in), "until": _day(config.rules.notice.at_least_from(now))}
    elif kind is Kind.ERASED:
        told["kept"] = _kept(one.body["kept"], words, config.notices.language)
    elif kind is not Kind.PASSWORD:
        told["changes"] = "\n".join(_line(change, words) for change in one.body["changes"])
    mail = EmailMessage()
    mail["From"] = config.notices.sender
    mail["To"] = one.account
    mail["Subject"] = words.subjects[kind]
    mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    mail["Message-ID"] = make_msgid(domain=config.notices.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is to answer
    mail["Content-Language"] = config.notices.language
    mail.set_content(words.texts[kind].format(**told), cte="quoted-printable")
    return mail


def _kept(days: Mapping[str, str], words: Words, language: str) -> str:
    names = {kind: KINDS[RecordClass(kind)].name for kind in days}
    lines = (
        words.until.format(name=name.french if language == "fr" else name.english, day=days[kind])
        for kind, name in names.items()
    )
    return "\n".join((words.stays, *lines)) if days else words.gone


def _line(change: Mapping[str, object], words: Words) -> str:
    old, new = (_value(change[name], words) for name in ("old", "new"))
    return f"  {change['key']}: {old} -> {new}"


def _value(value: object, words: Words) -> str:
    if value is None:
        return words.nothing
    return ", ".join(map(str, value)) or "-" if isinstance(value, list | tuple) else str(value)


def _day(milliseconds: int) -> str:
    return timestamp(milliseconds)[:10]


def _date(milliseconds: int) -> str:
    return f"{timestamp(milliseconds)[:16].replace('T', ' ')} UTC"
