"""Statements run by the database's driver itself, as SQLAlchemy's way costs as much as the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement


@dataclass(frozen=True, slots=True)
class Made:
    """A statement as the driver takes it."""

    sql: str
    names: Sequence[str] | None  # of values in their order; None where they go by name
    given: Mapping[str, object]  # values that the statement itself brings

    def values(self, named: Mapping[str, object]) -> Any:
        """Return values as the driver takes them."""
        return named if self.names is None else [named[name] for name in self.names]


@cache
def made(statement: ClauseElement, dialect: Dialect) -> Made:
    """Return a statement that is itself made once as a dialect's driver takes it."""
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # and no DDL
    return Made(str(compiled), compiled.positiontup, compiled.params)


def insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows, as run_many() does."""
    run_many(connection, _insert(table), rows)


def run_many(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]) -> int:
    """Run a statement for each row, in the open transaction, by the driver itself; return how many changed.

    The statement is one that is made once. Raise the driver's own errors.
    """
    if not rows:
        return 0
    own = made(statement, connection.dialect)
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(own.sql, [own.values(row) for row in rows])
        return cursor.rowcount
    finally:
        cursor.close()


def run(
    connection: Connection, statement: Executable, values: Mapping[str, object]
) -> Sequence[tuple[Any, ...]]:
    """Run a statement as run_many() does, and return its rows."""
    own = made(statement, connection.dialect)
    cursor = connection.connection.cursor()
    try:
        cursor.execute(own.sql, own.values({**own.given, **values}))
        return cursor.fetchall() if cursor.description else ()
    finally:
        cursor.close()


@cache
def _insert(table: Table) -> Executable:
    return table.insert()
