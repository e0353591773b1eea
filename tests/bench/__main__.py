"""Measures Tamis beside a milter that does nothing and beside rspamd: `python -m tests.bench --help`.

All servers run at once; in each round each gets the same messages, one server after the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.bench import messages, processes, report, runs, servers
from tests.bench.frames import Mail
from tests.bench.load import Load
from tests.bench.servers import Server, ServerError

SERVERS = ("null", "tamis-1", "tamis-2", "rspamd-1")
ABOUT = (
    "Measure Tamis with antivirus off beside a null milter and rspamd, on the same messages in the same run."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a message was not judged."""
    options = _parser().parse_args(arguments)
    mails = messages.some(options.messages * options.rounds, options.corpus)
    octets = sum(
        len(one.body) + sum(len(name) + len(value) + 3 for name, value in one.fields) for one in mails
    )
    print(
        f"{options.rounds} rounds of {options.messages} messages, {octets / len(mails) / 1000:.1f} kB on "
        f"average, {options.per_connection} per connection, {os.cpu_count()} cores",
        flush=True,
    )
    with ExitStack() as stack:
        try:
            running = [one for name in options.servers if (one := _start(name, options.folder, stack))]
        except ServerError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        cells = list(_measure(running, mails, options))
        memory = {one.name: [processes.memory(pid) for pid in one.workers()] for one in running}
    _print(cells, memory)
    if options.json:
        _write(options.json, cells, memory)
    return 1 if any(cell.failures for cell in cells) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench", description=ABOUT)
    parser.add_argument("--rounds", type=int, default=27)
    parser.add_argument("--messages", type=int, default=400, help="messages for each server in a round")
    parser.add_argument("--connections", type=integers, default=(1, 8, 32, 200), help="such as 1,8,32,200")
    parser.add_argument("--per-connection", type=int, default=1, help="messages that a connection carries")
    parser.add_argument(
        "--servers", type=lambda text: text.split(","), default=SERVERS, help="such as null,tamis-1"
    )
    parser.add_argument("--corpus", type=Path, nargs="+", default=(), help="real mail: FILE.jsonl.xz ...")
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="for the servers' files")
    parser.add_argument("--json", type=Path, help="file that the single measurements are written to")
    return parser


def integers(text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 1,8."""
    return tuple(map(int, text.split(",")))


def _start(name: str, folder: Path, stack: ExitStack) -> Server | None:
    """Start a server by its name and number of workers; None for an rspamd that is not there."""
    kind, _, workers = name.partition("-")
    place = folder.absolute() / name
    match kind:
        case "null":
            server: Server | None = servers.null(place)
        case "tamis":
            server = servers.tamis(place, "stream", workers=int(workers or 1))
        case "libmilter":
            server = servers.tamis(place, "libmilter", workers=int(workers or 1))
        case "rspamd":
            server = servers.rspamd(place, workers=int(workers or 1))
        case _:
            raise ServerError(f'expected "null", "tamis-N", "libmilter-N" or "rspamd-N", got "{name}"')
    if server is None:
        print("rspamd is not there: tests/unpack rspamd, or see Debian's package")
        return None
    stack.callback(server.stop)
    return server


def _measure(
    running: Sequence[Server], mails: Sequence[Mail], options: argparse.Namespace
) -> Iterator[report.Cell]:
    """Send each round's messages to each server; servers change places, so that none is always the first."""
    numbers = itertools.count(1)
    size = options.messages
    for number in range(options.rounds):
        batch = mails[number * size : (number + 1) * size]
        loads = [Load(one.address, batch, per_connection=options.per_connection) for one in running]
        if number == 0:
            for one, load in zip(running, loads, strict=True):  # what is loaded late is loaded now
                load.run(32, numbers=numbers)
                processes.settle(one.pids())
        for connections in options.connections:
            for one, load in runs.in_turn(list(zip(running, loads, strict=True)), number):
                yield runs.run(one, load, name=one.name, number=number, connections=connections, ids=numbers)


def _print(cells: Sequence[report.Cell], memory: dict[str, list[processes.Memory | None]]) -> None:
    for line in report.table(cells):
        print(line)
    print("\nMemory of each worker")
    for name, found in memory.items():
        print(report.memory_line(name, found))
    print("\nCPU per message")
    for one in report.ratios(cells):
        print(report.verdict(one))
    if failures := sum(cell.failures for cell in cells):
        print(f"\n{failures} messages met an error or were tempfailed", file=sys.stderr)


def _write(
    path: Path, cells: Sequence[report.Cell], memory: dict[str, list[processes.Memory | None]]
) -> None:
    found = {
        "cells": [asdict(cell) for cell in cells],
        "ratios": [asdict(one) for one in report.ratios(cells)],
        "memory": {name: [asdict(one) for one in each if one] for name, each in memory.items()},
    }
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
