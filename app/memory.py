"""Keeps what was imported out of the garbage collector's sight, so that a poll stays cheap.

Streamlit collects after every script and fragment run; scanning all imported modules costs about 70 ms each time. Some
pages import more when they are opened first (curation: scikit-learn), so the server looks now and then.
"""

from __future__ import annotations

import asyncio
import gc
import sys

LOOK_S = 10
ENOUGH = 50  # modules; fewer are not worth the 0.2 s a settling takes


def settle() -> int:
    """Import what every page uses, collect, and freeze what is left. Returns the number of modules there are."""
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import pyarrow  # noqa: F401

    gc.unfreeze()  # what was frozen before and has become garbage since goes now
    gc.collect()
    gc.freeze()
    return len(sys.modules)


async def keep_settled(known: int, every_s: float = LOOK_S) -> None:
    """Settle again whenever pages have imported ``ENOUGH`` more modules; runs until it is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        if len(sys.modules) >= known + ENOUGH:
            known = settle()
