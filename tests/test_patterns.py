"""Regular expressions take time in proportion to what they are given: hostile mail repeats itself."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import tamis
from tamis.checks.rules.facts import MAX_HOST
from tamis.checks.rules.origin import MAX_LOCAL

Pattern: TypeAlias = re.Pattern[str] | re.Pattern[bytes]
LENGTH = 6_000  # characters
# What is looked at by these is shorter, and bounded elsewhere.
BOUNDED = {"checks.rules.links.RANDOM": MAX_HOST, "checks.rules.origin.RANDOM": MAX_LOCAL}
PATIENCE = 0.02  # seconds of CPU; what looks at each pair of characters takes longer, all others a fiftieth
ELSEWHERE = ("tamis.front.libmilter", "tamis.__main__", "tamis.store.migrations")  # work when imported


@dataclass(frozen=True)
class Use:
    """A pattern, and whether it is looked for anywhere or at the start alone."""

    pattern: Pattern
    anywhere: bool


def uses() -> dict[str, Use]:
    """Return the patterns by module and name."""
    found: dict[str, Use] = {}
    for one in pkgutil.walk_packages(tamis.__path__, "tamis."):
        if not one.name.startswith(ELSEWHERE):
            module = importlib.import_module(one.name)
            source = Path(str(module.__file__)).read_text()
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern):
                    anywhere = re.search(rf"\b{name}\.(search|find|sub|split)", source)
                    found[f"{one.name.removeprefix('tamis.')}.{name}"] = Use(value, bool(anywhere))
    return found


USES = uses()


def pieces(source: str) -> list[str]:
    """Return what a pattern may be waiting for: characters and pairs of them in its source."""
    start = source[:100]
    return [*dict.fromkeys((*' \n\t"(a1<', *start, *map("".join, pairwise(start))))][:100]


def seconds(look: tuple[Callable[[Any], object], ...], given: str | bytes) -> float:
    """Return the CPU time that it takes to look for a pattern."""
    started = time.process_time()
    for one in look:
        one(given)
    return time.process_time() - started


@pytest.mark.parametrize("name", USES)
def test_a_pattern_takes_no_long_time_for_what_is_repeated(name: str) -> None:
    pattern: re.Pattern[Any] = USES[name].pattern
    octets = isinstance(pattern.pattern, bytes)
    source = pattern.pattern.decode("latin-1") if octets else pattern.pattern
    look = (pattern.search,) if USES[name].anywhere else (pattern.match, pattern.fullmatch)

    slow = []
    for piece in pieces(source):
        text = piece * (BOUNDED.get(name, LENGTH) // len(piece)) + "\x01"
        given = text.encode() if octets else text
        if min(seconds(look, given) for _ in range(3)) > PATIENCE:
            slow.append(piece)

    assert slow == []
