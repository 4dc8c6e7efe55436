"""What keeps a worker from taking its next run for want of room on the disk."""

from __future__ import annotations

import time
from pathlib import Path

import sqlalchemy as sa

from slim_core.data.files.free_space import MB, can_write, free_bytes
from slim_core.errors import FULL_DISK, SlimError
from slim_core.store import Store
from slim_core.store.disk_space import disk_shortage, output_folders
from slim_core.store.schema import runs as _runs

_AMPLE = 10  # times the least: with so much free, only a run that needs more still meets the end of the disk
_TRY_S = 10.0  # between two files that are written to see whether they can be


class DiskGuard:
    """The disks that a worker's runs write to.

    Less than SLIM_LEAST_FREE_MB is too little for any run. That is a small floor: a run that needs more fails. Where
    little is left, or a quota is full, its worker then takes no other one to the same end, until so much more is free,
    or somebody has seen to that run.
    """

    def __init__(self, store: Store, worker: str) -> None:
        self._store, self._worker = store, worker
        self._known: tuple[str, int] | None = None  # run and attempt that met a full disk last
        self._after_it: list[int | None] | None = None  # bytes that were free then; None: that is over
        self._try_at = 0.0  # monotonic seconds

    def note_end(self) -> None:
        """A job of this worker has ended: how much is free, if its run has met a full disk."""
        found = self._met_full()
        if found is not None and found != self._known:
            self._known, self._after_it, self._try_at = found, self._free(), 0.0

    def shortage(self) -> str | None:
        """Why no run can be taken now, as a part of a sentence; None where one can."""
        if self._after_it is not None and self._is_over(self._after_it):
            self._after_it = None
        least_mb = self._store.settings.least_free_mb
        if (found := disk_shortage(self._store)) is not None or self._after_it is None or not least_mb:
            return found
        if short := self._short():
            place, free = short[0]
            left = f"that of {place} has {free // MB:,} MB free"
            return f"the last run met a full disk, and {left}: free {least_mb:,} MB more, or retry that run."
        return f"the last run met a full disk or quota, and no file of {least_mb:,} MB can be written: free some space."

    def _free(self) -> list[int | None]:
        return [free_bytes(place) for place in output_folders(self._store)]

    def _short(self) -> list[tuple[Path, int]]:
        """The folders whose disk has little left, with how much."""
        ample = _AMPLE * self._store.settings.least_free_mb * MB
        known = zip(output_folders(self._store), self._free(), strict=True)
        return [(place, free) for place, free in known if free is not None and free < ample]

    def _is_over(self, before: list[int | None]) -> bool:
        """Whether much is free for other runs, or more than before, or the run was retried or deleted."""
        pairs = zip(self._free(), before, strict=True)
        grown = [now - was for now, was in pairs if now is not None and was is not None]
        if any(more >= self._store.settings.least_free_mb * MB for more in grown):
            return True
        if not self._short() and self._takes_a_file():
            return True
        try:
            return self._met_full() != self._known
        except SlimError:  # the database is away, or has no room either
            return False

    def _takes_a_file(self) -> bool:
        """Whether all disks take as much as any run needs, whatever their figures say; looked at now and then."""
        if time.monotonic() < self._try_at:
            return False
        self._try_at = time.monotonic() + _TRY_S
        return all(can_write(place, self._store.settings.least_free_mb * MB) for place in output_folders(self._store))

    def _met_full(self) -> tuple[str, int] | None:
        """The newest run of this worker that failed on a full disk and still is as it was then."""
        failed = (_runs.c.status == "failed", _runs.c.deleted_at.is_(None), _runs.c.worker == self._worker)
        is_full = _runs.c.progress["error"].as_string() == FULL_DISK
        query = sa.select(_runs.c.id, _runs.c.attempt).where(*failed, is_full)
        with self._store.database.read() as connection:
            row = connection.execute(query.order_by(_runs.c.finished_at.desc()).limit(1)).first()
        return None if row is None else (row.id, row.attempt)
