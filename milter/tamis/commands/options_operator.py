"""`tamis options operator`: who may see the operator's overview."""

from __future__ import annotations

import argparse
import re
import sys

from argon2 import PasswordHasher

from tamis.commands import verbs
from tamis.commands.account_password import typed
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.config import Config
from tamis.judgement import milliseconds_now
from tamis.passwords import Passwords
from tamis.store import operators
from tamis.store.database import Database
from tamis.ticket import timestamp

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def add_verbs(several: Subparsers) -> None:
    """Add the verb with its own verbs."""
    operator = verb(several, "operator", "Say who may see the operator's overview.")
    own = operator.add_subparsers(required=True, metavar="VERB", help="tamis options operator VERB --help")
    add = verb(
        own,
        "add",
        "Add an operator, or set his password anew: the first line of standard input, on a terminal asked "
        "for twice. Who is signed in by the name is signed out.",
    )
    add.add_argument(
        "--no-password",
        action="store_true",
        help="he signs in by the reverse proxy alone (options.header.operator)",
    )
    add.set_defaults(act=_add)
    remove = verb(own, "remove", "Remove an operator, and sign him out. Exit status 1: there is none.")
    remove.set_defaults(act=_remove)
    for one in (add, remove):
        one.add_argument("name", metavar="NAME", type=_name, help='lower case; no address: "olga"')
    verb(own, "list", "List operators, and since when they are that, or have their passwords.").set_defaults(
        act=_list
    )
    operator.set_defaults(run=verbs.run)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError('expected up to 32 of a-z, 0-9, ".", "_" and "-"')
    return text


def _add(args: argparse.Namespace, config: Config, database: Database) -> int:
    digest = None if args.no_password else Passwords(PasswordHasher()).hash(typed(args.name))
    with database.writing() as connection:
        operators.put(connection, args.name, digest, now=milliseconds_now())
    if args.json:
        print_json({"name": args.name})
    return 0


def _remove(args: argparse.Namespace, config: Config, database: Database) -> int:
    with database.writing() as connection:
        was_there = operators.remove(connection, args.name)
    if not was_there:
        print(f"tamis: there is no operator {args.name}", file=sys.stderr)
        return 1
    if args.json:
        print_json({"name": args.name})
    return 0


def _list(args: argparse.Namespace, config: Config, database: Database) -> int:
    with database.reading() as connection:
        found = operators.find(connection)
    for one in found:
        if args.json:
            print_json(
                {"name": one.name, "password_set": timestamp(one.changed) if one.has_password else None}
            )
        else:
            since = "password set" if one.has_password else "no password, added"
            print(f"{one.name}  {since} {timestamp(one.changed)}")
    return 0
