"""Whom pseudonyms stand for: of the accounts whose dates or holds decide on records, and of no others."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from tamis.store import candidates, holds, pseudonyms, settings
from tamis.store.pseudonyms import is_pseudonym


class Bearers:
    """Remembers the accounts with dates, of which there may be many, until accounts change."""

    def __init__(self) -> None:
        self._changes: int | None = None
        self._dated: Mapping[str, str] = {}  # addresses by pseudonym

    def find(self, connection: Connection, names: Collection[str]) -> dict[str, str]:
        """Return the addresses of those pseudonyms whose bearers are known, by pseudonym."""
        wanted = [one for one in names if is_pseudonym(one)]
        if not wanted:
            return {}
        made = pseudonyms.get(connection)
        changes = settings.changes(connection)
        if changes != self._changes:
            self._dated = {made.of(address): address for address in candidates.dated_addresses(connection)}
            self._changes = changes
        held = {made.of(address): address for address in holds.accounts(connection)}
        found = {one: self._dated.get(one) or held.get(one) for one in wanted}
        return {one: address for one, address in found.items() if address is not None}
