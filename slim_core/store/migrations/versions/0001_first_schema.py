"""The tables of the first release, as schema.py has them.

The first change of a schema that was released writes down here what it was ("alembic revision --autogenerate"), and
comes after it; a test sees that the migrations make exactly the tables of schema.py.
"""

from __future__ import annotations

from alembic import op

from slim_core.store.schema import metadata

revision = "1.0"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    metadata.create_all(op.get_bind())
