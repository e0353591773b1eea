"""Listing, making and revoking tokens of the API: those of an account, and those of webmails' servers."""

from __future__ import annotations

import argparse
import sys

from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import print_json
from tamis.commands.times import end
from tamis.config import Config
from tamis.desk import staff
from tamis.desk import tokens as desk
from tamis.judgement import milliseconds_now
from tamis.options import keys
from tamis.options.keys import Keys
from tamis.service import parts
from tamis.store import api_tokens
from tamis.store.api_tokens import Scope
from tamis.store.database import Database
from tamis.ticket import timestamp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is to be done to a verb's parser."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--new", metavar="NAME", type=_name, help="make one, which is shown this once, and call it NAME"
    )
    which.add_argument("--revoke", metavar="ID", help="let the program that has it in no more")
    parser.add_argument(
        "--scope",
        choices=[one.value for one in Scope],
        help="what the new one allows: to read (default), to change, too, or also to erase all there is",
    )
    parser.add_argument(
        "--until",
        metavar="T",
        type=end,
        help="when the new one ends: RFC 3339, or YYYY-MM-DD for the end of that day (UTC); else never",
    )


def act(args: argparse.Namespace, config: Config, database: Database, account: str | None) -> int:
    """Do it for an account, or for webmails' servers (None); return the exit status."""
    if args.new is not None:
        return _make(args, config, database, account)
    if args.scope is not None or args.until is not None:
        raise WrongUse("--scope and --until are for a new token: --new NAME")
    if args.revoke is not None:
        return _revoke(args, config, database, account)
    with database.reading() as connection:
        found = [desk.as_json(one) for one in api_tokens.of(connection, account)]
    for one in found:
        if args.json:
            print_json(one)
        else:
            used = "never used" if one["used"] is None else f"used {one['used']}"
            ends = "" if one["expires"] is None else f"  until {one['expires']}"
            print(f"{one['id']}  {one['scope']:<6}  made {one['created']}{ends}  {used}  {one['name']}")
    return 0


def _make(args: argparse.Namespace, config: Config, database: Database, account: str | None) -> int:
    now = milliseconds_now()
    if args.until is not None and args.until <= now:
        raise WrongUse(f"--until: expected a time to come, got {timestamp(args.until)}")
    token = keys.new_token()
    digest = Keys(parts.web_key(config)).program(token)
    try:
        with database.writing() as connection:
            made = desk.make(
                connection,
                account,
                args.new,
                Scope(args.scope or Scope.READ),
                digest,
                expires=args.until,
                actor=staff.operator(),
                notify=config.notices.is_on,
                now=now,
            )
    except desk.TooMany as error:
        raise WrongUse(str(error)) from None
    if args.json:
        print_json({**desk.as_json(made), "token": keys.program(token)})
    else:
        print(keys.program(token))
        print("tamis: it is not shown again", file=sys.stderr)
    return 0


def _revoke(args: argparse.Namespace, config: Config, database: Database, account: str | None) -> int:
    with database.writing() as connection:
        was_there = desk.revoke(
            connection,
            account,
            args.revoke,
            actor=staff.operator(),
            notify=config.notices.is_on,
            now=milliseconds_now(),
        )
    if not was_there:
        print(f"tamis: there is no token {args.revoke}", file=sys.stderr)
        return 1
    if args.json:
        print_json({"id": args.revoke, "revoked": True})
    return 0


def _name(text: str) -> str:
    try:
        return desk.name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
