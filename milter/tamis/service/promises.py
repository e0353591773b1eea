"""Says in the log what a configuration weakens of what users were promised, and has the store remember it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.promises import memory
from tamis.promises.comparison import Change, Effect, compare
from tamis.promises.terms import Terms
from tamis.store.database import Database

log = logging.getLogger(__name__)


def take_over(config: Config, former: Config | None = None, *, now: int) -> None:
    """Compare with what was in force, which are the former configuration's terms where the store knows none.

    A store that is away holds nothing up: the next start or reload compares with what it remembers.
    """
    terms = Terms.of(config)
    before = Terms.of(former) if former else None
    with contextlib.closing(Database(config.store)) as database:
        try:
            with database.reading() as connection:
                found = memory.in_force(connection)
        except StoreUnavailable as error:
            log.warning("policy cannot be compared with what the store remembers: %s", error)
            _report(compare(before, terms) if before else ())
            return
        before = found.terms if found else before
        if found and found.terms.fingerprint == terms.fingerprint:
            return
        changes = compare(before, terms) if before else ()
        _report(changes)
        try:
            with database.writing() as connection:
                memory.put_in_force(connection, terms, changes, now=now)
        except StoreUnavailable as error:
            log.warning("policy is not on record fingerprint=%s: %s", terms.fingerprint, error)
            return
    log.info("policy in force fingerprint=%s", terms.fingerprint)


def _report(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.effect is Effect.WEAKENS:
            log.warning("policy weakened: %s: %s", change.key, change.text)
