"""The modules of the pages' own JavaScript: each imports files that are there, none imports one that imports it, and a
page imports no other page's."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
IMPORT = re.compile(r'(?:from|import)\s*\(?\s*"\./([\w.]+)"')
SHARED = re.compile(r'(?:from|import)\s*\(?\s*"\.\./([\w./]+)"')  # "../ui/x.js": the address /assets/ui/x.js
FOLDERS = sorted({path.parent for path in APP.glob("*/static/*.js")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_modules_import_each_other_in_one_direction(folder: Path) -> None:
    imports = {path.name: set(IMPORT.findall(path.read_text())) for path in folder.glob("*.js")}
    assert set().union(*imports.values()) <= set(imports)
    TopologicalSorter(imports).prepare()  # raises CycleError


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_what_modules_import_from_another_folder_is_shared_and_imports_nothing(folder: Path) -> None:
    imported = {name for path in folder.glob("*.js") for name in SHARED.findall(path.read_text())}
    for name in imported:
        shared, _, file = name.partition("/")
        assert shared == "ui", f"{folder.parent.name} imports {name}"
        assert not IMPORT.findall((APP / "ui" / "static" / file).read_text())
