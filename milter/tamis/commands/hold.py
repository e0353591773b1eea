"""`tamis hold`: keep an account's records for an authority, whatever else would end their time."""

from __future__ import annotations

import argparse
import sys

from tamis.commands import verbs
from tamis.commands.accounts import recorded
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, common, print_json, verb, words
from tamis.commands.lines import harmless
from tamis.commands.times import end, written
from tamis.config import Config
from tamis.desk import holds
from tamis.desk.holds import NoSuchHold, Request
from tamis.judgement import milliseconds_now
from tamis.store import holds as stored
from tamis.store.database import Database
from tamis.store.holds import Hold
from tamis.ticket import timestamp

ABOUT = """Nothing of a held account is purged or erased until the hold ends. Holds and releases are on record
themselves ([retention.legal_act])."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("hold", help="keep records for an authority", description=__doc__)
    common(parser)
    several = parser.add_subparsers(required=True, metavar="VERB", help="tamis hold VERB --help")
    add = verb(several, "add", "Hold the records of an account, and print the hold's ID.")
    add.add_argument("address", metavar="ADDRESS")
    add.add_argument(
        "--until",
        metavar="T",
        type=end,
        required=True,
        help="RFC 3339, or YYYY-MM-DD for the end of that day (UTC)",
    )
    add.add_argument("--reference", metavar="R", type=words, required=True, help="of the authority's letter")
    add.add_argument("--authority", metavar="NAME", type=words, required=True, help="who asks for it")
    add.add_argument("--basis", metavar="B", type=words, help="the law that it rests on")
    add.set_defaults(act=_add)
    every = verb(several, "list", "List the holds, oldest first, with those that have ended.")
    every.set_defaults(act=_list)
    release = verb(several, "release", "End a hold now. Exit status 1: there is none of that ID.")
    release.add_argument("id", metavar="ID")
    release.set_defaults(act=_release)
    for one in (add, release):
        one.epilog = ABOUT
    parser.set_defaults(run=verbs.at_the_desk)


def _add(args: argparse.Namespace, config: Config, database: Database) -> int:
    now = milliseconds_now()
    if args.until <= now:
        raise WrongUse(f"--until: expected a time to come, got {timestamp(args.until)}")
    account = recorded(args.address, config, database)
    request = Request(args.reference, args.authority, args.basis)
    with database.writing() as connection:
        hold = holds.add(connection, account, request, until=args.until, now=now)
    _print(args, hold, now=now)
    return 0


def _list(args: argparse.Namespace, _: Config, database: Database) -> int:
    with database.reading() as connection:
        for one in stored.find(connection):
            _print(args, one, now=milliseconds_now())
    return 0


def _release(args: argparse.Namespace, _: Config, database: Database) -> int:
    try:
        with database.writing() as connection:
            holds.release(connection, args.id.strip().upper(), now=milliseconds_now())
    except NoSuchHold as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 1
    return 0


def _print(args: argparse.Namespace, hold: Hold, *, now: int) -> None:
    state = holds.state(hold, now=now)
    reference, authority, basis = (hold.act.get(key) for key in ("reference", "authority", "basis"))
    if args.json:
        print_json(
            {
                "id": hold.id,
                "account": hold.account,
                "state": state,
                "until": timestamp(hold.until),
                "released": written(hold.released),
                "reference": reference,
                "authority": authority,
                "basis": basis,
            }
        )
    else:
        rest = f"until {timestamp(hold.until)}  {authority}, {reference}"
        print(harmless(f"{hold.id}  {state:<8}  {hold.account}  {rest}"))
