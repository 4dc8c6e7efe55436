"""The rooms of the app (DESIGN.md): one folder a page, what pages share in ui, reading and writing in services."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from app.navigation import PAGES
from tests.slim_core.test_imports import imported, name_of, nodes

APP = Path(__file__).parents[2] / "app"
PAGE_NAMES = sorted(name for entries in PAGES.values() for name, _ in entries)
SHARED = {"ui", "services", "routes"}
MOST_WIRING = 14


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of the app that this one imports, also inside functions and for types alone."""
    path = files()[module]
    return frozenset(name for name in imported(nodes(path), path) if name.startswith("app."))


@cache
def files() -> dict[str, Path]:
    return {name_of(path): path for path in APP.rglob("*.py")}


def room(module: str) -> str:
    """The folder of app that a module lies in; "" for the wiring at its root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in {*PAGE_NAMES, *SHARED} else ""


def crossings(of: set[str], into: set[str]) -> Iterator[str]:
    """Imports of modules in the rooms ``of`` that lead into another one of the rooms ``into``."""
    for module in files():
        for name in imports(module):
            if room(module) in of and room(name) in into and room(name) != room(module):
                yield f"{module} imports {name}"


def test_the_search_sees_imports_inside_functions_and_for_types() -> None:
    text = "if TYPE_CHECKING:\n    from app.ui import tables\n\ndef draw():\n    import app.space.colours\n"
    found = set(imported(ast.walk(ast.parse(text)), APP / "session.py"))
    assert {"app.ui.tables", "app.space.colours"} <= found


def test_a_page_imports_no_other_page() -> None:
    assert not list(crossings(set(PAGE_NAMES), set(PAGE_NAMES)))


def test_what_pages_share_imports_no_page() -> None:
    assert not list(crossings(SHARED, set(PAGE_NAMES)))


def test_services_and_routes_draw_nothing() -> None:
    assert not list(crossings({"services", "routes"}, {"ui"}))
    assert not list(crossings({"services"}, {"routes"}))


def test_services_and_routes_know_no_widget() -> None:
    found = [name for name, path in files().items() if room(name) in {"services", "routes"} and _has_streamlit(path)]
    assert not found


def _has_streamlit(path: Path) -> bool:
    return any(name.split(".")[0] == "streamlit" for name in imported(nodes(path), path))


def test_the_routes_of_a_page_import_no_module_that_draws() -> None:
    found = [
        f"{module} imports {name}"
        for module in files()
        if module.endswith(".routes") and room(module) in PAGE_NAMES
        for name in imports(module)
        if room(name) in {"ui", *PAGE_NAMES} and name in files() and _has_streamlit(files()[name])
    ]
    assert not found


def test_wiring_at_the_root_is_little() -> None:
    wiring = sorted(path.name for path in APP.glob("*.py"))
    assert len(wiring) <= MOST_WIRING, wiring


def test_every_page_has_a_folder_in_which_the_names_are_known() -> None:
    folders = {path.name for path in APP.iterdir() if path.is_dir() and path.name not in ("__pycache__", ".streamlit")}
    assert folders - SHARED == set(PAGE_NAMES)
    for page in PAGE_NAMES:
        there = {path.name for path in (APP / page).iterdir() if path.name != "__pycache__"}
        assert "page.py" in there, page
        assert there - {"static"} == {name for name in there if name.endswith(".py")}, page


def test_what_is_drawn_by_itself_shows_its_errors_as_sentences() -> None:
    made = {"app.ui.reruns", "app.ui.messages"}
    found = [
        f"{module} calls st.{node.attr}: use app.ui.reruns"
        for module, path in files().items()
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr in ("fragment", "dialog")
        and module not in made
        and isinstance(node.value, ast.Name)
        and node.value.id == "st"
    ]
    assert not found
