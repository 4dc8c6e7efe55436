"""A home whose classes and attributes have other names than those it was made with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app import session
from slim_core.data.table import ImageTable


def rename(home: Path, renamed: Callable[[str | None], str | None]) -> tuple[str, ...]:
    """Rewrite all its JSON, in files and in the database, by ``renamed``; returns the classes of its data set."""
    for folder in ("datasets", "runs"):
        for file in (home / folder).rglob("*.json"):
            file.write_text(renamed(file.read_text()) or "")
    (data,) = (home / "datasets").iterdir()
    table = ImageTable.load(data)
    with closing(sqlite3.connect(home / "slim.db")) as database, database:
        database.create_function("renamed", 1, renamed, deterministic=True)
        database.execute("UPDATE datasets SET report = renamed(report), fingerprint = ?", (table.fingerprint,))
        database.execute("UPDATE runs SET metrics = renamed(metrics), progress = renamed(progress)")
    session.reset()
    return table.label_names
