"""What a corpus run must show: every message judged, one ticket each, nothing to complain of in the log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.load import Outcome

LINE = re.compile(r"\S+Z tamis\[\d+\] (?:info|debug): ")
MAX_QUOTES = 5  # lines quoted of each kind


@dataclass(frozen=True, slots=True)
class Result:
    """A run's counts, and its complaints, none of which quotes a message."""

    counts: Counter[str]
    complaints: tuple[str, ...]


def judge(sent: int, outcome: Outcome, tickets: Iterable[dict[str, object]], log: Sequence[str]) -> Result:
    """Compare what was sent with the answers, the tickets and the log's lines."""
    counts = Counter({f"answer {name}": number for name, number in outcome.verdicts.items()})
    complaints = [
        f"{outcome.verdicts[name]} messages: {name}"
        for name in ("error", "tempfail")
        if outcome.verdicts[name]
    ]
    complaints += outcome.errors[:MAX_QUOTES]
    if outcome.verdicts.total() != sent:
        complaints.append(f"{sent} messages were sent, and {outcome.verdicts.total()} answered")
    seen: Counter[str] = Counter()
    for ticket in tickets:
        seen[str(ticket["queue_id"])] += 1
        counts.update(_facts(ticket))
    counts["tickets"] = seen.total()
    complaints += _tickets(Counter(outcome.ids), seen)
    bad = [line for line in log if not LINE.match(line)]
    if bad:
        complaints.append(f"{len(bad)} log lines at warning or above")
        complaints += bad[:MAX_QUOTES]
    return Result(counts, tuple(complaints))


def _tickets(answered: Counter[str], seen: Counter[str]) -> list[str]:
    found = []
    if missing := answered - seen:
        found.append(f"{missing.total()} messages without a ticket, such as {next(iter(missing))}")
    if spare := seen - answered:
        found.append(f"{spare.total()} tickets too many, such as {next(iter(spare))}")
    return found


def _facts(ticket: dict[str, object]) -> Iterable[str]:
    recipients = ticket["recipients"]
    if isinstance(recipients, list):
        for one in recipients:
            for key in ("antivirus", "antispam", "graymail", "action"):
                yield f"{key} {one[key]}"
