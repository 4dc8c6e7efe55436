"""Devices by the names of their machines, which may be long: the columns of PostgreSQL were too narrow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the columns; SQLite holds texts of any length."""
    if op.get_bind().dialect.name != "sqlite":
        for table, column in (("runs", "device"), ("runs", "device_asked"), ("workers", "device")):
            op.alter_column(table, column, existing_type=sa.String(40), type_=sa.String(200))
