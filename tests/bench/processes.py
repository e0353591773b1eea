"""What processes cost: CPU time and memory, as Linux counts them (proc(5))."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h: the clock that the scheduler keeps, in nanoseconds
SETTLED = 0.001  # seconds of CPU time
PAUSE = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident octets of one process."""

    pid: int
    private: int  # its alone (USS)
    proportional: int  # with its share of what it has in common with others (PSS)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found.extend(map(int, children.read_text().split()))
            except FileNotFoundError:
                continue  # the thread has just ended
    return found


def cpu(pids: list[int]) -> float:
    """Return the CPU seconds of processes so far, all their threads, ended ones too.

    The clock is the one of clock_getcpuclockid(3), which Python has no call for; /proc/PID/stat counts in
    hundredths of a second only.
    """
    return sum(time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED) for pid in pids) / 1e9


def settle(pids: list[int], *, quiet: float = PAUSE, patience: float = 0.5) -> bool:
    """Wait until processes use next to no CPU; False if they do not stop within patience seconds."""
    end = time.monotonic() + patience
    before = cpu(pids)
    while time.monotonic() < end:
        time.sleep(quiet)
        now = cpu(pids)
        if now - before < SETTLED * max(1.0, quiet / PAUSE / 4):
            return True
        before = now
    return False


def memory(pid: int) -> Memory | None:
    """Return a process's memory; None where it is not ours to see, as Tamis forbids it to all but root."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except PermissionError:
        return None
    sizes = {}
    for line in text.splitlines()[1:]:
        name, _, value = line.partition(":")
        sizes[name] = int(value.split()[0]) * 1024
    return Memory(pid, sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Pss"])
