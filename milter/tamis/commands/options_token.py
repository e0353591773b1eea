"""`tamis options token`: tokens by which webmails' servers act for their users."""

from __future__ import annotations

import argparse

from tamis.commands import tokens, verbs
from tamis.commands.arguments import Subparsers, verb
from tamis.config import Config
from tamis.store.database import Database


def add_verbs(several: Subparsers) -> None:
    """Add the verb."""
    token = verb(
        several,
        "token",
        "List the tokens by which webmails' servers act over the API for any user, whom they name; make one "
        "or revoke one. Exit status 1: one that was to be revoked is not there.",
    )
    tokens.add_arguments(token)
    token.set_defaults(run=verbs.run, act=_token)


def _token(args: argparse.Namespace, config: Config, database: Database) -> int:
    return tokens.act(args, config, database, None)
