"""`tamis account report`: what there is about accounts."""

from __future__ import annotations

import argparse

from tamis.commands import verbs
from tamis.commands.account_settings import NO_ACCOUNT
from tamis.commands.accounts import recorded, whose
from tamis.commands.options import Subparsers, print_json, verb
from tamis.config import Config
from tamis.desk import report
from tamis.store.database import Database
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


def _report(args: argparse.Namespace, config: Config, database: Database) -> int:
    address = recorded(args.address, config, database)
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
