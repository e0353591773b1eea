"""How often the law was at work in a year: counts, and no persons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from tamis.store import acts
from tamis.store.acts import Act, Kind

Key = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """The acts of one kind, for one authority of one jurisdiction."""

    kind: str
    authority: str | None
    jurisdiction: str | None
    acts: int
    accounts: int  # different ones that they name


def report(connection: Connection, year: int) -> Iterator[Row]:
    """Count the acts of a year of UTC."""
    since, until = (round(datetime(one, 1, 1, tzinfo=UTC).timestamp() * 1000) for one in (year, year + 1))
    return count(acts.find(connection, since=since, until=until))


def count(given: Iterable[Act]) -> Iterator[Row]:
    """Count acts by kind, authority and jurisdiction."""
    numbers: Counter[Key] = Counter()
    accounts: defaultdict[Key, set[object]] = defaultdict(set)
    for act in given:
        if act.kind == Kind.POLICY:
            continue  # nobody's records were touched
        key = (act.kind, _text(act.body, "authority"), _text(act.body, "jurisdiction"))
        numbers[key] += 1
        scope = act.body.get("scope")
        about = (scope if isinstance(scope, Mapping) else act.body).get("account")
        if about is not None:
            accounts[key].add(about)
    for key in sorted(numbers, key=lambda one: [part or "" for part in one]):
        yield Row(*key, acts=numbers[key], accounts=len(accounts[key]))


def _text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None
