"""`tamis breach-scope`: list the accounts whose records were there in a time, and so who must be told."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tamis.commands import verbs
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.commands.lines import harmless
from tamis.commands.times import period, written
from tamis.config import Config
from tamis.desk import readings
from tamis.judgement import milliseconds_now
from tamis.store import census
from tamis.store.census import Holder
from tamis.store.database import Database

ABOUT = """A record was there where it was made before --until; some were also made since --since. What has
been purged meanwhile is not counted."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "breach-scope", help="list who must be told of a breach", description=__doc__, epilog=ABOUT
    )
    period(parser, required=True)
    common(parser)
    parser.set_defaults(run=verbs.at_the_desk, act=_list)


def _list(args: argparse.Namespace, _: Config, database: Database) -> int:
    if args.since >= args.until:
        raise WrongUse("--until: expected a time after --since")
    scope = {"since": written(args.since), "until": written(args.until)}
    readings.record(database, "breach-scope", scope, now=milliseconds_now())
    with database.reading() as connection:
        for holder in census.count(connection, since=args.since, until=args.until):
            if args.json:
                print_json(_as_json(holder))
            else:
                print(_line(holder))
    return 0


def _as_json(holder: Holder) -> dict[str, object]:
    records = {kind.value: asdict(one) for kind, one in holder.records.items()}
    return {"account": holder.account, "status": holder.status, "records": records}


def _line(holder: Holder) -> str:
    counts = (f"{kind} {one.there} ({one.made} made)" for kind, one in holder.records.items())
    return harmless(f"{holder.account}  {holder.status or 'no account'}  {', '.join(counts)}")
