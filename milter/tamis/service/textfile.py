"""The metrics as a file, in the text exposition format of Prometheus, version 0.0.4 (prometheus.io)."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from tamis import __version__, prometheus
from tamis.config import Config
from tamis.service.families import BUILD, FAMILIES, SECONDS, Family, Kind, Labels
from tamis.service.table import Table

log = logging.getLogger(__name__)

TYPES = {Kind.STATE: Kind.GAUGE, Kind.EACH: Kind.GAUGE}


def exposition(table: Table, clamds: int) -> str:
    """Return all metrics; clamds is the length of antivirus.clamd."""
    lines: list[str] = []
    for family in FAMILIES:
        lines.append(f"# HELP {family.name} {family.about}")
        lines.append(f"# TYPE {family.name} {TYPES.get(family.kind, family.kind)}")
        lines += _lines(family, table, clamds)
    return "\n".join(lines) + "\n"


def _lines(family: Family, table: Table, clamds: int) -> Iterator[str]:
    """Yield a family's samples."""
    if family.kind is Kind.EACH:
        for slot, number in enumerate(table.each(family)):
            if number:
                yield prometheus.line(family.name, family.labels, (str(slot),), number)
        return
    samples = family.samples[:clamds] if family.labels == ("clamd",) else family.samples
    for labels in samples:
        numbers = table.numbers(family, labels)
        match family.kind:
            case Kind.HISTOGRAM:
                yield from _histogram(family, labels, numbers)
            case Kind.STATE if not numbers[0]:
                continue  # nobody has tried yet
            case Kind.STATE:
                yield prometheus.line(family.name, family.labels, labels, int(numbers[0] > 0))
            case _:
                shown = (__version__,) if family is BUILD else labels
                yield prometheus.line(family.name, family.labels, shown, numbers[0])


def _histogram(family: Family, labels: Labels, numbers: Sequence[float]) -> Iterator[str]:
    """Yield the buckets, each with those below it, then sum and count."""
    *buckets, total = numbers
    counts = list(accumulate(buckets))
    for bound, count in zip((*map(prometheus.shown, SECONDS), "+Inf"), counts, strict=True):
        yield prometheus.line(f"{family.name}_bucket", (*family.labels, "le"), (*labels, bound), count)
    yield prometheus.line(f"{family.name}_sum", family.labels, labels, total)
    yield prometheus.line(f"{family.name}_count", family.labels, labels, counts[-1])


class TextFile:
    """Writes the file when it is due; what goes wrong with it is one warning, and harms no mail."""

    def __init__(self, table: Table, config: Config) -> None:
        self._table = table
        self._config = config
        self._next = 0.0  # monotonic seconds
        self._failed = False

    def apply(self, config: Config) -> None:
        """Take another configuration, and write at once."""
        if config.metrics.file != self._config.metrics.file:
            self.remove()
        self._config = config
        self._next = 0.0

    def write(self) -> None:
        """Write if it is due."""
        now = time.monotonic()
        if not self._config.metrics.file or now < self._next:
            return
        self._next = now + self._config.metrics.interval
        file = Path(self._config.metrics.file)
        try:
            prometheus.replace(file, exposition(self._table, len(self._config.antivirus.clamd)))
        except OSError as error:
            if not self._failed:
                log.warning("metrics cannot be written file=%s error=%s", file, error.strerror)
            self._failed = True
        else:
            if self._failed:
                log.info("metrics are written again file=%s", file)
            self._failed = False

    def remove(self) -> None:
        """Remove the file, so that what has ended is not taken for what goes on."""
        if self._config.metrics.file:
            with contextlib.suppress(OSError):
                Path(self._config.metrics.file).unlink()
