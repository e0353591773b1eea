"""Measures what it costs that recipients want different things: `python -m tests.bench.means --help`.

The same messages go to five users each time, who have chosen so that one means or another is needed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import smtplib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.bench import messages, mix, processes, report, runs, servers
from tests.bench.__main__ import integers
from tests.bench.frames import Mail
from tests.bench.load import Load
from tests.bench.servers import Server, ServerError
from tests.stores import write_settings

from tamis import address
from tamis import config as configuration
from tamis.preferences import Value
from tamis.ticket import Means

ABOUT = "Measure what it costs that recipients of one message want different things, and how often they do."
SPAM = -500.0  # bits; with this threshold all is spam, scored as ever: GTUBE would not be scored
MARKED: Mapping[str, Value] = {"antispam_mark": SPAM}
FILED: Mapping[str, Value] = {"antispam_mark": SPAM, "antispam_action": "file"}
LEFT_ALONE: Mapping[str, Value] = {"antispam": "off", "graymail": "off"}


@dataclass(frozen=True, slots=True)
class Case:
    """Five users, and the means that they need."""

    name: str
    means: Means
    copies: int  # of each message
    wishes: tuple[Mapping[str, Value], ...]  # of each user

    @property
    def recipients(self) -> tuple[str, ...]:
        """The users' addresses."""
        return tuple(f"{self.name}.{number}@example.org" for number in range(len(self.wishes)))


CASES = (
    Case("uniform", Means.UNIFORM, 0, (MARKED,) * 5),
    Case("detail", Means.DETAIL, 0, (MARKED,) * 3 + (FILED,) * 2),
    Case("split-2", Means.SPLIT, 1, (MARKED,) * 3 + (LEFT_ALONE,) * 2),
    # The threshold of each stands in the header field.
    Case(
        "split-5",
        Means.SPLIT,
        4,
        (LEFT_ALONE, *({"antispam_mark": SPAM + number} for number in range(4))),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a message was not judged, or not by the means that is measured."""
    options = _parser().parse_args(arguments)
    batches = options.rounds * len(options.connections) + 1  # the first one is not measured
    print(
        f"{options.rounds} rounds of {options.messages} messages to five recipients each, 1 worker",
        flush=True,
    )
    with ExitStack() as stack:
        try:
            relay = servers.relay(options.folder.absolute() / "relay")
            stack.callback(relay.stop)
            server = _start(options.folder.absolute() / "means", relay, stack)
        except ServerError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        cells = list(_measure(server, relay, options, messages.generated(batches * options.messages)))
        copies = _taken(relay)
        wrong = complaints(
            servers.tickets(options.folder / "means"), batches * options.messages, copies=copies
        )
    print(*report.table(cells), sep="\n")
    print("\nCPU per message")
    found = _ratios(cells)
    print(*map(report.verdict, found), sep="\n")
    wrong += [f"{one.failures} messages to {one.server} failed" for one in cells if one.failures]
    shares = mix.measure(messages.some(options.mix, options.corpus)) if options.mix else None
    if shares is not None:
        print("", *shares.lines(), sep="\n")
    if options.json:
        _write(options.json, cells, found, shares)
    for one in wrong:
        print(f"bench: {one}", file=sys.stderr)
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench.means", description=ABOUT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=80, help="messages for each means in a round")
    parser.add_argument("--connections", type=integers, default=(1, 8), help="such as 1,8")
    parser.add_argument(
        "--mix", type=int, default=5000, help="messages of which the share of each means is told"
    )
    parser.add_argument(
        "--corpus", type=Path, nargs="+", default=(), help="these of the mix: FILE.jsonl.xz ..."
    )
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="for the servers' files")
    parser.add_argument("--json", type=Path, help="file that the single measurements are written to")
    return parser


def _start(folder: Path, relay: Server, stack: ExitStack) -> Server:
    """Start Tamis with the relay, and let the users choose."""
    settings = f'{servers.NO_ANTIVIRUS}[resend]\nrelay = "{relay.address}"\n'
    server = servers.tamis(folder, "stream", workers=1, settings=settings)
    stack.callback(server.stop)
    config = configuration.load(str(folder / "tamis.toml"))
    for case in CASES:
        for user, wishes in zip(case.recipients, case.wishes, strict=True):
            write_settings(config, user, **wishes)
    return server


def _measure(
    server: Server, relay: Server, options: argparse.Namespace, mails: Sequence[Mail]
) -> Iterator[report.Cell]:
    """Send each batch to each case's users; no batch comes twice, as copies that went out do not again."""
    numbers = itertools.count(1)
    size = options.messages
    batches = (mails[start : start + size] for start in range(0, len(mails), size))
    first = next(batches)
    for case in CASES:  # what is loaded late is loaded now
        _load(server, case, first).run(max(options.connections), numbers=numbers)
    processes.settle(server.pids())
    for number in range(options.rounds):
        for connections in options.connections:
            batch = next(batches)
            for case in runs.in_turn(CASES, number):
                yield runs.run(
                    server,
                    _load(server, case, batch),
                    name=case.name,
                    number=number,
                    connections=connections,
                    ids=numbers,
                    relay=relay,
                )


def _load(server: Server, case: Case, mails: Sequence[Mail]) -> Load:
    return Load(server.address, [replace(one, recipients=case.recipients) for one in mails])


def _taken(relay: Server) -> int:
    """Return how many messages the relay has taken over."""
    where = address.parse(relay.address)
    assert isinstance(where, address.InetAddress)
    with smtplib.SMTP(where.host, where.port, local_hostname="bench.example.org") as client:
        return int(client.noop()[1])


def complaints(tickets: Iterable[Mapping[str, object]], sent: int, *, copies: int) -> list[str]:
    """Return where messages were not answered by their case's means, of which so many were sent to each case.

    copies is how many the relay has taken over.
    """
    found: dict[str, Counter[str]] = {case.name: Counter() for case in CASES}
    for ticket in tickets:
        found[_case(ticket)][str(ticket["means"])] += 1
    wrong = [
        f"{case.name}: expected {sent} tickets with {case.means.value}, got {dict(found[case.name])}"
        for case in CASES
        if found[case.name] != {case.means.value: sent}
    ]
    due = sent * sum(case.copies for case in CASES)
    if copies != due:
        wrong.append(f"expected {due} copies, got {copies}")
    return wrong


def _case(ticket: Mapping[str, object]) -> str:
    """Return the name of the case that a ticket's recipients are of."""
    recipients = ticket["recipients"]
    assert isinstance(recipients, list)
    return str(recipients[0]["address"]).partition(".")[0]


def _ratios(cells: Sequence[report.Cell]) -> list[report.Ratio]:
    """Return what each means costs by uniform, each round for itself."""
    several = dict.fromkeys(one.connections for one in cells)
    base, *others = (case.name for case in CASES)
    found = (report.ratio(cells, one, base, connections=each) for one in others for each in several)
    return [one for one in found if one is not None]


def _write(
    path: Path, cells: Sequence[report.Cell], ratios: Sequence[report.Ratio], shares: mix.Mix | None
) -> None:
    found = {
        "cells": [asdict(one) for one in cells],
        "ratios": [asdict(one) for one in ratios],
        "mix": asdict(shares) if shares is not None else None,
    }
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
