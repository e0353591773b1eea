"""Tokens that programs sign in with, by the keyed hash of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from tamis.store.schema import api_token


class Scope(StrEnum):
    """What a program may do."""

    READ = "read"
    CHANGE = "change"  # and read
    ERASE = "erase"  # all that there is, and change and read

    def allows(self, wanted: Scope) -> bool:
        """Whether who may do this may do that, too."""
        several = tuple(Scope)
        return several.index(wanted) <= several.index(self)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One program; times are Unix ms."""

    hash: bytes
    id: str  # a ULID, which tells when it was made
    account: str | None  # None for the webmail's server, which acts for all
    name: str
    scope: Scope
    used: int | None = None
    expires: int | None = None


def add(connection: Connection, one: ApiToken) -> None:
    """Let a program in."""
    connection.execute(insert(api_token), asdict(one))


def find(connection: Connection, digest: bytes, *, now: int) -> ApiToken | None:
    """Return a token that has not expired."""
    row = connection.execute(select(api_token).where(api_token.c.hash == digest)).one_or_none()
    if row is None or (row.expires is not None and row.expires <= now):
        return None
    return ApiToken(**{**row._mapping, "scope": Scope(row.scope)})


def use(connection: Connection, digest: bytes, *, now: int) -> None:
    """Write when a token was used last."""
    connection.execute(update(api_token).where(api_token.c.hash == digest).values(used=now))


def of(connection: Connection, account: str | None) -> Sequence[ApiToken]:
    """Return the tokens of an account, or of webmails' servers (None), oldest first."""
    mine = select(api_token).where(api_token.c.account.is_not_distinct_from(account)).order_by(api_token.c.id)
    return [ApiToken(**{**row._mapping, "scope": Scope(row.scope)}) for row in connection.execute(mine)]


def remove(connection: Connection, account: str | None, token_id: str) -> bool:
    """Delete one of these tokens; tell whether it was there."""
    mine = delete(api_token).where(api_token.c.account.is_not_distinct_from(account))
    return connection.execute(mine.where(api_token.c.id == token_id)).rowcount > 0
