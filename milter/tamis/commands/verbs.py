"""Running a verb of a command that works on the store, such as `tamis account set`."""

from __future__ import annotations

import argparse
import contextlib

from tamis import config as configuration
from tamis.config import Config
from tamis.desk import staff
from tamis.service import parts
from tamis.store.database import Database


def run(args: argparse.Namespace) -> int:
    """Run args.act(args, config, database) and return its exit status."""
    return act(args, configuration.load(args.config))


def at_the_desk(args: argparse.Namespace) -> int:
    """Do the same for those alone who may see people's records; raise NotAdmitted."""
    staff.admit()
    return run(args)


def act(args: argparse.Namespace, config: Config) -> int:
    """Do the same once the configuration is at hand."""
    parts.prepare_store(config)
    with contextlib.closing(Database(config.store)) as database:
        status: int = args.act(args, config, database)
    return status
