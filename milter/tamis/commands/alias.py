"""`tamis alias`: add, remove and list aliases, groups, catch-alls and domain aliases."""

from __future__ import annotations

import argparse
import sys

from tamis.commands import verbs
from tamis.commands.addresses import WrongUse
from tamis.commands.addresses import name as checked
from tamis.commands.arguments import Subparsers, common, print_json, verb
from tamis.config import Config
from tamis.store import aliases, settings
from tamis.store.aliases import Alias
from tamis.store.database import Database

ABOUT = """NAME is an address, or "@domain": with addresses as targets a catch-all, with one other "@domain" a
domain alias, so that bob@NAME is bob at the other domain. Several targets make a group."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("alias", help="add, remove and list aliases", description=__doc__)
    common(parser)
    several = parser.add_subparsers(required=True, metavar="VERB", help="tamis alias VERB --help")
    add = verb(several, "add", "Add targets to a name, which is made where it is missing.")
    add.add_argument("name", metavar="NAME")
    add.add_argument("targets", nargs="+", metavar="TARGET")
    add.set_defaults(act=_add)
    remove = verb(several, "remove", "Remove a name, or some of its targets. Exit 1: there is no such alias.")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("targets", nargs="*", metavar="TARGET")
    remove.set_defaults(act=_remove)
    for one in (add, remove):
        one.epilog = ABOUT
    every = verb(several, "list", "List the store's aliases by name; those of files and queries stand there.")
    every.set_defaults(act=_list)
    parser.set_defaults(run=verbs.run)


def _add(args: argparse.Namespace, config: Config, database: Database) -> int:
    name = checked(args.name)
    domain = name.rpartition("@")[2]
    if domain not in config.mail.domains:
        raise WrongUse(f"{args.name}: {domain} is not in mail.domains")
    given = [checked(target) for target in args.targets]
    with database.writing() as connection:
        before = aliases.targets(connection, [name]).get(name, ())
        after = Alias(name, tuple(dict.fromkeys((*before, *given))))
        _check_kind(after)
        circle = aliases.leads_back(connection, after)
        if after.targets != before:
            aliases.put(connection, after)
        hidden = settings.status(connection, name) is not None
    if circle:
        print(f"tamis: {name} leads back to itself: there it is not followed", file=sys.stderr)
    if hidden:
        print(f"tamis: {name} is an account, which comes before an alias of that name", file=sys.stderr)
    if "table" not in config.accounts.sources:
        print('tamis: without "table" in accounts.sources the alias has no effect', file=sys.stderr)
    if args.json:
        print_json(_as_json(after))
    return 0


def _remove(args: argparse.Namespace, config: Config, database: Database) -> int:
    name = checked(args.name)
    given = [checked(target) for target in args.targets]
    with database.writing() as connection:
        before = aliases.targets(connection, [name]).get(name, ())
        absent = [target for target in given if target not in before]
        if before and not absent:
            kept = tuple(target for target in before if given and target not in given)
            aliases.put(connection, Alias(name, kept))
            return 0
    what = f"target {absent[0]}" if before else "alias in the store"
    print(f"tamis: {name}: there is no such {what}", file=sys.stderr)
    return 1


def _list(args: argparse.Namespace, config: Config, database: Database) -> int:
    with database.reading() as connection:
        for one in aliases.aliases(connection):
            if args.json:
                print_json(_as_json(one))
            else:
                print(f"{one.name}  {', '.join(one.targets)}")
    return 0


def _as_json(one: Alias) -> dict[str, object]:
    return {"name": one.name, "targets": list(one.targets)}


def _check_kind(one: Alias) -> None:
    """Refuse a mixture of catch-all and domain alias, and "@domain" as a target of an address or itself."""
    if one.name.startswith("@") and one.name in one.targets:
        raise WrongUse(f"{one.name} cannot stand for itself")
    domains = [target for target in one.targets if target.startswith("@")]
    if domains and not one.name.startswith("@"):
        raise WrongUse(f"{domains[0]} can only be the target of a domain alias")
    if domains and len(one.targets) > 1:
        raise WrongUse(f"{one.name}: a domain alias has one target, here are {', '.join(one.targets)}")
