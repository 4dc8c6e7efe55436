"""Runs executed in this process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slim_core.runs.executor import InProcess
from slim_core.steps.registry import STEPS
from slim_core.store import Store


@pytest.mark.parametrize("kind", STEPS)
def test_only_a_step_that_runs_the_network_gets_a_gpu(store: Store, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    here = InProcess(store)
    monkeypatch.setattr(here, "_torch_device", lambda: "cuda")
    run: Any = SimpleNamespace(kind=kind, spec={"kind": kind})
    assert here.device(run) == {"gpu": "cuda", "cpu": "cpu"}[STEPS[kind].queue]
