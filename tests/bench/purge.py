"""Measures what mail feels of a purge: `python -m tests.bench.purge --help`.

A process writes single tickets at a steady pace, as a worker does, without a purge and during one.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.stores import keep, make_config, make_ticket, path_of

from tamis.config import Config
from tamis.desk import purge
from tamis.desk.purge import Pace, Purge
from tamis.judgement import milliseconds_now
from tamis.retention.period import DAY
from tamis.store import tickets
from tamis.store.database import Database

ADDED = 1000  # tickets in a transaction while the store is filled
PAUSE = 0.02  # seconds between two tickets of the writer
SEED = 20261128


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.bench.purge", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000, help="half of which are purged")
    parser.add_argument("--quiet", type=float, default=20, help="seconds without a purge")
    parser.add_argument("--minutes", type=float, default=60, help="after which the purge is broken off")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="var") as folder:
        made = make_config(Path(folder))
        config = made.model_copy(update={"store": made.store.model_copy(update={"timeout": 60.0})})
        _fill(config, options.tickets)
        size = path_of(config).stat().st_size
        print(f"{options.tickets} tickets, {size / options.tickets:.0f} octets each", flush=True)
        with contextlib.closing(Database(config.store)) as database:
            _measure(config, database, quiet=options.quiet, most=options.minutes * 60)
        print(f"{path_of(config).stat().st_size / size:.2f} of the file is left", flush=True)


def _fill(config: Config, count: int) -> None:
    """Write tickets, the first half too old, spread over ten days each."""
    chance = random.Random(SEED)  # noqa: S311
    now = milliseconds_now()
    step = 10 * DAY * 2 // count
    for first in range(0, count, ADDED):
        start = now - (400 * DAY if first < count // 2 else 30 * DAY)
        keep(
            config,
            [
                make_ticket(
                    f"user{chance.randrange(10_000)}@example.org",
                    message_id=f"<{chance.randrange(1 << 64):x}@mail.example.net>",
                    milliseconds=start + number * step,
                )
                for number in range(first % (count // 2), first % (count // 2) + ADDED)
            ],
        )
    with contextlib.closing(Database(config.store)) as database:
        purge.clean_up(database, Pace())


class TimeOver(Exception):
    """The purge has been at work for long enough."""


def _measure(config: Config, database: Database, *, quiet: float, most: float) -> None:
    _print("without a purge", _writing(config, lambda: time.sleep(quiet)))
    begun = time.monotonic()

    def sleep(seconds: float) -> None:
        if time.monotonic() - begun > most:
            raise TimeOver
        time.sleep(seconds)

    work = Purge(database, config.rules, now=milliseconds_now(), pace=Pace(sleep=sleep))

    def delete() -> None:
        with contextlib.suppress(TimeOver):
            work.run()

    _print("while it deletes", _writing(config, delete))
    print(f"{time.monotonic() - begun:.0f} s", [(one["class"], one["count"]) for one in work.tally.lines()])
    begun = time.monotonic()
    _print("while it gives pages back", _writing(config, lambda: purge.clean_up(database, Pace())))
    print(f"{time.monotonic() - begun:.0f} s", flush=True)


def _writing(config: Config, act: Callable[[], object]) -> Sequence[float]:
    """Return how long each ticket took in ms that was written while something was done."""
    stop = multiprocessing.Event()
    mine, its = multiprocessing.Pipe(duplex=False)
    writer = multiprocessing.Process(target=_write, args=(config, stop, its))
    writer.start()
    mine.recv()
    act()
    stop.set()
    times: Sequence[float] = mine.recv()
    writer.join()
    return times


def _write(config: Config, stop: Event, told: Connection) -> None:
    times = []
    with contextlib.closing(Database(config.store)) as database:
        told.send("begun")
        while not stop.is_set():
            rows = tickets.rows([make_ticket(milliseconds=milliseconds_now())])
            begun = time.perf_counter()
            with database.writing() as connection:
                tickets.add(connection, rows)
            times.append((time.perf_counter() - begun) * 1000)
            time.sleep(PAUSE)
    told.send(times)


def _print(word: str, times: Sequence[float]) -> None:
    cut = statistics.quantiles(times, n=100)
    print(
        f"{word}: {len(times)} tickets, p50 {cut[49]:.1f} ms, p99 {cut[98]:.1f} ms, most {max(times):.0f} ms"
    )


if __name__ == "__main__":
    main()
