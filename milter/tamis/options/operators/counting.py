"""Counts tickets by domain as they come, where there are operators who may ask."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from tamis.config import Config
from tamis.desk.domains import Tally
from tamis.interfaces import StoreUnavailable
from tamis.options.operators.beside import beside
from tamis.resend.handover import LONGEST
from tamis.store import operators
from tamis.store.database import Database
from tamis.store.pace import SHARE
from tamis.words.times import zone

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds
SLACK = 30.0  # seconds in which a ticket is committed when all else is done, and nodes' clocks may differ


def made(config: Config) -> Tally:
    """Return a tally of a configuration, of which nothing is counted yet."""
    copies = LONGEST if config.resend.relay else 0.0
    late = round(1000 * (config.milter.deadline + copies + SLACK))
    return Tally(config.mail.domains, zone(config.options.time_zone), late=late)


@contextlib.contextmanager
def counting(config: Config, tally: Tally, *, now: Callable[[], int]) -> Iterator[None]:
    """Count in this while."""
    with beside(config, "counting", lambda database: count(database, tally, now=now())):
        yield


def count(database: Database, tally: Tally, *, now: int) -> float:
    """Count a few tickets; return the seconds that are left to others then."""
    begun = time.monotonic()
    try:
        with database.reading() as connection:
            is_more = bool(operators.find(connection)) and tally.advance(connection, now=now)
    except StoreUnavailable as error:
        log.warning("messages by domain are not counted error=%s", error)
        return EVERY
    return SHARE * (time.monotonic() - begun) if is_more else EVERY
