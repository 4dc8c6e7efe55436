"""Whether a disk has room for another run. Where it has none, workers take no run until there is some again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slim_core.result_files import MB, free_bytes
from slim_core.store.remote import local_folder
from slim_core.store.workers import Worker

if TYPE_CHECKING:
    from slim_core.store import Store


def output_folders(store: Store) -> list[Path]:
    """The folders to which a run of this process writes: the home, and that of the artifacts where it is another."""
    home = store.settings.home.resolve()
    return list(dict.fromkeys((home, local_folder(store.settings.artifacts) or home)))


def disk_shortage(store: Store) -> str | None:
    """That no run starts, as the disk of one of these folders is too full: a part of a sentence, with the remedy."""
    least_mb = store.settings.least_free_mb
    for place in output_folders(store) if least_mb else ():
        free = free_bytes(place)
        if free is not None and free < least_mb * MB:
            return f"the disk of {place} has {free // MB:,} MB free, and a run needs {least_mb:,} MB: free some space."
    return None


def workers_with_blocks(store: Store) -> list[Worker]:
    """The living workers, each with what blocks it.

    On a disk without a free byte no worker of SQLite can say so: where all share this process's home, it is seen here.
    """
    workers = store.workers.alive()
    here = disk_shortage(store) if store.settings.embedded else None
    return workers if here is None else [replace(worker, blocked=here) for worker in workers]


def block_messages(workers: Iterable[Worker]) -> list[str]:
    """A sentence for each reason why some of these workers take no run."""
    workers = list(workers)
    by_reason: dict[str, list[str]] = {}
    for worker in workers:
        if worker.blocked:
            by_reason.setdefault(worker.blocked, []).append(worker.id)
    return [
        f"No run starts: {reason}" if len(names) == len(workers) else f"No run starts on {', '.join(names)}: {reason}"
        for reason, names in by_reason.items()
    ]
