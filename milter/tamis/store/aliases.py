"""Aliases, groups, catch-alls and domain aliases of the store's own table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from tamis.store.chunks import chunks
from tamis.store.schema import alias
from tamis.store.settings import PAGE, count_change


@dataclass(frozen=True, slots=True)
class Alias:
    """A name and what it stands for."""

    name: str
    targets: tuple[str, ...]


def targets(connection: Connection, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the targets of those names (lower case) that are aliases."""
    columns = select(alias.c.name, alias.c.target).order_by(alias.c.name, alias.c.position)
    found: dict[str, list[str]] = {}
    for some in chunks(names):
        for name, target in connection.execute(columns.where(alias.c.name.in_(some))):
            found.setdefault(name, []).append(target)
    return {name: tuple(given) for name, given in found.items()}


def put(connection: Connection, one: Alias) -> None:
    """Give a name these targets and no others; without targets, remove it."""
    connection.execute(delete(alias).where(alias.c.name == one.name))
    rows = [
        {"name": one.name, "position": position, "target": target}
        for position, target in enumerate(one.targets)
    ]
    if rows:
        connection.execute(insert(alias), rows)
    count_change(connection)


def aliases(connection: Connection) -> Iterator[Alias]:
    """Return all aliases by name, a page at a time."""
    names = select(alias.c.name).distinct().order_by(alias.c.name).limit(PAGE)
    after = ""
    while page := connection.execute(names.where(alias.c.name > after)).scalars().all():
        known = targets(connection, page)
        for name in page:
            if name in known:  # not removed meanwhile
                yield Alias(name, known[name])
        after = page[-1]


def leading(connection: Connection, address: str) -> list[str]:
    """Return the names that stand for an address, be it among others, in order."""
    names = select(alias.c.name).distinct().where(alias.c.target == address).order_by(alias.c.name)
    return list(connection.execute(names).scalars())


def leads_back(connection: Connection, one: Alias) -> bool:
    """Tell whether an alias leads to itself by way of others of this table.

    One that names itself does not: as in virtual(5), it keeps a copy for the mailbox of that name.
    """
    seen: set[str] = set()
    ahead: Sequence[str] = [target for target in one.targets if target != one.name]
    while ahead:
        if one.name in ahead:
            return True
        seen.update(ahead)
        found = targets(connection, ahead)
        ahead = [target for given in found.values() for target in given if target not in seen]
    return False
