"""Whether a server stays as it is: its memory, descriptors, threads and latency while messages pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import processes
from tests.bench.load import Outcome
from tests.bench.servers import Server

SETTLED = 50_000  # messages after which memory shall not grow
GROWTH = 32.0  # octets per message of a worker at most, which are 3 MB until it is replaced
SLOWER = 1.2  # what p99 at the end may be of that at the start
ENOUGH = 10  # looks at a worker's memory that a slope can be drawn through
SPARE = 2  # threads of a worker that may be more: pools, such as libmilter's, fill as they are used
PATIENCE = 10.0  # seconds until what is over is forgotten


@dataclass(frozen=True, slots=True)
class Handles:
    """What a family of processes holds."""

    descriptors: int
    threads: int


@dataclass(slots=True)
class Watch:
    """What was seen of one server."""

    server: Server
    workers: int
    before: Handles
    settled: Handles | None = None  # after the first lap
    memory: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # by worker: messages, and octets
    laps: list[Outcome] = field(default_factory=list)

    def look(self, sent: int) -> None:
        """Note each worker's memory after so many messages in all."""
        for pid in self.server.workers():
            if (found := processes.memory(pid)) is not None:
                own = sent // self.workers
                self.memory.setdefault(pid, []).append((own, found.proportional))

    def end_lap(self, outcome: Outcome) -> None:
        """Note what became of a lap's messages."""
        self.laps.append(outcome)
        if self.settled is None:
            self.settled = self.handles()

    def handles(self) -> Handles:
        """Count what is held once nothing is in hand."""
        processes.settle(self.server.pids(), quiet=0.5, patience=PATIENCE)
        pids = self.server.pids()
        return Handles(*(sum(_count(pid, kind) for pid in pids) for kind in ("fd", "task")))

    def slopes(self) -> dict[int, float]:
        """Return the octets by which each worker grew with each of its messages, after the first ones."""
        found = {}
        for pid, seen in self.memory.items():
            later = [one for one in seen if one[0] * self.workers >= SETTLED]
            if len(later) >= ENOUGH:
                found[pid] = slope(later)
        return found

    def windows(self) -> tuple[Outcome, Outcome] | None:
        """Return some laps at the start, behind the first, and as many at the end."""
        size = min(3, (len(self.laps) - 1) // 2)
        if size < 1:
            return None
        return _together(self.laps[1 : 1 + size]), _together(self.laps[-size:])

    def report(self, last: Handles) -> Iterator[str]:
        """Yield what was seen, a line each."""
        for name, one in (
            ("before", self.before),
            ("after the first lap", self.settled),
            ("at the end", last),
        ):
            if one is not None:
                yield f"{one.descriptors} descriptors, {one.threads} threads {name}"
        for pid, seen in self.memory.items():
            first, final = seen[0], seen[-1]
            yield (
                f"worker {pid}: {first[1] / 1e6:.1f} MB after {first[0]} of its messages, "
                f"{max(octets for _, octets in seen) / 1e6:.1f} MB at most, "
                f"{final[1] / 1e6:.1f} MB after {final[0]}"
            )
        for pid, octets in self.slopes().items():
            yield f"worker {pid}: {octets:+.1f} octets per message after the first {SETTLED}"
        for number, lap in enumerate(self.laps, 1):
            yield f"lap {number}: p50 {lap.latency(0.5) * 1000:.1f} ms, p99 {lap.latency(0.99) * 1000:.1f} ms"

    def complaints(self, last: Handles) -> Iterator[str]:
        """Yield what is not as it was."""
        if self.settled is not None and last.descriptors > self.settled.descriptors:
            yield f"{last.descriptors - self.settled.descriptors} descriptors are left over"
        if self.settled is not None and last.threads > self.settled.threads + SPARE * self.workers:
            yield f"{last.threads - self.settled.threads} threads are left over"
        for pid, octets in self.slopes().items():
            if octets > GROWTH:
                yield f"worker {pid} grows by {octets:.0f} octets per message"
        if (windows := self.windows()) is not None:
            start, end = (one.latency(0.99) for one in windows)
            if end > SLOWER * start:
                yield f"p99 was {start * 1000:.1f} ms at the start and is {end * 1000:.1f} ms at the end"


def watch(server: Server, workers: int) -> Watch:
    """Begin to watch a server that nobody has asked anything."""
    one = Watch(server, workers, Handles(0, 0))
    one.before = one.handles()
    return one


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the rise of the line through points that has the least squares of distances."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread


def _together(laps: Sequence[Outcome]) -> Outcome:
    whole = Outcome()
    for one in laps:
        whole.add(one)
    return whole


def _count(pid: int, kind: str) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/{kind}").iterdir())
    except FileNotFoundError:  # it has just ended
        return 0
