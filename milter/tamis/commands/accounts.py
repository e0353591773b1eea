"""Accounts as they are named on the command line."""

from __future__ import annotations

import argparse
import sys

from tamis.accounts import Accounts
from tamis.commands.addresses import WrongUse, address
from tamis.config import Config
from tamis.service import parts
from tamis.store import records
from tamis.store.database import Database

ABOUT = """ADDRESS may be the account's own address, one with a +detail, or an alias of one account; a
catch-all is not followed."""


def whose(parser: argparse.ArgumentParser) -> None:
    """Add ADDRESS to a verb's parser."""
    parser.add_argument("address", metavar="ADDRESS")
    parser.epilog = ABOUT


def named(given: str, config: Config, accounts: Accounts) -> str:
    """Return the account's own address that an address stands for."""
    typed = address(given)
    domain = typed.rpartition("@")[2]
    if domain not in config.mail.domains:
        raise WrongUse(f"{given}: {domain} is not in mail.domains")
    (resolution,) = accounts.resolve([typed])
    if len(resolution.members) > 1:
        raise WrongUse(f"{given} is a group of {len(resolution.members)}: name one of its members")
    (member,) = resolution.members
    if not member.local:
        raise WrongUse(f"{given} leads to {member.address}, which is not in mail.domains")
    found = member.account or accounts.without_detail(member.address)
    if found != typed:
        print(f"tamis: {given} stands for {found}", file=sys.stderr)
    return found


def recorded(given: str, config: Config, database: Database) -> str:
    """Return the account that records are about, also one that was erased or whose domain has left.

    Any other address is what it stands for now; raise WrongUse.
    """
    typed = address(given)
    with database.reading() as connection:
        if records.exist(connection, typed):
            return typed
    found = named(given, config, parts.named_accounts(config, database))
    with database.reading() as connection:
        if not records.exist(connection, found):
            print(f"tamis: nothing is recorded about {found} so far", file=sys.stderr)
    return found
