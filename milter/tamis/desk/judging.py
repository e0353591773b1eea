"""What is due to records, by the dates and holds of the accounts that each is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tamis.retention.classes import RecordClass
from tamis.retention.due import Action, Owner, Reason, Record, Verdict, due
from tamis.retention.rules import Bound, Key, Rules
from tamis.store import candidates, owners
from tamis.store.bearers import Bearers
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


class Judge:
    """Tells what is due at a Unix time in ms."""

    def __init__(self, rules: Rules, now: int) -> None:
        self._rules = rules
        self._now = now
        self._bearers = Bearers()

    def judge(self, connection: Connection, kind: RecordClass, found: Sequence[Candidate]) -> list[Judged]:
        """Return what is due to records of a class, as things stand in this transaction."""
        named = self.named(connection, found)
        addresses = sorted({address for one in (*found, *named) for address in one.accounts})
        known = owners.owners(connection, addresses)
        held = owners.held(connection, addresses)
        acts = (
            candidates.held_acts(connection, [one.id for one in found])
            if kind is RecordClass.LEGAL_ACT
            else {}
        )
        judged = []
        for given, one in zip(found, named, strict=True):
            # Somebody may have held a pseudonym itself.
            ends = [held[name] for name in given.accounts | one.accounts if name in held]
            ends += [acts[one.id]] if one.id in acts else []
            # What a clock that went ahead has made counts as made now.
            made = min(one.time, self._now)
            about = tuple(known.get(address, Owner()) for address in sorted(one.accounts))
            record = Record(kind, made, about, max(ends, default=None), one.is_pseudonymous)
            judged.append(Judged(one, due(record, self._rules, self._now)))
        return judged

    def named(self, connection: Connection, found: Sequence[Candidate]) -> list[Candidate]:
        """Return records with addresses for those pseudonyms whose accounts have dates or holds."""
        names = self._bearers.find(connection, {name for one in found for name in one.accounts})
        return [
            replace(one, accounts=frozenset(names.get(name, name) for name in one.accounts)) for one in found
        ]


def rule(kind: RecordClass, verdict: Verdict, rules: Rules) -> str:
    """Return the rule that decided, as it would stand in the configuration."""
    if verdict.reason is Reason.PSEUDONYMISATION:
        return f'tickets.pseudonymise_after = "{rules.pseudonymise}"'
    if verdict.reason is not Reason.CEILING or verdict.clock is None:
        return verdict.reason.value
    key = Key(kind, verdict.clock, Bound.CEILING)
    return f'{key} = "{rules.figures[key]}"'
