"""`tamis egress`: what the configuration sends where."""

from __future__ import annotations

import argparse

from tamis import config as configuration
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.egress import manifest


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("egress", help="list what leaves this host", description=__doc__)
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print each connection, those that leave the host first."""
    connections = sorted(manifest(configuration.load(args.config)), key=lambda one: not one.leaves_host)
    if args.json:
        for one in connections:
            print_json(one.as_json())
        return 0
    for one in connections:
        where = "LEAVES THIS HOST" if one.leaves_host else "stays on this host"
        print(f"{where:<18}  {one.purpose:<9}  {one.peer}: {one.carries}")
    if not any(one.leaves_host for one in connections):
        print("Nothing leaves this host.")
    return 0
