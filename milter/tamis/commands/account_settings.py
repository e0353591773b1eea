"""`tamis account show`, `set`, `list`: what accounts want."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from tamis.commands.accounts import ABOUT, named, whose
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.commands.telling import tell
from tamis.config import Config
from tamis.desk import settings as desk
from tamis.desk import staff
from tamis.desk.shown import NO_ACCOUNT, Shown, shown
from tamis.judgement import milliseconds_now
from tamis.preferences import KEYS, LISTS, Value, parse
from tamis.service import parts
from tamis.store import settings
from tamis.store.database import Database
from tamis.store.owners import Status

ASSIGNMENT = re.compile(r"([^=+-]+)(\+=|-=|=)(.*)", re.DOTALL)


def add_verbs(several: Subparsers) -> None:
    """Add the verbs."""
    show = verb(
        several,
        "show",
        "Show what is in force. Exit status 1: there is no account, or it was erased; the defaults apply.",
    )
    whose(show)
    show.set_defaults(act=_show)
    change = verb(several, "set", "Change settings: all of them, or with exit status 2 none.")
    whose(change)
    change.add_argument(
        "assignments", nargs="+", metavar="KEY=VALUE", help=f"keys: {', '.join(KEYS)}; lists take +=, -= too"
    )
    change.set_defaults(act=_set)
    change.epilog = f"{ABOUT} It gets one where there is none."
    every = verb(several, "list", "List the accounts, by address.")
    every.set_defaults(act=_list)


def _show(args: argparse.Namespace, config: Config, database: Database) -> int:
    accounts = parts.named_accounts(config, database)
    name = named(args.address, config, accounts)
    with database.reading() as connection:
        found = shown(connection, name, config=config, accounts=accounts)
    if args.json:
        print_json(found.as_json())
    else:
        _print(found)
    if found.status in (NO_ACCOUNT, Status.ERASED):
        why = "has no account" if found.status == NO_ACCOUNT else "was erased"
        print(f"tamis: {name} {why}: these are the defaults", file=sys.stderr)
        return 1
    return 0


def _set(args: argparse.Namespace, config: Config, database: Database) -> int:
    accounts = parts.named_accounts(config, database)
    name = named(args.address, config, accounts)
    wanted = [_assignment(text) for text in args.assignments]
    with database.writing() as connection:
        own = settings.own(connection, [name]).get(name, {})
        changed = _changed(own, wanted)
        desk.put(
            connection,
            name,
            changed,
            actor=staff.operator(),
            notify=config.notices.is_on,
            now=milliseconds_now(),
        )
        found = shown(connection, name, config=config, accounts=accounts)
    tell(database, config)
    for key in found.locked:
        if key in changed:
            print(f"tamis: {key} is locked by users.may_change: kept, but not in force", file=sys.stderr)
    if args.json:
        print_json(found.as_json())
    return 0


def _list(args: argparse.Namespace, config: Config, database: Database) -> int:
    with database.reading() as connection:
        for one in settings.accounts(connection):
            if args.json:
                print_json({"address": one.address, "status": one.status})
            else:
                print(f"{one.address}  {one.status}")
    return 0


def _assignment(text: str) -> tuple[str, str, str]:
    """Return key, operator and value of KEY=VALUE, KEY+=VALUE or KEY-=VALUE."""
    match = ASSIGNMENT.fullmatch(text)
    if match is None:
        raise WrongUse(f'expected KEY=VALUE, such as antispam=off, got "{text}"')
    return match[1].strip(), match[2], match[3].strip()


def _changed(own: dict[str, Value], wanted: Sequence[tuple[str, str, str]]) -> dict[str, Value]:
    """Return the new values of the keys that assignments name."""
    changed: dict[str, Value] = {}
    for key, operator, text in wanted:
        try:
            value = parse(key, text)
            if operator != "=":
                if key not in LISTS:
                    raise ValueError(f"expected {key}=VALUE: only lists take {operator}")
                before = changed.get(key, own.get(key, ()))
                value = parse(key, _combined(before, operator, value))
        except ValueError as error:
            raise WrongUse(f"{key}: {error}" if key in KEYS else str(error)) from None
        changed[key] = value
    return changed


def _combined(before: Value, operator: str, given: Value) -> list[str]:
    old = list(before) if isinstance(before, tuple) else []
    new = given if isinstance(given, tuple) else ()
    if operator == "+=":
        return [*old, *new]
    return [one for one in old if one not in new]


def _print(shown: Shown) -> None:
    """Print for people what applies, what of it is the account's own and what is locked."""
    print(f"{shown.address}  {shown.status}")
    for key, value in shown.applied.items():
        text = ", ".join(value) or "-" if isinstance(value, list) else str(value)
        notes = ["own"] * (key in shown.own) + ["locked"] * (key in shown.locked)
        print(f"  {key:<20}  {text}" + (f"  ({', '.join(notes)})" if notes else ""))
