"""`tamis account sessions`: sign-ins, which their user may see and delete."""

from __future__ import annotations

import argparse
import sys

from tamis.commands import verbs
from tamis.commands.accounts import recorded, whose
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.config import Config
from tamis.desk import readings, records, sessions
from tamis.judgement import milliseconds_now
from tamis.store.database import Database


def add_verbs(several: Subparsers) -> None:
    """Add the verb."""
    listed = verb(
        several,
        "sessions",
        "List the sign-ins to an account, oldest first, or delete them. Exit status 1: one that was to be "
        "deleted is not there, or has to stay.",
    )
    whose(listed)
    which = listed.add_mutually_exclusive_group()
    which.add_argument("--delete", metavar="ID", action="append", help="delete one; may be given repeatedly")
    which.add_argument("--delete-all", action="store_true", help="delete all of them")
    listed.set_defaults(run=verbs.at_the_desk, act=_sessions)


def _sessions(args: argparse.Namespace, config: Config, database: Database) -> int:
    address = recorded(args.address, config, database)
    if args.delete or args.delete_all:
        return _delete(address, args, config, database)
    readings.record(database, "account sessions", {"account": address}, now=milliseconds_now())
    with database.reading() as connection:
        for one in records.sign_ins(connection, address):
            if args.json:
                print_json(one)
            else:
                print(f"{one['time']}  {one['kind']:<7}  {one['address'] or '-'}  {one['id']}")
    return 0


def _delete(address: str, args: argparse.Namespace, config: Config, database: Database) -> int:
    now = milliseconds_now()
    ids = None if args.delete_all else tuple(dict.fromkeys(args.delete))
    with database.writing() as connection:
        done = sessions.delete(connection, address, ids, config.rules, now=now)
    missing = 0 if ids is None else len(ids) - done.gone - done.kept
    if done.kept:
        print(f"tamis: {address}: {done.kept} must stay (tamis hold, retention.session)", file=sys.stderr)
    if missing:
        print(f"tamis: {address}: {missing} of these are not there", file=sys.stderr)
    if args.json:
        print_json({"address": address, "deleted": done.gone, "kept": done.kept})
    return 1 if done.kept or missing else 0
