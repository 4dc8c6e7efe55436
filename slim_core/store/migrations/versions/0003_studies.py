"""Nothing: the tables of studies, which were here, are no more."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add nothing."""
