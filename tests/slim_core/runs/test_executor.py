"""Runs executed in this process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slim_core import api
from slim_core.runs.execute import SLEPT_S
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import settings
from slim_core.steps.specs import STEPS, TrainSpec
from slim_core.store import Store


@pytest.mark.parametrize("kind", STEPS)
def test_only_a_step_that_runs_the_network_gets_a_gpu(store: Store, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    here = InProcess(store)
    monkeypatch.setattr(here, "_torch_device", lambda: "cuda")
    run: Any = SimpleNamespace(kind=kind, spec={"kind": kind})
    assert here.device(run) == {"gpu": "cuda", "cpu": "cpu"}[STEPS[kind].queue]


def test_no_run_waits_for_a_worker_while_this_process_looks_for_its_device(
    store: Store, small_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = api.data_set(small_demo, at=Workbench(store, InProcess(store, device="cpu")))
    waiting: list[list[str]] = []

    def is_available() -> bool:
        waiting.append([one.id for one in store.queue.waiting()])
        return False

    def execute(_store: Store, run_id: str, **how: Any) -> None:
        store.attempts.claim(run_id, how["worker"], how["device"])
        raise KeyboardInterrupt

    monkeypatch.setattr("torch.cuda.is_available", is_available)
    monkeypatch.setattr("slim_core.runs.execute.execute", execute)
    here = InProcess(store)
    run = here.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))
    with pytest.raises(KeyboardInterrupt):
        here.wait(run)
    assert store.runs.fetch(run.id).device == "cpu"
    assert waiting == [[]]


WAITS = """
import sys
from slim_core.runs.executor import InProcess
from slim_core.store import Store

store = Store.open()
here = InProcess(store, device="cpu")
print("waits", flush=True)
here.wait(store.runs.fetch(sys.argv[1]))
"""


@pytest.mark.kills_processes
@pytest.mark.slow
def test_who_waits_for_another_process_does_not_take_its_run_when_the_machine_wakes(
    store: Store, small_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIM_LEASE_S", "60")
    dataset = api.data_set(small_demo, at=Workbench(store, InProcess(store, device="cpu")))
    run, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))
    token = store.attempts.claim(run.id, "another process", "cpu")
    about_to_end = Store.open(settings().model_copy(update={"lease_s": 0.5}))
    with subprocess.Popen([sys.executable, "-c", WAITS, run.id], stdout=subprocess.PIPE, text=True) as waiting:
        try:
            assert waiting.stdout.readline() == "waits\n"
            time.sleep(0.5)
            waiting.send_signal(signal.SIGSTOP)  # both sleep
            about_to_end.attempts.renew(run.id, token)
            time.sleep(SLEPT_S + 1.0)
            assert store.attempts.overdue() == [run.id]
            waiting.send_signal(signal.SIGCONT)  # it wakes first
            time.sleep(1.5)
            store.attempts.renew(run.id, token)
            store.attempts.fail(run.id, token, "Enough.")
            waiting.wait(60)
        finally:
            waiting.kill()
            about_to_end.close()
    assert store.runs.fetch(run.id).losses == 0
