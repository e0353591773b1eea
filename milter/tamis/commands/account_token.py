"""`tamis account token`: tokens by which programs act for an account."""

from __future__ import annotations

import argparse

from tamis.commands import tokens
from tamis.commands.accounts import named, whose
from tamis.commands.arguments import Subparsers, verb
from tamis.commands.telling import tell
from tamis.config import Config
from tamis.service import parts
from tamis.store.database import Database


def add_verbs(several: Subparsers) -> None:
    """Add the verb."""
    token = verb(
        several,
        "token",
        "List the tokens by which programs act for an account over the API, make one or revoke one. "
        "Exit status 1: one that was to be revoked is not there.",
    )
    whose(token)
    tokens.add_arguments(token)
    token.set_defaults(act=_token)


def _token(args: argparse.Namespace, config: Config, database: Database) -> int:
    name = named(args.address, config, parts.named_accounts(config, database))
    status = tokens.act(args, config, database, name)
    tell(database, config)
    return status
