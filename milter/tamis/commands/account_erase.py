"""`tamis account erase`: delete what is recorded about an account."""

from __future__ import annotations

import argparse
import sys

from tamis.commands import purge, verbs
from tamis.commands.accounts import recorded, whose
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.commands.telling import tell
from tamis.config import Config
from tamis.desk import erasure
from tamis.desk.erasure import Kept
from tamis.desk.shown import NO_ACCOUNT
from tamis.judgement import milliseconds_now
from tamis.store import records, settings
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.ticket import timestamp


def add_verbs(several: Subparsers) -> None:
    """Add the verb."""
    erase = verb(
        several,
        "erase",
        "Delete an account and all records about it that no floor, no hold and no other account keeps, and "
        "say what stays. It cannot be undone. Exit status 1: there is nothing, or the answer was no.",
    )
    whose(erase)
    erase.add_argument("--yes", action="store_true", help="do not ask, as is done on a terminal")
    erase.set_defaults(run=verbs.at_the_desk, act=_erase)


def _erase(args: argparse.Namespace, config: Config, database: Database) -> int:
    address = recorded(args.address, config, database)
    with database.reading() as connection:
        if not records.exist(connection, address):
            return 1
    if not args.yes and not _agreed(address):
        print("tamis: nothing is erased", file=sys.stderr)
        return 1
    now, pace = milliseconds_now(), Pace()
    gone = erasure.erase(database, address, config.rules, notify=config.notices.is_on, now=now, pace=pace)
    tell(database, config)
    purge.clean_up(database, pace)
    stays = erasure.kept(database, address, config.rules, now=now)
    with database.reading() as connection:
        status = settings.status(connection, address) or NO_ACCOUNT
    if args.json:
        print_json({"address": address, "status": status, "erased": gone, "kept": list(map(_kept, stays))})
        return 0
    purge.print_lines("erased", gone)
    for one in map(_kept, stays):
        until = one["until"] or "not known"
        print(f"kept class={one['class']} count={one['count']} reason={one['reason']} until={until}")
    return 0


def _agreed(address: str) -> bool:
    """Ask, where somebody can answer."""
    if not sys.stdin.isatty():
        return True
    print(f"Erase {address} and all that is recorded about it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _kept(one: Kept) -> dict[str, object]:
    until = None if one.until is None else timestamp(one.until)
    return {"class": one.kind.value, "count": one.count, "reason": one.reason, "until": until}
