"""Chains of tickets; those that are there are taken into them."""

from __future__ import annotations

import hashlib
import os

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

PAGE = 500  # rows
DAY = 86_400_000  # milliseconds
DIGITS = str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuv")
TICKET = sa.table("ticket", *map(sa.column, ("id", "body", "chain", "number", "is_last", "salt", "link")))


def upgrade() -> None:
    """Make the tables, and the chains of each day."""
    for name, kind in (("chain", sa.Integer), ("number", sa.Integer)):
        op.add_column("ticket", sa.Column(name, kind, nullable=False, server_default="0"))
    op.add_column("ticket", sa.Column("is_last", sa.Boolean, nullable=False, server_default=sa.false()))
    for name in ("salt", "link"):
        op.add_column("ticket", sa.Column(name, sa.LargeBinary, nullable=False, server_default=""))
    chain = op.create_table(
        "chain",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("tickets", sa.Integer),
        sa.Column("head", sa.LargeBinary),
        sa.Column("seal", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ticket_gone",
        sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    ends = _chain(op.get_bind())
    last = sa.update(TICKET).values(is_last=sa.true())
    for number, (day, ticket) in enumerate(ends, start=1):
        op.bulk_insert(chain, [{"day": day, "id": number, "state": "open"}])
        op.execute(last.where(TICKET.c.id == ticket))


def _chain(connection: sa.Connection) -> list[tuple[int, str]]:
    """Take all tickets into chains; return day and last ticket of each."""
    change = sa.update(TICKET).where(TICKET.c.id == sa.bindparam("of"))
    pages = sa.select(TICKET.c.id, TICKET.c.body).order_by(TICKET.c.id).limit(PAGE)
    made: list[tuple[int, str]] = []
    number, link = 0, b""
    page = connection.execute(pages).all()
    while page:
        changes = []
        for row in page:
            of = int(row.id[:10].translate(DIGITS), 32) // DAY
            if not made or of != made[-1][0]:
                made.append((of, row.id))
                number, link = 0, hashlib.sha256(f"tamis chain {len(made)} day {of}".encode()).digest()
            salt = os.urandom(16)
            number += 1
            link = hashlib.sha256(link + hashlib.sha256(salt + row.body.encode()).digest()).digest()
            made[-1] = (of, row.id)
            changes.append({"of": row.id, "chain": len(made), "number": number, "salt": salt, "link": link})
        connection.execute(change, changes)
        page = connection.execute(pages.where(TICKET.c.id > page[-1].id)).all()
    return made
