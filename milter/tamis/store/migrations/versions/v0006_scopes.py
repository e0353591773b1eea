"""What programs may do that sign in to the API."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; no token has been made before it."""
    op.add_column("api_token", sa.Column("scope", sa.String, nullable=False, server_default="read"))
