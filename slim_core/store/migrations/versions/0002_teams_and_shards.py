"""Shards, requested devices and hung steps of runs; decisions of a lead; tags on images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("runs", sa.Column("device_asked", sa.String(length=40), nullable=True))
    op.add_column("runs", sa.Column("shard_of", sa.String(length=40), nullable=True))
    op.add_column("runs", sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_runs_shard_of", "runs", ["shard_of"], unique=False)
    op.add_column("items", sa.Column("decision", sa.SmallInteger(), nullable=True))
    _tags()


def _tags() -> None:
    op.create_table(
        "tags",
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.String(length=80), nullable=False),
        sa.Column("added_by", sa.String(length=200), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_tags_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", "row", "tag", name="pk_tags"),
    )
