"""`tamis serve`: the milter."""

from __future__ import annotations

import argparse
import sys

from tamis import config as configuration
from tamis.commands.arguments import Subparsers, common
from tamis.service import logs
from tamis.service.supervisor import Supervisor


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="run the milter", description=__doc__)
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 2 where the configuration or the socket cannot be used."""
    supervisor = Supervisor(configuration.find(args.config))
    logs.set_up()
    try:
        supervisor.run()
    except OSError as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 2
    return 0
