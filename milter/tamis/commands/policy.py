"""`tamis policy`: the privacy notice of the configuration; `tamis policy diff`: what a change weakens."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from pydantic import ValidationError

from tamis import config as configuration
from tamis.commands.addresses import WrongUse
from tamis.commands.arguments import Subparsers, common, print_json, verb
from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.judgement import milliseconds_now
from tamis.promises import memory
from tamis.promises.comparison import Effect, compare
from tamis.promises.statement import statement
from tamis.promises.terms import Saved, Terms
from tamis.store.database import Database
from tamis.ticket import timestamp
from tamis.words.catalogue import SOURCE, languages


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("policy", help="write the privacy notice", description=__doc__)
    parser.add_argument("--language", choices=languages(), default=SOURCE, help="of the notice (default: en)")
    common(parser)
    parser.set_defaults(run=_show)
    several = parser.add_subparsers(metavar="VERB", help="tamis policy VERB --help")
    diff = verb(
        several,
        "diff",
        "Tell what the configuration weakens and strengthens beside an old one. "
        "Exit status 1: it weakens something.",
    )
    diff.add_argument("old", metavar="OLD", help="a configuration file, or what tamis policy --json printed")
    diff.set_defaults(run=_diff)


def _show(args: argparse.Namespace) -> int:
    config = configuration.load(args.config)
    terms = Terms.of(config)
    since = _since(config, terms)
    notice = statement(terms, args.language, since=since, now=milliseconds_now())
    if args.json:
        print_json(
            {
                "fingerprint": terms.fingerprint,
                "since": None if since is None else timestamp(since),
                "language": args.language,
                "text": notice,
                "terms": terms.model_dump(mode="json"),
            }
        )
    else:
        print(notice, end="")
    return 0


def _since(config: Config, terms: Terms) -> int | None:
    """Return since when the terms are in force; None where no store tells so."""
    try:
        with contextlib.closing(Database(config.store)) as database:
            if not database.exists:
                return None
            with database.reading() as connection:
                return memory.since(connection, terms)
    except StoreUnavailable:
        return None


def _diff(args: argparse.Namespace) -> int:
    new = Terms.of(configuration.load(args.config))
    changes = compare(_terms(args.old), new)
    for change in changes:
        if args.json:
            print_json(change.as_json())
        else:
            print(f"{change.effect.value:<11}  {change.key}: {change.text}")
    if not changes and not args.json:
        print("Nothing that is promised to users changes.")
    return 1 if any(change.effect is Effect.WEAKENS for change in changes) else 0


def _terms(name: str) -> Terms:
    """Return the terms of a configuration file or of a kept policy; raise ConfigError or WrongUse."""
    written = configuration.read(Path(name))
    if not written.lstrip().startswith("{"):
        return Terms.of(configuration.parse(written, name))
    try:
        return Saved.model_validate_json(written).terms
    except ValidationError:
        raise WrongUse(f"{name}: expected what tamis policy --json printed") from None
