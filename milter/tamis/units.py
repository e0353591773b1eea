"""Durations and sizes as people write them in a configuration."""

from __future__ import annotations

import re
from collections.abc import Collection

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


def _parted(text: str, units: Collection[str], example: str) -> tuple[float, str]:
    match = QUANTITY.fullmatch(text)
    unit = match[2].lower() if match else ""
    if unit not in units:
        unit = unit.removesuffix("s")
    if match is None or unit not in units:
        raise ValueError(f'expected {example}, got "{text}"')
    return float(match[1]), unit


def parted(text: str) -> tuple[float, str]:
    """Return the number and the unit, as SECONDS has it, of a duration; raise ValueError."""
    return _parted(text, SECONDS, 'a duration such as "30s", "10m", "395d" or "1 month"')


def duration(text: str) -> float:
    """Return the seconds in "30s", "10m", "395d" or "1 month"; raise ValueError."""
    number, unit = parted(text)
    return number * SECONDS[unit]


def size(text: str) -> int:
    """Return the octets in "25MB" or "64KiB"; raise ValueError."""
    number, unit = _parted(text, OCTETS, 'a size such as "25MB" or "64KiB"')
    return int(number * OCTETS[unit])
