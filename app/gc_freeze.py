"""Imports what the pages use before anyone opens them, and keeps what stays out of the garbage collector's sight.

Streamlit collects after every script and fragment run; scanning all imported modules costs about 70 ms each time, and a
poll is to stay cheap. Pages leave more behind when they are opened first, so the server looks now and then.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import pkgutil

LOOK_S = 10
SCRIPTS = (".page", ".main")  # they run when they are imported
ENOUGH = 20_000  # objects: scanning them costs a poll some 2 ms, and a settling takes 0.2 s


def warm_up() -> None:
    """Import what the pages are made of."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401
    from PIL import Image

    import app
    import workers.queue  # noqa: F401
    from slim_core.evaluation.charts.groups import group_intervals

    for part in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
        if not part.name.endswith(SCRIPTS):
            importlib.import_module(part.name)
    Image.init()  # Pillow and Plotly import their parts when the first image is opened and the first chart drawn
    rates = pd.DataFrame([{"run": "", "group": "", "accuracy": 0.5, "low": 0.0, "high": 1.0, "n": 1}])
    group_intervals(rates).to_json()


def settle() -> None:
    """Let garbage go, and freeze what is left: it is not scanned any more."""
    gc.unfreeze()  # what was frozen before and has become garbage since goes now
    gc.collect()
    gc.freeze()


async def keep_settled(every_s: float = LOOK_S) -> None:
    """Settle again whenever ``ENOUGH`` objects are scanned; runs until it is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        if len(gc.get_objects()) >= ENOUGH:  # those that are frozen are not among them
            settle()
