"""Notes: what people write of a run or a campaign, and the tags they give it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "notes",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_notes"),
    )
    op.create_table(
        "note_tags",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("tag", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("subject", "tag", name="pk_note_tags"),
    )
    op.create_index("ix_note_tags_tag", "note_tags", ["tag"], unique=False)
