"""`tamis disclose`: show an authority an account's own part of tickets, its sign-ins and changed settings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tamis import config as configuration
from tamis.commands import verbs
from tamis.commands.accounts import recorded
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, as_json, common, words
from tamis.commands.lines import as_text, harmless, print_all
from tamis.commands.times import period
from tamis.config import Config
from tamis.desk import disclosure, handout, staff
from tamis.desk.disclosure import Order
from tamis.judgement import milliseconds_now
from tamis.retention.classes import RecordClass
from tamis.store.database import Database

ABOUT = """All of it must be given, and the jurisdiction stand in legal.jurisdictions: else nothing is read,
and the exit status is 2. What was ordered, by whom and on which basis is on record ([retention.legal_act])
before anything is shown."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "disclose", help="show an authority an account's records", description=__doc__, epilog=ABOUT
    )
    parser.add_argument("--account", metavar="A", required=True, help="whose records")
    period(parser, required=True)
    parser.add_argument("--reference", metavar="R", type=words, required=True, help="of the order")
    parser.add_argument("--authority", metavar="N", type=words, required=True, help="who orders it")
    parser.add_argument("--basis", metavar="B", type=words, required=True, help="the law that it rests on")
    parser.add_argument(
        "--jurisdiction", metavar="FR", type=str.upper, required=True, help="the authority's country"
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write there, where no file may be yet (default: print)"
    )
    common(parser)
    parser.set_defaults(run=run, act=_disclose)


def run(args: argparse.Namespace) -> int:
    """Disclose; where the order may not be carried out, 2 before the store is opened."""
    staff.admit()
    config = configuration.load(args.config)
    _check(args, config)
    return verbs.act(args, config)


def _check(args: argparse.Namespace, config: Config) -> None:
    allowed = config.legal.jurisdictions
    if args.jurisdiction not in allowed:
        known = f"only {', '.join(allowed)}" if allowed else "none"
        raise WrongUse(f"--jurisdiction {args.jurisdiction}: legal.jurisdictions allows {known}")
    if args.since >= args.until:
        raise WrongUse("--until: expected a time after --since")
    if args.output is not None:
        _check_output(args.output)


def _check_output(file: Path) -> None:
    if os.path.lexists(file):
        raise WrongUse(f"--output {file}: there is such a file")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise WrongUse(f"--output {file}: the folder cannot be written")


def _disclose(args: argparse.Namespace, config: Config, database: Database) -> int:
    order = Order(
        args.reference,
        args.authority,
        args.basis,
        args.jurisdiction,
        account=recorded(args.account, config, database),
        since=args.since,
        until=args.until,
    )
    act_id = disclosure.enter(database, order, now=milliseconds_now())
    lines = _lines(act_id, order, database, in_json=args.json)
    if args.output is None:
        return print_all(lines)
    try:
        with handout.written(args.output) as file:
            status = print_all(lines, lambda line: file.write(f"{line}\n".encode()))
    except OSError as error:
        raise WrongUse(f"--output {args.output}: {error.strerror}; the order {act_id} is on record") from None
    print(f"tamis: {args.output} is written, order {act_id}", file=sys.stderr)
    return status


def _lines(act_id: str, order: Order, database: Database, *, in_json: bool) -> Iterator[str]:
    """Return the order, and what it asks for."""
    head = {"id": act_id, **order.as_json()}
    yield as_json({"class": "disclosure", **head}) if in_json else _told(head)
    with database.reading() as connection:
        for kind, record in disclosure.carry_out(connection, order):
            if in_json:
                yield as_json({"class": kind.value, **record})
            elif kind is RecordClass.TICKET:
                yield as_text(record)
            else:
                yield _told({"class": kind.value, **record})


def _told(record: Mapping[str, object]) -> str:
    told = (f"{name}={value}" for name, value in record.items() if value is not None)
    return harmless(" ".join(told))
