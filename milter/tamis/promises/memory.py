"""The terms in force as the store remembers them, so that a restart notices what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection

from tamis.promises.comparison import Change, Effect
from tamis.promises.terms import Terms
from tamis.store import acts
from tamis.store.acts import Kind
from tamis.ticket import time_of


@dataclass(frozen=True, slots=True)
class InForce:
    """The terms that the last change brought."""

    since: int  # Unix ms
    terms: Terms


def in_force(connection: Connection) -> InForce | None:
    """Return the terms in force; None before the first, and for such as this Tamis does not understand."""
    act = acts.newest(connection, Kind.POLICY)
    if act is None:
        return None
    try:
        return InForce(time_of(act.id), Terms.model_validate(act.body["terms"]))
    except (KeyError, ValidationError):
        return None


def since(connection: Connection, terms: Terms) -> int | None:
    """Return since when terms are in force, in Unix ms; None where these are not."""
    found = in_force(connection)
    return found.since if found and found.terms.fingerprint == terms.fingerprint else None


def put_in_force(connection: Connection, terms: Terms, changes: Sequence[Change], *, now: int) -> None:
    """Record other terms, and what they weaken, in a transaction that writes."""
    weakened = [f"{change.key}: {change.text}" for change in changes if change.effect is Effect.WEAKENS]
    body = {"fingerprint": terms.fingerprint, "weakens": weakened, "terms": terms.model_dump(mode="json")}
    acts.add(connection, Kind.POLICY, body, now=now)
