"""What is due to records, by the dates and holds of the accounts that each is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.retention.classes import RecordClass
from tamis.retention.due import Action, Owner, Reason, Record, Verdict, due
from tamis.retention.rules import Bound, Key, Rules
from tamis.store import candidates, owners
from tamis.store.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Judged:
    """A record, and what is due to it."""

    record: Candidate
    verdict: Verdict

    @property
    def is_due(self) -> bool:
        """Whether it is to be deleted."""
        return self.verdict.action is Action.DELETE


def judge(
    connection: Connection, kind: RecordClass, found: Sequence[Candidate], rules: Rules, now: int
) -> list[Judged]:
    """Return what is due to records of a class at a Unix time in ms, as things stand in this transaction."""
    addresses = sorted({address for one in found for address in one.accounts})
    known = owners.owners(connection, addresses)
    held = owners.held(connection, addresses)
    acts = (
        candidates.held_acts(connection, [one.id for one in found]) if kind is RecordClass.LEGAL_ACT else {}
    )
    judged = []
    for one in found:
        ends = [held[address] for address in one.accounts if address in held]
        ends += [acts[one.id]] if one.id in acts else []
        # What a clock that went ahead has made counts as made now.
        made = min(one.time, now)
        about = tuple(known.get(address, Owner()) for address in sorted(one.accounts))
        record = Record(kind, made, about, max(ends, default=None))
        judged.append(Judged(one, due(record, rules, now)))
    return judged


def rule(kind: RecordClass, verdict: Verdict, rules: Rules) -> str:
    """Return the rule that decided, as it would stand in the configuration."""
    if verdict.reason is not Reason.CEILING or verdict.clock is None:
        return verdict.reason.value
    key = Key(kind, verdict.clock, Bound.CEILING)
    return f'{key} = "{rules.figures[key]}"'
