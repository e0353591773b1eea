"""What will become of an account's records, and when: as things are, or if it were closed or erased now.

Holds are left out: whoever asks may not be the one to be told of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tamis.retention.classes import Clock
from tamis.retention.due import Action, Owner, Reason, Record, Verdict, due
from tamis.retention.rules import Rules
from tamis.store.extent import Extent


@dataclass(frozen=True, slots=True)
class Outlook:
    """The end of the last record of a class that there is now; times are Unix ms, None for none."""

    records: Extent
    kept_until: int | None  # by a floor
    clock: Clock | None  # of that floor
    gone_by: int | None


def if_closed(records: Sequence[Extent], owner: Owner, rules: Rules, *, now: int) -> list[Outlook]:
    """Return what becomes of records if their account is closed now, where it is not closed yet."""
    since = now if owner.closed is None else owner.closed
    return [_outlook(one, replace(owner, closed=since), rules, now) for one in records]


def if_erased(records: Sequence[Extent], owner: Owner, rules: Rules, *, now: int) -> list[Outlook]:
    """Return what becomes of records if it is asked now that they are erased."""
    return [_outlook(one, replace(owner, erasure=now), rules, now) for one in records]


def _outlook(records: Extent, owner: Owner, rules: Rules, now: int) -> Outlook:
    # What a clock that went ahead has made counts as made now.
    record = Record(records.kind, min(records.newest, now), (owner,))
    # Addresses that pseudonyms replace meanwhile end nothing.
    verdicts = list(_verdicts(record, replace(rules, pseudonymise=None), now))
    first, last = verdicts[0], verdicts[-1]
    is_kept = first.reason is Reason.FLOOR
    return Outlook(
        records,
        kept_until=first.until if is_kept else None,
        clock=first.clock if is_kept else None,
        gone_by=last.until if last.action is Action.DELETE else None,
    )


def _verdicts(record: Record, rules: Rules, now: int) -> Iterator[Verdict]:
    """Return what is due to a record now, and each time that this changes."""
    verdict = due(record, rules, now)
    yield verdict
    while verdict.action is Action.KEEP and verdict.until is not None:
        verdict = due(record, rules, verdict.until)
        yield verdict
