"""Answers about environments: does what their images share belong to the class?"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "environment_answers",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("campaign_id", sa.String(length=40), nullable=False),
        sa.Column("environment", sa.String(length=40), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("surplus", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_environment_answers_campaign_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_environment_answers"),
        sa.UniqueConstraint("id", name="uq_environment_answers_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_environment_answers_campaign_id_seq", "environment_answers", ["campaign_id", "seq"], unique=False
    )
