"""`tamis account close`, `reopen`, `restrict`: how accounts are."""

from __future__ import annotations

import argparse
import sys

from tamis.commands.accounts import named, whose
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.commands.telling import tell
from tamis.config import Config
from tamis.desk import staff, status
from tamis.desk.status import Act, NoAccount
from tamis.judgement import milliseconds_now
from tamis.service import parts
from tamis.store import settings
from tamis.store.database import Database


def add_verbs(several: Subparsers) -> None:
    """Add the verbs."""
    close = verb(
        several, "close", "Start the time after which records of a closed account go. Exit 1: no account."
    )
    close.set_defaults(act=_act, what=Act.CLOSE)
    reopen = verb(
        several, "reopen", "Make a closed account whole again. Exit 1: no account, or it is erased."
    )
    reopen.set_defaults(act=_act, what=Act.REOPEN)
    restrict = verb(
        several,
        "restrict",
        "Run no filter on the account's incoming mail, teach nothing by it, keep its tickets no longer than "
        "must be.",
    )
    restrict.add_argument("--lift", action="store_const", dest="what", const=Act.LIFT, help="end that")
    restrict.set_defaults(act=_act, what=Act.RESTRICT)
    for one in (close, reopen, restrict):
        whose(one)


def _act(args: argparse.Namespace, config: Config, database: Database) -> int:
    accounts = parts.named_accounts(config, database)
    name = named(args.address, config, accounts)
    (resolution,) = accounts.resolve([name])
    is_known = resolution.members[0].account == name  # perhaps to a file or a query alone
    now = milliseconds_now()
    try:
        with database.writing() as connection:
            before = settings.status(connection, name)
            if args.what is Act.RESTRICT or (is_known and before is None):
                settings.make(connection, name, now=now)
            changed = status.carry_out(
                connection, name, args.what, actor=staff.operator(), notify=config.notices.is_on, now=now
            )
            after = settings.status(connection, name)
    except NoAccount as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 1
    tell(database, config)
    if changed is None:
        print(f"tamis: {name}: nothing to do: it is {after}", file=sys.stderr)
    if args.json:
        print_json({"address": name, "status": after})
    return 0
