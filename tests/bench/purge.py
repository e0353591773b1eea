"""Measures what mail feels of a purge: `python -m tests.bench.purge --help`.

A milter with two workers takes mail at a steady pace over several connections. The purge rests again and
again, so that mail without it and mail during it are measured beside the same other work.
"""

from __future__ import annotations

import argparse
import asyncio
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

from tests.servers.mail import letter
from tests.servers.milter import Milter
from tests.stores import keep, make_config, make_ticket, path_of

from tamis.config import Config
from tamis.desk import purge
from tamis.desk.purge import Purge
from tamis.judgement import milliseconds_now
from tamis.message import Envelope, Recipient
from tamis.retention.period import DAY
from tamis.sandbox import client
from tamis.sandbox.client import Verdict, new_queue_id
from tamis.store.database import Database
from tamis.store.pace import Pace

ADDED = 1000  # tickets in a transaction while the store is filled
CONNECTIONS = 8
PAUSE = 0.08  # seconds between two messages of one
AT_WORK, AT_REST = 30, 10  # seconds of the purge, in turn
SEED = 20261128


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.bench.purge", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000, help="half of which are purged")
    parser.add_argument("--minutes", type=float, default=60, help="after which the purge is broken off")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="var") as folder:
        made = make_config(Path(folder))
        config = made.model_copy(update={"store": made.store.model_copy(update={"timeout": 60.0})})
        _fill(config, options.tickets)
        size = path_of(config).stat().st_size
        print(f"{options.tickets} tickets, {size / options.tickets:.0f} octets each", flush=True)
        with (
            Milter(Path(folder), {"milter": {"workers": 2}}) as milter,
            contextlib.closing(Database(config.store)) as database,
        ):
            _measure(config, database, milter.address, most=options.minutes * 60)
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


def _measure(config: Config, database: Database, milter: str, *, most: float) -> None:
    begun = time.monotonic()
    turn = begun - AT_WORK
    rested = 0
    quiet = multiprocessing.Event()

    def sleep(seconds: float) -> None:
        nonlocal rested, turn
        if time.monotonic() - begun > most:
            raise TimeOver
        if time.monotonic() - turn > AT_WORK:
            quiet.set()
            time.sleep(AT_REST)
            quiet.clear()
            rested += AT_REST
            turn = time.monotonic()
        time.sleep(seconds)

    work = Purge(database, config.rules, now=milliseconds_now(), pace=Pace(sleep=sleep))

    def delete() -> None:
        with contextlib.suppress(TimeOver):
            work.run()

    without, during = _sending(milter, quiet, delete)
    _print("without a purge", without)
    _print("while it deletes", during)
    took = time.monotonic() - begun - rested
    print(f"{took:.0f} s", [(one["class"], one["count"]) for one in work.tally.lines()], flush=True)
    begun = time.monotonic()
    _, during = _sending(milter, quiet, lambda: purge.clean_up(database, Pace()))
    _print("while it gives pages back", during)
    print(f"{time.monotonic() - begun:.0f} s", flush=True)


def _sending(milter: str, quiet: Event, act: Callable[[], object]) -> Sequence[Sequence[float]]:
    """Return how long each message took in ms that was sent while something rested, and while it was done."""
    stop = multiprocessing.Event()
    mine, its = multiprocessing.Pipe(duplex=False)
    sender = multiprocessing.Process(target=_send, args=(milter, quiet, stop, its))
    sender.start()
    mine.recv()
    act()
    stop.set()
    times: Sequence[Sequence[float]] = mine.recv()
    sender.join()
    return times


def _send(milter: str, quiet: Event, stop: Event, told: Connection) -> None:
    times: tuple[list[float], list[float]] = ([], [])

    async def one() -> None:
        async with await client.Connection.open(milter, helo="mail.example.net") as mta:
            while not stop.is_set():
                envelope = Envelope(
                    "pat@example.net", (Recipient("anna@example.org"),), queue_id=new_queue_id()
                )
                raw = letter()
                mine = times[0 if quiet.is_set() else 1]
                begun = time.perf_counter()
                answer = await mta.send(envelope, raw)
                mine.append((time.perf_counter() - begun) * 1000)
                assert answer.verdict is Verdict.ACCEPT, answer
                await asyncio.sleep(PAUSE)

    async def all_of_them() -> None:
        told.send("begun")
        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))

    asyncio.run(all_of_them())
    told.send(times)


def _print(word: str, times: Sequence[float]) -> None:
    cut = statistics.quantiles(times, n=100)
    most = max(times)
    print(f"{word}: {len(times)} messages, p50 {cut[49]:.1f} ms, p99 {cut[98]:.1f} ms, most {most:.0f} ms")


if __name__ == "__main__":
    main()
