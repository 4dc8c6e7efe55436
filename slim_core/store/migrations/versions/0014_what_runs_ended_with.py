"""Which run another ended with, because it waited for it; before, its message alone said so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BEGINNING = "Its parent "  # of that message in every version so far; the id follows


def upgrade() -> None:
    """Add the column, and fill it from the messages."""
    op.add_column("runs", sa.Column("ended_with", sa.String(length=40), nullable=True))
    runs = sa.table("runs", *map(sa.column, ("id", "status", "message", "ended_with")))
    said = sa.select(runs.c.id, runs.c.message).where(
        runs.c.status.in_(("failed", "canceled")), runs.c.message.startswith(_BEGINNING)
    )
    connection = op.get_bind()
    for run_id, message in connection.execute(said).all():
        ended_with = message.removeprefix(_BEGINNING).partition(" ")[0]
        connection.execute(runs.update().where(runs.c.id == run_id).values(ended_with=ended_with))
