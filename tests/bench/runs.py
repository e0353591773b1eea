"""One load on one server: what it costs, with what is done after the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tests.bench import processes, report
from tests.bench.load import Load
from tests.bench.servers import Server

Thing = TypeVar("Thing")


def in_turn(things: Sequence[Thing], number: int) -> Sequence[Thing]:
    """Return things in the order of a round, so that none is always the first."""
    turn = number % len(things)
    return (*things[turn:], *things[:turn])


def run(
    server: Server,
    load: Load,
    *,
    name: str,
    number: int,
    connections: int,
    ids: Iterator[int],
    relay: Server | None = None,
) -> report.Cell:
    """Send a load and return what it cost the server and, beside it, the relay that takes its copies."""
    pids = server.pids()
    others = relay.pids() if relay is not None else []
    before, others_before = processes.cpu(pids), processes.cpu(others)
    outcome = load.run(connections, numbers=ids)
    processes.settle(pids)  # what is done after the answer belongs to the message, too
    return report.Cell(
        server=name,
        number=number,
        connections=connections,
        messages=sum(outcome.verdicts.values()),
        cpu=processes.cpu(pids) - before,
        seconds=outcome.seconds,
        p50=outcome.latency(0.5),
        p99=outcome.latency(0.99),
        generator=outcome.cpu,
        verdicts=dict(outcome.verdicts),
        relay=processes.cpu(others) - others_before,
    )
