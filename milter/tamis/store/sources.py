"""Accounts and aliases out of the database: Tamis's own tables, and the operator's query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from tamis.preferences import Value
from tamis.store import aliases, settings
from tamis.store.database import Database

SEPARATORS = re.compile(r"[\s,]+")


class Tables:
    """The store's own accounts and aliases."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: tuple[int, int] | None = None

    def own(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Value]]:
        """Return the settings of those lower-case addresses that are accounts; raise StoreUnavailable."""
        with self._database.reading() as connection:
            return settings.own(connection, addresses)

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the targets of those lower-case names that are aliases; raise StoreUnavailable."""
        with self._database.reading() as connection:
            return aliases.targets(connection, names)

    def changed(self) -> bool:
        """Tell whether there may be changes since the last call; raise StoreUnavailable."""
        with self._database.reading() as connection:
            seen = (self._database.generation, settings.changes(connection))
        before, self._seen = self._seen, seen
        return seen != before


class Query:
    """The operator's query on the store's database, asked for one name at a time."""

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._statement = text(statement)

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the targets of those names that it has rows for; raise StoreUnavailable."""
        found: dict[str, tuple[str, ...]] = {}
        with self._database.reading() as connection:
            for name in names:
                rows = connection.execute(self._statement, {"name": name}).all()
                given = [one for row in rows if row[0] for one in SEPARATORS.split(str(row[0])) if one]
                if given:
                    found[name] = tuple(one.lower() for one in given)
        return found

    def changed(self) -> bool:
        """Tell that there may be changes, as nobody counts those of the operator's tables."""
        return True
