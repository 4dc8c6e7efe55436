"""Private data sets and campaigns, and whom they are shared with; the data sets of each study."""

from __future__ import annotations

import json

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
    op.create_table(
        "study_datasets",
        sa.Column("study_id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_datasets_study_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_study_datasets_dataset_id"),
        sa.PrimaryKeyConstraint("study_id", "dataset_id", name="pk_study_datasets"),
    )
    op.create_index("ix_study_datasets_dataset_id", "study_datasets", ["dataset_id"])
    _fill()


def _fill() -> None:
    """The data sets of studies that have run, by the models of their cases."""
    connection = op.get_bind()
    models = connection.execute(sa.text("SELECT id, dataset_id FROM runs WHERE kind = 'train'"))
    datasets: dict[str, str] = {run_id: dataset_id for run_id, dataset_id in models}  # noqa: C416
    found: set[tuple[str, str]] = set()
    for study_id, entry in connection.execute(sa.text("SELECT study_id, entry FROM study_cases")):
        known = json.loads(entry) if isinstance(entry, str) else entry
        if known.get("model") in datasets:
            found.add((study_id, datasets[known["model"]]))
    for study_id, dataset_id in sorted(found):
        row = {"study": study_id, "dataset": dataset_id}
        connection.execute(sa.text("INSERT INTO study_datasets VALUES (:study, :dataset)"), row)
