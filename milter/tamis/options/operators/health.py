"""How the parts of the installation are, as the overview says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tamis import prometheus
from tamis.options.language import Language
from tamis.options.operators import sampling
from tamis.service import families
from tamis.service.families import Family
from tamis.words.catalogue import text

SILENT = 120_000  # ms after metrics.interval, in which the file should have been written anew
PURGED = 2 * 86_400_000  # ms, in which a purge should have been finished

MILTER = text("Milter")
ABSENT = text("Not running, or metrics.file cannot be read")
SILENT_SINCE = text("Has said nothing since {time}")
WORKERS = text("Workers that take mail: {ready} of {wanted}")
CLAMD = text("clamd {number}")
STORE = text("Store")
GOOD = text("Answers")
BAD = text("Failed the last time")
UNTRIED = text("Not asked yet")
PURGE = text("Last purge")
NEVER = text("None so far")


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the file of metrics says."""

    numbers: Mapping[str, float]  # none where it cannot be read
    written: int  # Unix ms

    @classmethod
    def of(cls, file: str) -> Metrics:
        """Read the file."""
        try:
            written = Path(file).stat().st_mtime_ns // 1_000_000
        except OSError:
            return cls({}, 0)
        return cls(sampling.read(file), written)


@dataclass(frozen=True, slots=True)
class Part:
    """A part, and how it is."""

    name: str  # HTML, as the following
    state: str
    is_bad: bool


def of_milter(metrics: Metrics, interval: float, clamds: int, language: Language, now: int) -> Iterator[Part]:
    """Yield the milter and what it needs; the interval is metrics.interval, in seconds."""
    milter = language.say(MILTER)
    if not metrics.numbers:
        yield Part(milter, language.say(ABSENT), is_bad=True)
        return
    if now - metrics.written > SILENT + round(interval * 1000):
        silent = language.say(SILENT_SINCE, time=language.moment(metrics.written))
        yield Part(milter, silent, is_bad=True)
        return
    ready, wanted = (
        round(metrics.numbers.get(one.name, 0)) for one in (families.WORKERS_READY, families.WORKERS)
    )
    workers = language.say(WORKERS, ready=ready, wanted=wanted)
    yield Part(milter, workers, is_bad=ready < wanted)
    yield _tried(language, language.say(STORE), metrics, families.STORE_UP)
    for position in range(clamds):
        name = language.say(CLAMD, number=position + 1)
        yield _tried(language, name, metrics, families.CLAMD_UP, str(position))


def of_purge(finished: int | None, language: Language, now: int) -> Part:
    """Return when the last purge ran."""
    name = language.say(PURGE)
    if finished is None:
        return Part(name, language.say(NEVER), is_bad=True)
    return Part(name, language.moment(finished), is_bad=now - finished > PURGED)


def _tried(language: Language, name: str, metrics: Metrics, family: Family, *labels: str) -> Part:
    found = metrics.numbers.get(prometheus.sample(family.name, family.labels, labels))
    words = UNTRIED if found is None else GOOD if found else BAD
    return Part(name, language.say(words), is_bad=found == 0)
