"""What was in the file of an image when somebody drew on it: by it a new version of the data set knows it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of older drawings it is not known."""
    op.add_column("shapes", sa.Column("content", sa.String(length=60), nullable=True))
