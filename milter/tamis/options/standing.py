"""What pages of settings show: what is in force for an account, since when, and what is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tamis.desk.shown import Shown, shown
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.preferences import SWITCHES
from tamis.store import changes


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's settings."""

    shown: Shown
    since: Mapping[str, int]  # Unix ms, of the keys whose change is on record

    def _is_overruled(self, key: str) -> bool:
        """Whether something else is in force than what the user has set."""
        return key in self.shown.locked or (self.shown.is_restricted and key in SWITCHES)

    def values(self, visit: Visit, keys: Sequence[str]) -> Mapping[str, object]:
        """Return what templates need of some keys, and whether something was saved just now."""
        return {
            "applied": self.shown.applied,
            "locked": self.shown.locked,
            "is_restricted": self.shown.is_restricted,
            "since": {key: time for key, time in self.since.items() if not self._is_overruled(key)},
            "last": max((self.since[key] for key in keys if key in self.since), default=None),
            "saved": visit.request.query_params.get("saved", ""),
        }


def standing(visit: Visit, clerk: Clerk) -> Standing:
    """Return how the visitor's account stands."""
    with clerk.database.reading() as connection:
        found = shown(connection, visit.account, config=visit.site.config, accounts=clerk.accounts)
        return Standing(found, changes.latest(connection, visit.account))
