"""The modules of the pages' own JavaScript: each imports files that are there, none imports one that imports it, and a
page imports no other page's."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from slim_core.store.campaigns.consensus import KEYS, WORDS

APP = Path(__file__).parents[2] / "app"
IMPORT = re.compile(r'(?:from|import)\s*\(?\s*"\./([\w.]+)"')
SHARED = re.compile(r'(?:from|import)\s*\(?\s*"\.\./([\w./]+)"')  # "../ui/x.js": the address /assets/ui/x.js
ANNOTATOR = APP / "annotate" / "static"
FOLDERS = sorted({path.parent for path in APP.glob("*/static/*.js")})


def test_the_answers_of_the_browser_are_those_of_the_store() -> None:
    listed = re.findall(
        r"\{ value: (\w+), word: \"(\w+)\", key: \"(\w)\" \}", (ANNOTATOR / "answer_values.js").read_text()
    )
    values = re.search(r"export const (RIGHT = .*);", (ANNOTATOR / "answer_values.js").read_text())[1].split(", ")
    named = {name: int(value) for name, value in (each.split(" = ") for each in values)}
    assert [(named[name], word, key) for name, word, key in listed] == [
        (value, word, KEYS[value]) for value, word in WORDS.items()
    ]
    page = (ANNOTATOR / "annotator.html").read_text()
    buttons = page[page.index('<div class="answers">') : page.index('<div class="tools">')]
    offered = re.findall(r'data-act="(\w+)".*?>(\w+) <kbd>(\w)</kbd>', buttons)
    assert offered == [(word, word.capitalize(), KEYS[value].upper()) for value, word in WORDS.items()]
    explained = page[page.index('<div class="keys">') :]
    assert all(f"<kbd>{key.upper()}</kbd>" in explained for key in KEYS.values())
    tiles = re.search(r'TILES = \[\.\.\."(\w+)"\]', (ANNOTATOR / "keys.js").read_text())[1]
    assert not set(tiles) & set(KEYS.values()), "a letter on a tile means nothing else"


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
