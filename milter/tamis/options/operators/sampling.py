"""Notes once a minute what the metrics count, so that the overview can tell one hour from another."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from tamis import prometheus
from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.options.operators import figures
from tamis.options.operators.beside import beside
from tamis.store import hours
from tamis.store.database import Database

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds; so much of an hour may be counted with the next one


@contextlib.contextmanager
def sampling(config: Config, *, now: Callable[[], int]) -> Iterator[None]:
    """Note it in a thread of its own, where there are metrics."""
    if not config.metrics.file:
        yield
        return

    def act(database: Database) -> float:
        try:
            note(database, config.metrics.file, now=now())
        except StoreUnavailable as error:
            log.warning("counts of this hour are not noted error=%s", error)
        return EVERY

    with beside(config, "sampling", act):
        yield


def read(file: str) -> dict[str, float]:
    """Return what the file of metrics says; nothing where there is none, or it cannot be read."""
    try:
        return prometheus.read(Path(file).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}


def note(database: Database, file: str, *, now: int) -> None:
    """Note what the file says, if it is there; raise StoreUnavailable."""
    found = read(file)
    started = found.get(figures.STARTED)
    if started is None:
        return
    with database.writing() as connection:
        hours.put(connection, figures.counters(found), started=round(started * 1000), now=now)
