"""An account's own records, as its user may see them: objects for JSON, and rows for tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tamis.accounts import Accounts
from tamis.desk import tokens
from tamis.desk.cells import Cell
from tamis.desk.view import OF_THE_MESSAGE, reveal, view
from tamis.preferences import KEYS, effective
from tamis.retention.classes import RecordClass
from tamis.store import aliases, api_tokens, owners, pseudonyms, records, settings, tickets
from tamis.store.changes import TAMIS, USER, is_users
from tamis.store.tickets import Query
from tamis.ticket import LATEST, time_of, timestamp

WEBMAIL = "webmail"  # its server, for the user
OPERATOR = "operator"  # who works for the provider is nobody's to see
SENDER = ("sender_account",)
RECIPIENT = (
    "address",
    "account",
    "antivirus",
    "malware",
    "antispam",
    "score",
    "graymail",
    "action",
    "reasons",
)
OUTGOING = ("antivirus", "malware", "antispam", "score", "graymail", "reasons")
TICKET = (
    *OF_THE_MESSAGE,
    *SENDER,
    *(f"recipient.{name}" for name in RECIPIENT),
    *(f"outgoing.{name}" for name in OUTGOING),
)

Object = Mapping[str, Any]


def one_row(record: Object) -> Iterator[Sequence[Cell]]:
    """Return a record's only row."""
    yield [_cell(value) for value in record.values()]


def dated(record: Object) -> dict[str, object]:
    """Return what all records begin with: their ID, and the time that it tells."""
    return {"id": record["id"], "time": timestamp(time_of(record["id"]))}


@dataclass(frozen=True, slots=True)
class Part:
    """The records of a kind."""

    name: str
    columns: Sequence[str]
    records: Iterator[Object]
    rows: Callable[[Object], Iterator[Sequence[Cell]]] = one_row


def parts(connection: Connection, address: str, accounts: Accounts, *, until: int) -> Iterator[Part]:
    """Return all that is kept about an address (lower case) from before a Unix time in ms."""
    yield Part(
        "account",
        ("address", "status", "created", "closed", "restricted", "last_sign_in"),
        _account(connection, address),
    )
    yield Part("settings", ("key", "value", "own"), _settings(connection, address, accounts), _setting_rows)
    yield Part("tickets", TICKET, mail(connection, address, until=until), _ticket_rows)
    yield Part("sessions", ("id", "time", "kind", "address"), sign_ins(connection, address, until=until))
    yield Part(
        "setting_changes",
        ("id", "time", "actor", "key", "old", "new"),
        changes(connection, address, until=until),
    )
    yield Part(
        "consents", ("id", "time", "purpose", "given", "actor"), _consents(connection, address, until=until)
    )
    yield Part("aliases", ("address",), ({"address": one} for one in aliases.leading(connection, address)))
    programs = (tokens.as_json(one) for one in api_tokens.of(connection, address))
    yield Part("programs", ("id", "name", "scope", "created", "used", "expires"), programs)


def _account(connection: Connection, address: str) -> Iterator[Object]:
    found = owners.dates(connection, address)
    if found is None:
        return
    status = settings.status(connection, address)
    dates = {name: None if when is None else timestamp(when) for name, when in found.items()}
    yield {"address": address, "status": status, **dates}


def _settings(connection: Connection, address: str, accounts: Accounts) -> Iterator[Object]:
    own = settings.own(connection, [address]).get(address)
    if own is None:
        return
    applied = effective(accounts.levels(address.rpartition("@")[2], own))
    for key in KEYS:
        yield {"key": key, "value": applied[key], "own": own.get(key)}


def _setting_rows(setting: Object) -> Iterator[Sequence[Cell]]:
    """Return a row for each pattern of a list, which together may be too long for a cell."""
    if not isinstance(setting["value"], list):
        yield from one_row(setting)
        return
    own = setting["own"] or ()
    for pattern in dict.fromkeys((*setting["value"], *own)):
        applied = pattern if pattern in setting["value"] else None
        yield setting["key"], applied, pattern if pattern in own else None


def mail(connection: Connection, address: str, *, since: int = 0, until: int) -> Iterator[Object]:
    """Return what an account may see of its tickets of a time in Unix ms, oldest first; raise Unreadable."""
    _, pseudonym = pseudonyms.names(connection, address)
    found = tickets.find(connection, Query(address, since=since, until=until))
    return tickets.read(found, lambda one: view(reveal(one, address, pseudonym), address))


def _ticket_rows(ticket: Object) -> Iterator[Sequence[Cell]]:
    message = [_cell(ticket.get(name)) for name in (*OF_THE_MESSAGE, *SENDER)]
    checks = ticket.get("outgoing", {})
    outgoing = [_cell(checks.get(name)) for name in OUTGOING]
    recipients: Sequence[Object] = ticket["recipients"] or ({},)
    for one in recipients:
        yield [*message, *(_cell(one.get(name)) for name in RECIPIENT), *outgoing]


def sign_ins(
    connection: Connection, address: str, *, since: int = 0, until: int = LATEST
) -> Iterator[Object]:
    """Return the sign-ins to an account of a time in Unix ms, oldest first."""
    for one in records.find(connection, RecordClass.SESSION, address, since=since, until=until):
        yield _sign_in(one)


def changes(connection: Connection, address: str, *, since: int = 0, until: int) -> Iterator[Object]:
    """Return the changes of an account's settings of a time in Unix ms, oldest first."""
    for one in records.find(connection, RecordClass.SETTING_CHANGE, address, since=since, until=until):
        yield _change(one)


def _consents(connection: Connection, address: str, *, until: int) -> Iterator[Object]:
    for one in records.find(connection, RecordClass.CONSENT, address, since=0, until=until):
        yield _consent(one)


def _sign_in(one: Object) -> Object:
    return {**dated(one), "kind": one["kind"], "address": one["address"]}


def _change(one: Object) -> Object:
    old, new = (None if one[name] is None else json.loads(str(one[name])) for name in ("old", "new"))
    return {**dated(one), "actor": _actor(one), "key": one["key"], "old": old, "new": new}


def _consent(one: Object) -> Object:
    return {**dated(one), "purpose": one["purpose"], "given": bool(one["given"]), "actor": _actor(one)}


SHOWN: Mapping[RecordClass, Callable[[Object], Object]] = {
    RecordClass.SESSION: _sign_in,
    RecordClass.SETTING_CHANGE: _change,
    RecordClass.CONSENT: _consent,
}


def newest(
    connection: Connection, kind: RecordClass, address: str, *, before: str, most: int
) -> tuple[list[Object], bool]:
    """Return the newest sign-ins, changes or consents of an account, newest first, from before an ID.

    They are so many at most, and fewer where they are long. Tell, too, whether there are older ones.
    """
    found, has_older = records.newest(connection, kind, address, before=before, most=most)
    return [SHOWN[kind](one) for one in found], has_older


def _actor(record: Object) -> object:
    actor = record["actor"]
    if is_users(actor):
        return USER if actor == USER else WEBMAIL
    return TAMIS if actor == TAMIS else OPERATOR


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | float | int):
        return value
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)
