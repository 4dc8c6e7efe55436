"""What uses the disk of this machine: each area of the home, and each run with its dependents."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database
from slim_core.store.runs.rows import WHOLE, WITHOUT_METRICS, Run

_BLOCK = 512  # bytes of a block of st_blocks, whatever the file system's own are
_t = schema.runs


@dataclass(frozen=True)
class StoredRun:
    """A run and its files."""

    run: Run
    n_bytes: int  # results, log and checkpoints
    n_children: int  # runs that were made from it
    n_campaigns: int  # campaigns that ask about it

    @property
    def can_go(self) -> bool:
        """Whether it can be deleted without a run or a campaign losing what it depends on."""
        return self.run.ended and not self.n_children and not self.n_campaigns


class Storage:
    """Reads the disk anew at each call: some milliseconds for a hundred runs."""

    def __init__(self, home: Path, database: Database, artifacts: Artifacts) -> None:
        self._home, self._database, self._artifacts = home, database, artifacts

    def areas(self) -> dict[str, int]:
        """First level of the home -> bytes, largest first; the files beside the folders count as "database"."""
        found: dict[str, int] = {}
        for entry in os.scandir(self._home):
            name = entry.name if entry.is_dir(follow_symlinks=False) else "database"
            found[name] = found.get(name, 0) + used(Path(entry.path))
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def runs(self) -> list[StoredRun]:
        """Every run, the one with the most bytes first; shards count to the run whose work they do."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(*WITHOUT_METRICS).where(_t.c.deleted_at.is_(None))).mappings().all()
            children = _numbers(connection, _children())
            campaigns = _numbers(connection, _campaigns())
        every = [Run(**row) for row in rows]
        n_bytes: dict[str, int] = {}
        for run in every:
            whole = run.shard_of or run.id
            n_bytes[whole] = n_bytes.get(whole, 0) + sum(map(used, self._artifacts.places(run.id)))
        stored = [
            StoredRun(run, n_bytes[run.id], children.get(run.id, 0), campaigns.get(run.id, 0))
            for run in every
            if run.shard_of is None
        ]
        return sorted(stored, key=lambda one: -one.n_bytes)


def used(path: Path) -> int:
    """Bytes on the disk of a file, or of all files below a folder. Links are not followed; what vanishes is nothing."""
    return sum(_blocks(path)) * _BLOCK


def _blocks(path: Path) -> Iterator[int]:
    try:
        yield path.lstat().st_blocks
    except OSError:
        return
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name)).st_blocks
            except OSError:
                continue


def _numbers(connection: Connection, query: sa.Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _children() -> sa.Select[Any]:
    """Parent -> runs made from it; shards are a part of their run and do not count."""
    links = schema.run_parents
    n = sa.func.count(sa.distinct(links.c.run_id))
    query = sa.select(links.c.parent_id, n).select_from(links.join(_t, links.c.run_id == _t.c.id))
    return query.where(_t.c.deleted_at.is_(None), WHOLE).group_by(links.c.parent_id)


def _campaigns() -> sa.Select[Any]:
    asked = schema.campaigns
    query = sa.select(asked.c.space_run_id, sa.func.count()).where(
        asked.c.space_run_id.is_not(None), asked.c.deleted_at.is_(None)
    )
    return query.group_by(asked.c.space_run_id)
