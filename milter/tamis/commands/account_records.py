"""`tamis account report`, `export`: what there is about accounts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tamis.commands import verbs
from tamis.commands.accounts import recorded, whose
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.config import Config
from tamis.desk import export, readings, report
from tamis.desk.shown import NO_ACCOUNT
from tamis.judgement import milliseconds_now
from tamis.service import parts
from tamis.store.database import Database
from tamis.store.tickets import Unreadable
from tamis.ticket import timestamp


def add_verbs(several: Subparsers) -> None:
    """Add the verbs."""
    told = verb(
        several,
        "report",
        "Tell whether records about an account are kept: which classes, how many, oldest and newest. "
        "Exit status 1: none.",
    )
    whose(told)
    told.set_defaults(run=verbs.at_the_desk, act=_report)
    handed = verb(
        several,
        "export",
        "Write all that is kept about an account into a zip: JSON, CSV and XLSX. Exit status 1: nothing is.",
    )
    whose(handed)
    handed.add_argument("--output", metavar="FILE", type=Path, help="default: ADDRESS.zip in this folder")
    handed.add_argument("--force", action="store_true", help="replace a file of that name")
    handed.set_defaults(run=verbs.at_the_desk, act=_export)


def _report(args: argparse.Namespace, config: Config, database: Database) -> int:
    address = recorded(args.address, config, database)
    readings.record(database, "account report", {"account": address}, now=milliseconds_now())
    with database.reading() as connection:
        told = report.report(connection, address)
    records = [
        {
            "class": one.kind.value,
            "count": one.count,
            "oldest": timestamp(one.oldest),
            "newest": timestamp(one.newest),
        }
        for one in told.records
    ]
    status = told.status or NO_ACCOUNT
    if args.json:
        print_json({"address": told.address, "status": status, "kept": bool(records), "records": records})
    else:
        print(f"{told.address}  {status}: {'records are kept' if records else 'nothing is kept'}")
        for one in records:
            print(f"  {one['class']:<14}  {one['count']:>7}  {one['oldest']} to {one['newest']}")
    return 0 if records else 1


def _export(args: argparse.Namespace, config: Config, database: Database) -> int:
    address = recorded(args.address, config, database)
    path = args.output or Path(export.file_name(address))
    with database.reading() as connection:
        kept = report.report(connection, address).records
    if not kept:
        print(f"tamis: nothing is kept about {address}", file=sys.stderr)
        return 1
    now = milliseconds_now()
    readings.record(database, "account export", {"account": address}, now=now)
    accounts = parts.named_accounts(config, database)
    try:
        with database.reading() as connection:
            counts = export.export(connection, address, accounts, path, now=now, replace=args.force)
    except Unreadable as error:
        print(f"tamis: {path} is not written: {error}", file=sys.stderr)
        return 1
    except FileExistsError:
        raise WrongUse(f"{path} is there already: give another --output, or --force") from None
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}") from None
    if args.json:
        print_json({"address": address, "file": str(path), "records": counts})
    else:
        print(f"{path}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0
