"""Memory settles again after a page has imported more."""

from __future__ import annotations

import asyncio
import gc
import sys
import types
from concurrent.futures import ThreadPoolExecutor

from app import memory


def test_many_new_modules_are_frozen_and_few_are_not(monkeypatch) -> None:
    settled: list[int] = []
    monkeypatch.setattr(memory, "settle", lambda: settled.append(len(sys.modules)) or len(sys.modules))

    async def watch() -> None:
        task = asyncio.create_task(memory.keep_settled(len(sys.modules), every_s=0.01))
        for n in (memory.ENOUGH - 1, memory.ENOUGH):
            for number in range(n):
                monkeypatch.setitem(sys.modules, f"new_module_{number}", types.ModuleType("new"))
            await asyncio.sleep(0.1)
            settled.append(n)
        task.cancel()

    with ThreadPoolExecutor(1) as thread:  # Playwright, if it was used before, keeps a loop in the main one
        thread.submit(lambda: asyncio.run(watch())).result()
    assert settled[0] == memory.ENOUGH - 1  # nothing had happened until then
    assert len(settled) == 3 and settled[2] == memory.ENOUGH


def test_settling_freezes_what_is_there_and_lets_garbage_go() -> None:
    class Ring:
        gone = False

        def __del__(self) -> None:
            Ring.gone = True

    one = Ring()
    one.itself = one
    gc.freeze()
    del one
    try:
        memory.settle()
        assert Ring.gone
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
