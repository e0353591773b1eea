"""Whether records about somebody are kept (GDPR, article 15): of which classes, how many, since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.store import extent, settings
from tamis.store.extent import Extent
from tamis.store.owners import Status


@dataclass(frozen=True, slots=True)
class Report:
    """What there is about an address."""

    address: str
    status: Status | None  # None where there is no account
    records: Sequence[Extent]


def report(connection: Connection, address: str) -> Report:
    """Return what there is about an address (lower case)."""
    found = tuple(extent.extents(connection, address))
    return Report(address, settings.status(connection, address), found)
