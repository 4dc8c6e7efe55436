"""The server's memory: warmed up before anyone comes, and settled again after pages have left much behind."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app import gc_freeze

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


def test_what_stays_is_frozen_again_once_it_is_much(monkeypatch) -> None:
    settled: list[int] = []
    looks: list[int] = []
    all_objects = gc.get_objects
    monkeypatch.setattr(gc_freeze, "settle", lambda: settled.append(len(kept)))
    monkeypatch.setattr(gc, "get_objects", lambda: looks.append(len(kept)) or all_objects())
    kept: list[list[int]] = []

    async def watch() -> None:
        task = asyncio.create_task(gc_freeze.keep_settled(every_s=0.01))
        async with asyncio.timeout(PATIENCE_S):
            while len(looks) < 3:
                await asyncio.sleep(0.01)
            kept.extend([n] for n in range(gc_freeze.ENOUGH))
            while not settled:
                await asyncio.sleep(0.01)
        task.cancel()

    gc.collect()
    gc.freeze()
    try:
        with ThreadPoolExecutor(1) as thread:  # Playwright, if it was used before, keeps a loop in the main one
            thread.submit(lambda: asyncio.run(watch())).result()
    finally:
        gc.unfreeze()
    assert set(settled) == {gc_freeze.ENOUGH} and looks.count(0) >= 3  # at which nothing happened


def test_a_page_that_is_opened_first_finds_its_parts_imported_and_no_torch() -> None:
    told = "import sys; from app import gc_freeze; gc_freeze.warm_up(); print([n in sys.modules for n in sys.argv[1:]])"
    names = ["app.compare.parts.view", "rq", "pyarrow.parquet", "plotly.graph_objs", "torch", "sklearn"]
    run = subprocess.run([sys.executable, "-c", told, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[-2] == str([True] * 4 + [False] * 2)


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
        gc_freeze.settle()
        assert Ring.gone
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
