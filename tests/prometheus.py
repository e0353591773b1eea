"""Metrics as Prometheus reads them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tests.servers.milter import PATIENCE

Key = tuple[str, frozenset[tuple[str, str]]]


class Samples:
    """All numbers in an exposition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.types = {one.name: one.type for one in text_string_to_metric_families(text)}
        self.numbers = dict(_numbers(text))

    def __call__(self, name: str, **labels: str) -> float:
        """Return the number with this name and these labels."""
        return self.numbers[name, frozenset(labels.items())]

    def has(self, name: str, **labels: str) -> bool:
        """Tell whether there is such a number."""
        return (name, frozenset(labels.items())) in self.numbers

    def counters(self) -> Mapping[Key, float]:
        """Return what must never go back."""
        ends = ("_total", "_bucket", "_sum", "_count")
        return {key: number for key, number in self.numbers.items() if key[0].endswith(ends)}


def _numbers(text: str) -> Iterator[tuple[Key, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (sample.name, frozenset(sample.labels.items())), sample.value


def wait_for(file: Path, name: str, at_least: float, **labels: str) -> Samples:
    """Return what stands in a file once a number in it has come to be."""
    end = time.monotonic() + PATIENCE
    while True:
        samples = Samples(file.read_text()) if file.exists() else Samples("")
        if samples.has(name, **labels) and samples(name, **labels) >= at_least:
            return samples
        assert time.monotonic() < end, f"{name}{labels} does not come to {at_least}"
        time.sleep(0.02)


def next_of(file: Path) -> Samples:
    """Return what stands in a file once it is written anew: all that was counted by now."""
    end = time.monotonic() + PATIENCE
    now = file.stat()
    while (file.stat().st_ino, file.stat().st_mtime_ns) == (now.st_ino, now.st_mtime_ns):
        assert time.monotonic() < end, f"{file} stays as it is"
        time.sleep(0.02)
    return Samples(file.read_text())
