"""Data sets: one table form, one importer a file, one report; and the demo set."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slim_core.datasets.demo import DemoConfig as DemoConfig
    from slim_core.datasets.demo import write_demo as write_demo
    from slim_core.datasets.importing import FORMATS as FORMATS
    from slim_core.datasets.importing import import_data as import_data
    from slim_core.datasets.report import Finding as Finding
    from slim_core.datasets.report import Imported as Imported
    from slim_core.datasets.report import ImportReport as ImportReport
    from slim_core.datasets.report import require as require
    from slim_core.datasets.table import ImageTable as ImageTable

_HOMES = {
    "DemoConfig": "demo",
    "write_demo": "demo",
    "FORMATS": "importing",
    "import_data": "importing",
    "Finding": "report",
    "Imported": "report",
    "ImportReport": "report",
    "require": "report",
    "ImageTable": "table",
}


def __getattr__(name: str) -> Any:
    """The package's names, each loaded from its file on first use: images and groups read table.py alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
