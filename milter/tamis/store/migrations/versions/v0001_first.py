"""Accounts, settings, aliases and tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_accounts()
    _make_tickets()


def _make_accounts() -> None:
    op.create_table(
        "account",
        sa.Column("address", sa.String, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "setting",
        sa.Column(
            "account", sa.String, sa.ForeignKey("account.address", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alias",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("target", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
    counter = op.create_table(
        "counter",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(counter, [{"name": "settings", "value": 0}])


def _make_tickets() -> None:
    op.create_table(
        "ticket",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("message_id", sa.String),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ticket_message_id", "ticket", ["message_id"])
    op.create_table(
        "ticket_account",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("ticket", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
