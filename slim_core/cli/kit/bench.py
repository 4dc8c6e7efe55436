"""The workbench of a command, and who it acts as. Light at import: the store is loaded when a command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slim_core.cli.kit.console import warn
from slim_core.errors import SlimError, SpecRefusedError

if TYPE_CHECKING:
    from slim_core.cli.kit.progress import ProgressWorkbench
    from slim_core.runs.executor import Workbench
    from slim_core.store import Store

DATABASE = "slim.db"  # what the names of the files of a new home begin with
BY = "command line"  # who did what a command does, where nobody has signed in


def bench(queue: bool = False, device: str | None = None, priority: int = 0) -> ProgressWorkbench:
    """The workbench of a command, which shows progress bars while it waits.

    Raises:
        SpecRefusedError: a priority without a queue.
    """
    from slim_core.cli.kit.progress import ProgressWorkbench
    from slim_core.runs.executor import open_workbench

    if priority and not queue:
        raise SpecRefusedError(f"--priority {priority} is a place in the queue: add --queue, or leave it out.")
    at = open_workbench(queue=queue, device=device, priority=priority, by=BY)
    if queue:
        say_workers(at.store, "leave out --queue")
    return ProgressWorkbench(at)


@contextmanager
def removed_if_refused() -> Iterator[None]:
    """A home that this command made for something that is then refused is not left behind, as far as it is empty."""
    from slim_core.settings import settings

    home = settings().home.resolve()
    is_new = not home.exists()
    try:
        yield
    except SlimError:
        if is_new and home.is_dir():
            left = sorted(home.iterdir(), reverse=True)
            if all(each.name.startswith(DATABASE) for each in left) and not open_store().datasets.all():
                for each in left:
                    each.unlink(missing_ok=True)
                home.rmdir()
        raise


def open_store() -> Store:
    """The store of a command that computes nothing."""
    from slim_core.store import Store

    return Store.open()


def plain_bench() -> Workbench:
    """The workbench of a command that awaits no run."""
    from slim_core.runs.executor import open_workbench

    return open_workbench(by=BY)


def say_workers(store: Store, instead: str) -> None:
    """What keeps runs that are queued now from being started; ``instead``: how this process computes them."""
    if not store.workers.alive():
        first = "No workers online. Run `python -m workers` on each machine"
        warn(f"{first}, or {instead}, which computes it here.")
    say_blocks(store)
    if pause := store.queue.paused():
        warn(f"{pause} Resume it by `slim queue resume`.")


def say_blocks(store: Store) -> None:
    """Why workers that are online start no run, such as a full disk."""
    from slim_core.store.workers import block_messages, workers_with_blocks

    for sentence in block_messages(workers_with_blocks(store)):
        warn(sentence)
