"""`tamis account`: what accounts want, how they are, and what there is about them."""

from __future__ import annotations

from tamis.commands import (
    account_erase,
    account_password,
    account_records,
    account_sessions,
    account_settings,
    account_status,
    account_token,
    verbs,
)
from tamis.commands.arguments import Subparsers, common


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("account", help="show and change accounts", description=__doc__)
    common(parser)
    several = parser.add_subparsers(required=True, metavar="VERB", help="tamis account VERB --help")
    for part in (
        account_settings,
        account_status,
        account_records,
        account_sessions,
        account_password,
        account_token,
        account_erase,
    ):
        part.add_verbs(several)
    parser.set_defaults(run=verbs.run)
