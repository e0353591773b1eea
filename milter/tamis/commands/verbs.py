"""Running a verb of a command that works on the store, such as `tamis account set`."""

from __future__ import annotations

import argparse
import contextlib
import sys

from tamis import config as configuration
from tamis.commands.addresses import WrongUse
from tamis.service import parts
from tamis.store.database import Database


def run(args: argparse.Namespace) -> int:
    """Run args.act(args, config, database) and return its exit status; 2 where it raises WrongUse."""
    config = configuration.load(args.config)
    parts.prepare_store(config)
    with contextlib.closing(Database(config.store)) as database:
        try:
            status: int = args.act(args, config, database)
        except WrongUse as error:
            print(f"tamis: {error}", file=sys.stderr)
            return 2
    return status
