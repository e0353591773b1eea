"""What signing in to the web page and the API needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "web_session",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("sign_in", sa.String, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("language", sa.String),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "local_password",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "api_token",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("account", sa.String),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("used", sa.BigInteger),
        sa.Column("expires", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "used_link",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    for table, column in (
        ("web_session", "account"),
        ("web_session", "expires"),
        ("api_token", "account"),
        ("used_link", "expires"),
    ):
        op.create_index(f"{table}_{column}", table, [column])
