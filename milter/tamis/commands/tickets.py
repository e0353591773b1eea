"""`tamis tickets`: find tickets, oldest first; `tamis tickets verify`: tell whether they are as they were."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tamis.commands import verbs
from tamis.commands.arguments import Subparsers, common, print_json, verb
from tamis.commands.lines import as_text, print_all
from tamis.commands.times import period, written
from tamis.config import Config
from tamis.desk import readings
from tamis.judgement import milliseconds_now
from tamis.store import tickets, verification
from tamis.store.database import Database
from tamis.store.seals import name_of
from tamis.store.verification import Fault


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("tickets", help="find tickets", description=__doc__)
    parser.add_argument("--account", metavar="A", help="about this account, by its own address")
    parser.add_argument("--message-id", metavar="M", help="with or without angle brackets")
    period(parser, required=False)
    common(parser)
    parser.set_defaults(run=verbs.at_the_desk, act=_find)
    several = parser.add_subparsers(metavar="VERB", help="tamis tickets VERB --help")
    check = verb(
        several,
        "verify",
        "Find tickets that anything but Tamis has changed, added or removed. Exit status 1: there are some.",
    )
    check.set_defaults(run=verbs.run, act=_verify)


def _find(args: argparse.Namespace, _: Config, database: Database) -> int:
    account = args.account and args.account.strip().lower()
    query = tickets.Query(account, args.message_id, since=args.since, until=args.until)
    scope = asdict(query) | {"since": written(args.since), "until": written(args.until)}
    readings.record(database, "tickets", scope, now=milliseconds_now())
    with database.reading() as connection:
        found = tickets.find(connection, query)
        if args.json:
            return print_all(one.body.decode(errors="replace") for one in found)
        return print_all(tickets.read(found, as_text))


def _verify(args: argparse.Namespace, config: Config, database: Database) -> int:
    report = verification.verify(database)
    if args.json:
        print_json(asdict(report) | {"first": [_fault(one) for one in report.first]})
        return 1 if report.faults else 0
    for fault in report.first:
        told = {name: value for name, value in _fault(fault).items() if value is not None}
        print(" ".join(f"{name}={value}" for name, value in told.items()))
    print(
        f"{report.faults} faults in {report.tickets} tickets and what is left of {report.gone} others, "
        f"in {report.chains} chains, of which {report.sealed} are sealed by the key {report.key}"
    )
    return 1 if report.faults else 0


def _fault(fault: Fault) -> dict[str, object]:
    day = None if fault.day is None else name_of(fault.day)
    return asdict(fault) | {"fault": fault.fault.value, "day": day}
