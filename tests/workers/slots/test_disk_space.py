"""When a worker whose run has met a full disk takes the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slim_core.data.files.free_space import MB
from slim_core.errors import FULL_DISK
from slim_core.store import Run
from tests.workers.worker_bench import Bench
from workers.slots import disk_space
from workers.slots.disk_space import DiskGuard


@pytest.fixture
def at(tmp_path: Path, images: Path) -> Iterator[Bench]:
    """A store; its services are not started."""
    made = Bench(tmp_path / "home", images)
    yield made
    made.store.close()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int | None]]:
    """What is free on the disk now, in MB; None: not known."""
    now: list[int | None] = [400]
    monkeypatch.setattr(disk_space, "free_bytes", lambda _place: None if now[0] is None else now[0] * MB)
    yield now


def failed(at: Bench, error: str = FULL_DISK, run: Run | None = None) -> Run:
    """A run that a worker has claimed, and that has failed."""
    run = run or at.store.runs.submit(at.spec())[0]
    at.store.attempts.fail(run.id, at.store.queue.claim(run.id, "w", "cpu"), "It failed.", error=error)
    return run


def after_a_full_disk(at: Bench) -> tuple[DiskGuard, Run]:
    """A worker whose last run has met a full disk."""
    found = DiskGuard(at.store, "w")
    run = failed(at)
    found.note_end()
    return found, run


def test_it_waits_until_as_much_more_is_free_as_any_run_needs(
    at: Bench, free: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = after_a_full_disk(at)
    assert found.shortage() == (
        f"the last run met a full disk, and that of {at.home.resolve()} has 400 MB free: free 50 MB more, or retry "
        "that run."
    )
    with monkeypatch.context() as patch:
        patch.setitem(at.store.settings.__dict__, "least_free_mb", 3_000)
        free[0] = 3_399
        assert "has 3,399 MB free: free 3,000 MB more" in str(found.shortage())
    free[0] = 449
    assert found.shortage() is not None
    free[0] = 450
    assert found.shortage() is None
    free[0] = 350
    found.note_end()  # of a run that was done
    assert found.shortage() is None


@pytest.fixture
def quota(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether somebody's share of the disk is full, which no figure says: files that are written to try it fail."""
    now = [True]
    monkeypatch.setattr(disk_space, "can_write", lambda _place, size: not now[0] and size == 50 * MB)
    monkeypatch.setattr(disk_space, "_TRY_S", 0.0)
    yield now


@pytest.mark.parametrize("figure", [10_000, None])  # some disks have none
def test_where_much_is_free_a_run_that_needs_more_keeps_no_other_one_waiting(
    at: Bench, free: list[int | None], quota: list[bool], figure: int | None
) -> None:
    free[0] = figure
    found, _ = after_a_full_disk(at)
    full = "the last run met a full disk or quota, and no file of 50 MB can be written: free some space."
    assert found.shortage() == full
    quota[0] = False
    assert found.shortage() is None
    quota[0] = True
    assert found.shortage() is None, "no run has met it since"


@pytest.mark.parametrize("figure", [400, 10_000, None])
@pytest.mark.parametrize("seen_to", ["retried", "deleted"])
def test_it_goes_on_once_somebody_has_seen_to_that_run(
    at: Bench, free: list[int | None], quota: list[bool], seen_to: str, figure: int | None
) -> None:
    free[0] = figure
    found, run = after_a_full_disk(at)
    assert str(found.shortage()).startswith("the last run met a full disk")
    see_to: dict[str, Callable[[str], object]] = {"retried": at.store.attempts.retry, "deleted": at.store.runs.delete}
    see_to[seen_to](run.id)
    assert found.shortage() is None


def test_a_run_that_is_retried_too_early_is_the_next_to_say_so(at: Bench, free: list[int | None]) -> None:
    found, run = after_a_full_disk(at)
    at.store.attempts.retry(run.id)
    failed(at, run=run)
    found.note_end()
    assert found.shortage() is not None


def test_a_run_that_fails_of_something_else_keeps_no_other_one_waiting(at: Bench, free: list[int | None]) -> None:
    found = DiskGuard(at.store, "w")
    failed(at, error="ValueError")
    found.note_end()
    assert found.shortage() is None
