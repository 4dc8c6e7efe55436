"""Private data sets and campaigns, and whom they are shared with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables; what is there stays visible to all."""
    for table in ("datasets", "campaigns"):
        op.add_column(table, sa.Column("private", sa.Boolean(), nullable=False, server_default=sa.false()))
        private = sa.text("private")
        op.create_index(f"ix_{table}_private", table, ["id"], sqlite_where=private, postgresql_where=private)
    op.create_table(
        "shares",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("subject", "person", name="pk_shares"),
    )
