"""One target under atheris: `python -m tests.fuzz.target NAME [libFuzzer's options] [FILE or FOLDER ...]`."""

from __future__ import annotations

import importlib
import logging
import random
import sys
import time
from collections.abc import Callable

import atheris


def main(name: str, *arguments: str) -> None:
    """Fuzz until libFuzzer's options say that it is enough, or until something is found."""
    logging.disable(logging.WARNING)  # which any octets may bring about, thousands of times
    with atheris.instrument_imports(include=["tamis", "tomllib"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    atheris.Setup([sys.argv[0], *arguments], _timed(target.check, target.SLOW), custom_mutator=mutate)
    atheris.Fuzz()


def _timed(check: Callable[[bytes], None], slow: float) -> Callable[[bytes], None]:
    """Return a check that fails for what takes so many seconds of CPU: other work may hold up the clock."""

    def check_in_time(octets: bytes) -> None:
        started = time.process_time()
        check(octets)
        assert time.process_time() - started < slow, "too slow"

    return check_in_time


def mutate(octets: bytes, longest: int, seed: int) -> bytes:
    """Return a changed input: libFuzzer's change, or a piece repeated as hostile mail repeats it."""
    draw = random.Random(seed)  # noqa: S311 - for tests
    if draw.randrange(32):
        changed: bytes = atheris.Mutate(octets, longest)
        return changed
    start = draw.randrange(len(octets) + 1)
    piece = octets[start : start + draw.choice((1, 1, 2, 3, 8, 40))]
    room = max(0, longest - len(octets))
    repeated = (piece * draw.choice((10, 100, 1000, longest)))[:room]
    return octets[:start] + repeated + octets[start:]


if __name__ == "__main__":
    main(*sys.argv[1:])
