"""Why a worker takes no run: a column of its row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None blocks any worker until one says so."""
    op.add_column("workers", sa.Column("blocked", sa.Text()))
