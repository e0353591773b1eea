"""What was measured: medians over rounds, and ratios of servers that met the same messages in one round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.processes import Memory

BARS = (
    ("tamis-1", "rspamd-1", 0.60),
    ("tamis-2", "tamis-1", 1.15),
)  # CPU per message: what, by what, at most
MB = 1e6


@dataclass(frozen=True, slots=True)
class Cell:
    """One server, one round, one number of connections."""

    server: str
    number: int  # of the round
    connections: int
    messages: int
    cpu: float  # seconds, of all the server's processes
    seconds: float
    p50: float  # seconds from end of message to the final answer
    p99: float
    generator: float  # CPU seconds of the MTA's part
    verdicts: dict[str, int]
    relay: float = 0.0  # CPU seconds of the one that takes copies

    @property
    def micros(self) -> float:
        """CPU per message in microseconds."""
        return self.cpu / self.messages * 1e6

    @property
    def failures(self) -> int:
        """Messages that the server did not judge."""
        return self.verdicts.get("error", 0) + self.verdicts.get("tempfail", 0)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One server's CPU per message by another's: the median over rounds, and the extremes."""

    over: str
    under: str
    connections: int
    median: float
    low: float
    high: float


def ratio(cells: Sequence[Cell], over: str, under: str, *, connections: int) -> Ratio | None:
    """Return how two servers compare, each round for itself; None where they were not both measured."""
    costs = {
        (one.server, one.number): one.cpu / one.messages for one in cells if one.connections == connections
    }
    found = [
        cost / costs[under, number]
        for (server, number), cost in costs.items()
        if server == over and (under, number) in costs
    ]
    if not found:
        return None
    return Ratio(over, under, connections, statistics.median(found), min(found), max(found))


def ratios(cells: Sequence[Cell]) -> list[Ratio]:
    """Return all ratios that a bar is set for, and those to a milter that does nothing."""
    pairs = [(over, under) for over, under, _ in BARS] + [("tamis-1", "null")]
    several = dict.fromkeys(one.connections for one in cells)
    found = (ratio(cells, over, under, connections=each) for over, under in pairs for each in several)
    return [one for one in found if one is not None]


def table(cells: Sequence[Cell]) -> Iterable[str]:
    """Return the lines of the table of medians."""
    with_relay = any(one.relay for one in cells)
    yield (
        "server      connections  CPU us/message  messages/s   p50 ms   p99 ms  generator us"
        + "  relay us" * with_relay
    )
    for name in dict.fromkeys(one.server for one in cells):
        for connections in dict.fromkeys(one.connections for one in cells):
            here = [one for one in cells if (one.server, one.connections) == (name, connections)]
            if not here:
                continue
            yield (
                f"{name:11} {connections:11} {_median(one.micros for one in here):15.0f}"
                f" {_median(one.messages / one.seconds for one in here):11.0f}"
                f" {_median(one.p50 for one in here) * 1e3:8.2f}"
                f" {_median(one.p99 for one in here) * 1e3:8.2f}"
                f" {_median(one.generator / one.messages * 1e6 for one in here):13.0f}"
                + f" {_median(one.relay / one.messages * 1e6 for one in here):9.0f}"
                * with_relay
            )


def verdict(one: Ratio) -> str:
    """Return a ratio in words, with its bar where there is one."""
    line = (
        f"{one.over} / {one.under} at {one.connections}: {one.median:.2f} ({one.low:.2f} to {one.high:.2f})"
    )
    for over, under, bar in BARS:
        if (over, under) == (one.over, one.under):
            line += f", bar {bar:.2f}: {'kept' if one.median <= bar else 'MISSED'}"
    return line


def memory_line(server: str, found: Sequence[Memory | None]) -> str:
    """Return what a server's working processes hold in memory."""
    if any(one is None for one in found):
        return f"{server}: only root may see it"
    each = ", ".join(
        f"{one.private / MB:.1f} MB private ({one.proportional / MB:.1f} with its share of the rest)"
        for one in found
        if one is not None
    )
    return f"{server}: {each}"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
