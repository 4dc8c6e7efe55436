"""A step for drills of the job layer: counts slowly, checkpoints each count, and can misbehave when told to.

Registered only in the worker processes that drill_workers.py starts, and by tests that ask for it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

from slim_core.errors import SpecRefusedError
from slim_core.steps.context import StepContext
from slim_core.steps.specs import STEPS, QueueName, Spec, Step

TICK_S = 0.25  # between two rounds of the services that do drills
BEAT_S = 0.25  # between two heartbeats of their jobs


class Drill(Spec):
    """Count to ``counts``, a line in ``trace`` each."""

    queue: ClassVar[QueueName] = "cpu"

    kind: Literal["drill"] = "drill"
    trace: str  # file that gets "pid attempt-folder count" a line
    counts: int = 3
    pause_s: float = 0.01
    misbehave: Literal[
        "", "refuse", "raise", "memory", "full disk", "deaf", "segfault", "exit", "hang", "hang once"
    ] = ""
    gate: str = ""  # count 2 of the first attempt waits until there is such a file; "never": there is none
    batch_size: int = 64
    parent: str | None = None

    def parents(self) -> dict[str, str]:
        """A run to wait for."""
        return {"parent": self.parent} if self.parent else {}


class HeavyDrill(Drill):
    """The same on the queue of torch."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Literal["heavy-drill"] = "heavy-drill"  # type: ignore[assignment]


DRILL_STEPS = {
    "drill": Step("drill", Drill, f"{__name__}:run"),
    "heavy-drill": Step("heavy-drill", HeavyDrill, f"{__name__}:run"),
}


def register() -> None:
    """Let this process know the drills."""
    STEPS.update(DRILL_STEPS)


def run(spec: Drill, context: StepContext) -> dict[str, Any]:
    """Count on from the checkpoint."""
    saved = context.checkpoint_dir / "count.txt"
    first = int(saved.read_text()) if saved.exists() else 0
    for count in range(first + 1, spec.counts + 1):
        if spec.misbehave != "deaf":
            context.check_stop()
        with Path(spec.trace).open("a") as trace:
            trace.write(f"{os.getpid()} {context.out.name} {count}\n")
        time.sleep(spec.pause_s)
        while spec.gate and count == 2 and context.out.name == "attempt-1" and not Path(spec.gate).exists():
            context.check_stop()
            time.sleep(0.01)
        _misbehave(spec, count, context.out.name)
        draft = saved.with_suffix(".new")
        draft.write_text(str(count))
        draft.replace(saved)
        context.progress(count, spec.counts, "counting", count=count)
        context.log.info("counted %d", count)
    (context.out / "result.txt").write_text(str(spec.counts))
    return {"counted": spec.counts, "began_at": first}


def _misbehave(spec: Drill, count: int, attempt: str) -> None:
    if count != 2:
        return
    if spec.misbehave == "hang once" and attempt == "attempt-1":
        time.sleep(3600)
    if spec.misbehave == "refuse":
        raise SpecRefusedError("The drill refuses count 2: ask for another.")
    if spec.misbehave == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if spec.misbehave == "exit":
        os._exit(7)
