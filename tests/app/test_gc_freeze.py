"""The server's memory: warmed up before anyone comes, and out of the garbage collector's sight."""

from __future__ import annotations

import gc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app import gc_freeze

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_page_that_is_opened_first_finds_its_parts_imported_and_no_torch() -> None:
    told = "import sys; from app import gc_freeze; gc_freeze.warm_up(); print([n in sys.modules for n in sys.argv[1:]])"
    names = ["app.compare.view", "rq", "pyarrow.parquet", "plotly.graph_objs", "torch", "sklearn"]
    run = subprocess.run([sys.executable, "-c", told, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[-2] == str([True] * 4 + [False] * 2)


def test_freezing_lets_garbage_go_and_takes_the_rest_out_of_sight() -> None:
    class Ring:
        gone = False

        def __del__(self) -> None:
            Ring.gone = True

    rest, before = [[] for _ in range(10_000)], gc.get_freeze_count()
    one = Ring()  # last: a collection of its own would let it go too
    one.itself = one
    del one
    gc_freeze.freeze()
    assert Ring.gone
    assert gc.get_freeze_count() >= before + len(rest)


def test_a_poll_does_not_collect_garbage() -> None:
    assert tomllib.loads((ROOT / "app" / ".streamlit" / "config.toml").read_text())["runner"]["postScriptGC"] is False
