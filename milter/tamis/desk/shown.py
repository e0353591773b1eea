"""What is in force for an account, what of it is its own, and what is locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.accounts import Accounts
from tamis.config import Config
from tamis.preferences import KEYS, RESTRICTED, Value, effective, locked
from tamis.store import settings

NO_ACCOUNT = "none"  # status of an address that has no account


@dataclass(frozen=True, slots=True)
class Shown:
    """One account's settings."""

    address: str
    status: str
    applied: Mapping[str, object]  # every key
    own: Mapping[str, Value]
    locked: tuple[str, ...]
    is_restricted: bool

    def as_json(self) -> dict[str, object]:
        """Return the object for scripts."""
        return {
            "address": self.address,
            "status": self.status,
            "settings": self.applied,
            "own": self.own,
            "locked": list(self.locked),
        }


def shown(connection: Connection, address: str, *, config: Config, accounts: Accounts) -> Shown:
    """Return what is in force for an address (lower case) of ours, whether it has an account or not."""
    own = settings.own(connection, [address]).get(address, {})
    return Shown(
        address,
        settings.status(connection, address) or NO_ACCOUNT,
        effective(accounts.levels(address.rpartition("@")[2], own)),
        {key: own[key] for key in KEYS if key in own},
        locked(config.users.may_change),
        RESTRICTED in own,
    )
