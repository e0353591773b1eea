"""Holding an account's records for an authority, and letting go of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from tamis.desk import staff
from tamis.store import acts, holds
from tamis.store.acts import Kind
from tamis.store.holds import Hold
from tamis.ticket import timestamp


@dataclass(frozen=True, slots=True)
class Request:
    """What an authority asks for."""

    reference: str
    authority: str
    basis: str | None


class NoSuchHold(Exception):
    """There is no hold that could be released."""


def add(connection: Connection, account: str, request: Request, *, until: int, now: int) -> Hold:
    """Hold the records of an account until a Unix time in ms."""
    body = {**staff.signature(), "account": account, "until": timestamp(until), **asdict(request)}
    hold_id = acts.add(connection, Kind.HOLD, body, now=now)
    holds.add(connection, hold_id, account, until)
    return Hold(hold_id, account, until, None, body)


def release(connection: Connection, hold_id: str, *, now: int) -> Hold:
    """End a hold, which it returns as it was; raise NoSuchHold."""
    found = next(holds.find(connection, hold_id), None)
    if found is None:
        raise NoSuchHold(f"there is no hold {hold_id}")
    if found.released is not None:
        raise NoSuchHold(f"{hold_id} was released at {timestamp(found.released)}")
    body = {**staff.signature(), "hold": hold_id, "account": found.account}
    acts.add(connection, Kind.RELEASE, body, now=now)
    holds.release(connection, hold_id, now=now)
    return found


def state(hold: Hold, *, now: int) -> str:
    """Return how a hold is: active, ended or released."""
    if hold.released is not None:
        return "released"
    return "active" if hold.until > now else "ended"
