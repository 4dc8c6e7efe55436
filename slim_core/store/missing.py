"""Why there are no artifacts under an id, and what to do about it, in a sentence."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Row

from slim_core.store import schema
from slim_core.store.database import Database


def why_missing(database: Database | None, place: str) -> str:
    """The sentence about ``place``: "runs/<id>" or "datasets/<id>"; without a database nothing is known of them."""
    area, _, name = place.partition("/")
    row = None if database is None else _row(database, area, name)
    if row is None:
        return f"There are no artifacts of {name}: it has not finished, or they were deleted."
    if area == "datasets":
        return (
            f"There is no table of the data set {row.name} ({name}): put {place} back from a backup, or import its "
            f"folder {row.root} again."
        )
    what = f"There are no artifacts of {name}, the {row.kind} run {row.name or row.kind}"
    if row.deleted_at is not None:
        return f"{what}: it was deleted, so choose another."
    if row.status == "done":
        return (
            f"{what}: put {place} back from a backup, or press Run again on its page of Jobs and go on with the new "
            "run."
        )
    if row.status in ("failed", "canceled"):
        return f"{what}: it is {row.status}, so retry it on its page of Jobs."
    return f"{what}: it is {row.status}, so wait until it is done."


def _row(database: Database, area: str, name: str) -> Row[tuple[object, ...]] | None:
    table = {"runs": schema.runs, "datasets": schema.datasets}[area]
    wanted = ("name", "root") if area == "datasets" else ("name", "kind", "status", "deleted_at")
    with database.read() as connection:
        return connection.execute(sa.select(*(table.c[one] for one in wanted)).where(table.c.id == name)).first()
