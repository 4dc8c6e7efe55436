"""Which runs a job wakes workers for once it has ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slim_core.signals import SignalEvent
from workers import queue


@pytest.mark.parametrize(
    ("status", "shuts_down", "woken"),
    [("queued", False, ["r-1"]), ("queued", True, []), ("failed", False, []), ("done", False, ["r-child"])],
)
def test_a_run_that_is_queued_again_wakes_a_worker_unless_its_own_shuts_down(
    monkeypatch: pytest.MonkeyPatch, status: str, shuts_down: bool, woken: list[str]
) -> None:
    run, child = SimpleNamespace(id="r-1", status=status), SimpleNamespace(id="r-child", status="queued")
    store = SimpleNamespace(
        attempts=SimpleNamespace(claim_best=lambda *_: ("r-1", "token")),
        runs=SimpleNamespace(children=lambda _id: [child], waiting_for=lambda _id: []),
    )
    monkeypatch.setattr(queue, "perform", lambda *_args, **_options: run)
    told: list[str] = []
    shutdown = SignalEvent()
    if shuts_down:
        shutdown.set()
    job_filter = queue.JobFilter(("gpu",), "cpu", (1,))
    mine = queue.Assignment(store, "worker", "cpu", job_filter, shutdown=shutdown, wake=lambda one: told.append(one.id))
    token = queue.assignment.set(mine)
    try:
        queue.run_step("r-0")
    finally:
        queue.assignment.reset(token)
    assert told == woken
