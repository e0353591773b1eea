"""Records about accounts, and of what the law asks for; an account's status follows from its dates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.drop_column("account", "status")
    for name in ("closed", "erasure", "restricted", "last_sign_in", "warned"):
        op.add_column("account", sa.Column(name, sa.BigInteger))
    _of_account("session", sa.Column("kind", sa.String, nullable=False), sa.Column("address", sa.String))
    _of_account(
        "setting_change",
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("old", sa.Text),
        sa.Column("new", sa.Text),
    )
    _of_account(
        "consent",
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("given", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
    )
    _of_account(
        "notice",
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("tried", sa.BigInteger),
    )
    op.create_table(
        "legal_act",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _of_account(
        "hold", sa.Column("until", sa.BigInteger, nullable=False), sa.Column("released", sa.BigInteger)
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _of_account(name: str, *columns: sa.Column[object]) -> None:
    """Make a table of records about one account each, found by it and by their time."""
    op.create_table(
        name,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        *columns,
        sqlite_with_rowid=False,
    )
    op.create_index(f"{name}_account", name, ["account"])
