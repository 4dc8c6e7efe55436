"""slim queue, as people type it."""

from __future__ import annotations

from slim_core.store import Store
from slim_core.store.workers import Heartbeat
from tests.slim_core.cli.commands import said, slim


def test_the_queue_is_paused_shown_and_resumed(store: Store, capsys):
    assert slim("queue", "status") == 0
    assert "is not paused. 0 runs can start." in said(capsys)
    assert slim("queue", "pause") == 0
    assert "command line paused the queue" in said(capsys)
    assert slim("queue", "status") == 0
    assert "0 runs can start once it is" in said(capsys)
    assert slim("queue", "resume") == 0
    assert "workers start runs" in said(capsys) and store.queue.paused() is None
    assert slim("queue", "resume") == 0
    assert "was not paused" in said(capsys)


def test_who_submits_to_a_paused_queue_is_told_how_it_goes_on(store: Store, capsys, monkeypatch):
    from slim_core.cli.kit.bench import bench
    from slim_core.runs import executor

    monkeypatch.setattr(executor, "queue_submitter", lambda _store, **_options: None)
    store.queue.pause("ann")
    bench(queue=True)
    assert "ann paused the queue" in (told := said(capsys)) and "slim queue resume" in told
    bench(queue=False)
    assert said(capsys) == "", "a command that computes by itself is not held back"


def test_who_submits_while_no_worker_is_online_is_told_so_and_not_left_to_wait_in_silence(
    store: Store, capsys, monkeypatch
):
    from slim_core.cli.kit.bench import bench
    from slim_core.runs import executor

    monkeypatch.setattr(executor, "queue_submitter", lambda _store, **_options: None)
    bench(queue=True)
    told = said(capsys)
    assert "leave out --queue, which computes" in told
    store.workers.beat(Heartbeat("w", host="h", pid=1, device="cpu", queues=("gpu", "cpu")))
    bench(queue=True)
    assert said(capsys) == ""
