"""Seeds of campaigns beyond 2^31, which every other seed may be: the column of PostgreSQL was too narrow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the column; that of SQLite holds them as it is."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("campaigns", "seed", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
