"""Sending what users are to be told, right after the command that did it."""

from __future__ import annotations

import sys

from tamis.config import Config
from tamis.desk import notices
from tamis.desk.notices import Tally
from tamis.judgement import milliseconds_now
from tamis.store.database import Database


def tell(database: Database, config: Config) -> None:
    """Send notices that wait; say where one could not be sent, which is no failure of the command."""
    _told(notices.deliver(database, config, now=milliseconds_now()))


def attend(database: Database, config: Config) -> None:
    """Do the same, and warn those to whose accounts nobody signs in."""
    _told(notices.attend(database, config, now=milliseconds_now()))


def _told(tally: Tally) -> None:
    if tally.failed:
        print(f"tamis: a notice could not be sent, and waits: {tally.reason}", file=sys.stderr)
