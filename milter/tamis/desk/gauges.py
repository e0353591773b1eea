"""What `tamis purge` tells Prometheus: when it ran last, and which records are the oldest that it left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis import prometheus
from tamis.desk.purge import Oldest


@dataclass(frozen=True, slots=True)
class Gauge:
    """Metrics of one name, in Unix seconds."""

    name: str
    about: str
    labels: tuple[str, ...] = ()


FINISHED = Gauge(
    "tamis_purge_last_success_timestamp_seconds", "Unix time at which a purge was finished last."
)
OLDEST = Gauge(
    "tamis_records_oldest_timestamp_seconds",
    "Unix time of the oldest record of a class that the last purge left; not there where there is none.",
    ("class",),
)
GONE_BY = Gauge(
    "tamis_records_gone_by_timestamp_seconds",
    "Unix time by which that record must be gone by its age, unless it is held; not there without a ceiling.",
    ("class",),
)
GAUGES = (FINISHED, OLDEST, GONE_BY)


def beside(file: str) -> Path:
    """Return the file of purges beside that of the service, metrics.file."""
    path = Path(file)
    return path.with_name(f"{path.stem}-purge{path.suffix}")


def metrics_files(file: str) -> Sequence[Path]:
    """Return metrics.file and that of purges, none where metrics are off."""
    return (Path(file), beside(file)) if file else ()


def write(file: Path, left: Sequence[Oldest], *, finished: int) -> None:
    """Write the file; finished is a Unix time in ms. Raise OSError."""
    prometheus.replace(file, "\n".join(_lines(left, finished)) + "\n")


def _lines(left: Sequence[Oldest], finished: int) -> Iterator[str]:
    oldest = {one.kind.value: one.time for one in left}
    gone_by = {one.kind.value: one.gone_by for one in left if one.gone_by is not None}
    yield from _gauge(FINISHED, {(): finished})
    yield from _gauge(OLDEST, {(kind,): time for kind, time in oldest.items()})
    yield from _gauge(GONE_BY, {(kind,): time for kind, time in gone_by.items()})


def _gauge(gauge: Gauge, times: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    """Yield a gauge's samples, which are Unix ms by the values of its labels."""
    yield f"# HELP {gauge.name} {gauge.about}"
    yield f"# TYPE {gauge.name} gauge"
    for values, milliseconds in times.items():
        yield prometheus.line(gauge.name, gauge.labels, values, milliseconds / 1000)
