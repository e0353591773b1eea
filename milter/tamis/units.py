"""Durations and sizes as people write them in a configuration."""

from __future__ import annotations

import re

SECONDS = {
    "ms": 0.001,
    "s": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "week": 7 * 86400,
    "month": 31 * 86400,  # the longest, as promises say "at least" more often than "at most"
    "year": 366 * 86400,
}
OCTETS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
QUANTITY = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]+)\s*")


def _quantity(text: str, units: dict[str, float] | dict[str, int], example: str) -> float:
    match = QUANTITY.fullmatch(text)
    unit = match[2].lower() if match else ""
    factor = units.get(unit) or units.get(unit.removesuffix("s"))
    if match is None or factor is None:
        raise ValueError(f'expected {example}, got "{text}"')
    return float(match[1]) * factor


def duration(text: str) -> float:
    """Return the seconds in "30s", "10m", "1 month" or "395d"; raise ValueError."""
    return _quantity(text, SECONDS, 'a duration such as "30s", "10m", "395d" or "1 month"')


def size(text: str) -> int:
    """Return the octets in "25MB" or "64KiB"; raise ValueError."""
    return int(_quantity(text, OCTETS, 'a size such as "25MB" or "64KiB"'))
