"""Imports what the pages use before anyone opens them, and takes it out of the garbage collector's sight.

Scanning all imported modules costs about 70 ms each time. Streamlit would do so after every script and fragment run:
``runner.postScriptGC`` in app/.streamlit/config.toml says that it does not, and leaves collecting to Python.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil

SCRIPTS = (".page", ".main")  # they run when they are imported


def warm_up() -> None:
    """Import what the pages are made of."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401
    from PIL import Image

    import app
    import workers.queue  # noqa: F401
    from slim_core.evaluation.charts.results import group_intervals

    for part in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
        if not part.name.endswith(SCRIPTS):
            importlib.import_module(part.name)
    Image.init()  # Pillow and Plotly import their parts when the first image is opened and the first chart drawn
    rates = pd.DataFrame([{"run": "", "group": "", "accuracy": 0.5, "low": 0.0, "high": 1.0, "n": 1}])
    group_intervals(rates).to_json()


def freeze() -> None:
    """Let garbage go, and freeze what is left: it is not scanned any more."""
    gc.collect()
    gc.freeze()
