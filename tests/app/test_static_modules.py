"""The modules of the pages' own JavaScript: each imports files that are there, and none imports one that imports it."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
IMPORT = re.compile(r'(?:from|import)\s*\(?\s*"\./([\w.]+)"')
FOLDERS = sorted({path.parent for path in APP.glob("*/static/*.js")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_modules_import_each_other_in_one_direction(folder: Path) -> None:
    imports = {path.name: set(IMPORT.findall(path.read_text())) for path in folder.glob("*.js")}
    assert set().union(*imports.values()) <= set(imports)
    TopologicalSorter(imports).prepare()  # raises CycleError
