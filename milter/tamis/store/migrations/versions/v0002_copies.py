"""What keeps copies from going out twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; whoever migrates fills in the secret."""
    op.create_table(
        "copy_guard",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("copy_guard_time", "copy_guard", ["time"])
    op.create_table(
        "secret",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
