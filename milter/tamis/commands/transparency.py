"""`tamis transparency`: count a year's holds, disclosures and readings, without persons."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict

from tamis.commands import verbs
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.commands.lines import harmless
from tamis.config import Config
from tamis.desk import transparency
from tamis.store.acts import Kind
from tamis.store.database import Database

FIRST, LAST = 1970, 9998


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("transparency", help="count acts of the law", description=__doc__)
    parser.add_argument("--year", metavar="Y", type=_year, required=True, help="of UTC")
    common(parser)
    parser.set_defaults(run=verbs.run, act=_report)


def _year(text: str) -> int:
    if not (text.isascii() and text.isdigit() and FIRST <= int(text[:5]) <= LAST):
        raise argparse.ArgumentTypeError(f'expected a year such as 2026, got "{text}"')
    return int(text)


def _report(args: argparse.Namespace, _: Config, database: Database) -> int:
    totals = Counter(dict.fromkeys((Kind.DISCLOSURE.value, Kind.HOLD.value), 0))
    with database.reading() as connection:
        for row in transparency.report(connection, args.year):
            totals[row.kind] += row.acts
            if args.json:
                print_json(asdict(row))
            else:
                whom = ", ".join(filter(None, (row.authority, row.jurisdiction))) or "-"
                print(harmless(f"{row.kind:<10}  {row.acts:>6} about {row.accounts} accounts  {whom}"))
    if not args.json:
        print(f"{args.year}: {', '.join(f'{kind} {number}' for kind, number in sorted(totals.items()))}")
    return 0
