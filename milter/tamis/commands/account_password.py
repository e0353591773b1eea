"""`tamis account password`: the local password by which a user signs in to the web page."""

from __future__ import annotations

import argparse
import getpass
import sys

from argon2 import PasswordHasher

from tamis.commands.accounts import named, whose
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, print_json, verb
from tamis.commands.telling import tell
from tamis.config import Config
from tamis.desk import passwords as desk
from tamis.desk import staff
from tamis.judgement import milliseconds_now
from tamis.passwords import LONGEST, Passwords, WeakPassword, check
from tamis.service import parts
from tamis.store.database import Database


def add_verbs(several: Subparsers) -> None:
    """Add the verb."""
    password = verb(
        several,
        "password",
        "Set the password by which an account's user signs in to the web page: the first line of standard "
        "input, on a terminal asked for twice. Who is signed in is signed out.",
    )
    whose(password)
    password.add_argument(
        "--remove", action="store_true", help="take it away; exit status 1 where there is none"
    )
    password.set_defaults(act=_password)


def _password(args: argparse.Namespace, config: Config, database: Database) -> int:
    name = named(args.address, config, parts.named_accounts(config, database))
    digest = None if args.remove else Passwords(PasswordHasher()).hash(typed(name))
    with database.writing() as connection:
        was_put = desk.put(
            connection,
            name,
            digest,
            actor=staff.operator(),
            notify=config.notices.is_on,
            now=milliseconds_now(),
        )
    if not was_put:
        print(f"tamis: {name} has no password", file=sys.stderr)
        return 1
    tell(database, config)
    if digest is not None and "password" not in config.options.sign_in:
        print('tamis: options.sign_in does not name "password": nobody signs in by it', file=sys.stderr)
    if args.json:
        print_json({"address": name, "password": digest is not None})
    return 0


def typed(name: str) -> str:
    """Return the password that is typed or piped in; raise WrongUse."""
    if sys.stdin.isatty():
        given = getpass.getpass(f"new password of {name}: ")
        if getpass.getpass("the same again: ") != given:
            raise WrongUse("the two are not the same; nothing has changed")
    else:
        given = sys.stdin.readline(LONGEST + 2).rstrip("\r\n")
    try:
        check(given)
    except WeakPassword as error:
        raise WrongUse(f"password: {error}") from None
    return given
