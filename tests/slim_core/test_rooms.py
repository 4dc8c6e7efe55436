"""The plan of slim_core: rooms in a fixed order, none in a circle, each with a face that is true."""

from __future__ import annotations

import ast
import importlib
import re
from itertools import pairwise

from tests.slim_core.import_graph import ROOT, circle, file_graph, longest_chain, nodes

# A room imports only rooms before it; a package is one room, and so is a file at the root of slim_core.
ORDER = (
    *("errors", "removed", "parameters", "formatting", "signals", "locks", "result_files"),
    *("version", "settings"),
    *("data", "metrics", "models", "space", "store"),
    *("curation", "training", "attention", "evaluation", "annotation"),
    *("export", "steps", "runs", "api", "cli"),
)
LONGEST_CHAIN = 9
MOST_FILES_AT_THE_ROOT = 12
CORE = ROOT / "slim_core"
ROOMS = sorted(path.parent for path in CORE.glob("*/__init__.py"))
NAMED = re.compile(r"(\w[\w.]*)(?: \(([^()]*)\))?")


def room_graph() -> dict[str, set[str]]:
    """Room -> rooms it imports; slim_core/__init__.py, the face of all, is none of them."""
    graph: dict[str, set[str]] = {room: set() for room in ORDER}
    for name, targets in file_graph().items():
        if name.startswith("slim_core."):
            inside = {target.split(".")[1] for target in targets if target.startswith("slim_core.")}
            graph.setdefault(name.split(".")[1], set()).update(inside - {name.split(".")[1]})
    return graph


def test_each_room_imports_only_rooms_before_it() -> None:
    graph = room_graph()
    assert set(graph) == set(ORDER)
    upward = {
        f"{room} imports {target}"
        for room, targets in graph.items()
        for target in targets
        if ORDER.index(target) > ORDER.index(room)
    }
    assert not upward
    assert not circle(graph)


def test_the_diagram_of_the_rooms_is_theirs() -> None:
    """Each import is along arrows of docs/architecture.md, and each arrow is an import."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("subgraph slim_core\n")[2].partition("  end\n")[0]
    chains = [re.findall(r"(\w+)(?:\[[^]]*\])?(?: -->|$)", line.strip()) for line in text.splitlines()]
    arrows = {pair for chain in chains for pair in pairwise(chain)}
    graph = room_graph()
    drawn = {room for pair in arrows for room in pair}
    assert drawn <= set(graph) and {room.name for room in ROOMS} <= drawn
    assert not [f"{one} --> {other}" for one, other in sorted(arrows) if other not in graph[one]]
    below = {one: {one} for one in drawn}
    for one in sorted(drawn, key=ORDER.index):
        below[one] |= {each for other in drawn if (one, other) in arrows for each in below[other]}
    assert not [f"{one} imports {other}" for one in drawn for other in graph[one] & drawn if other not in below[one]]


def test_no_chain_of_rooms_is_longer_than_nine() -> None:
    chain = longest_chain(room_graph())
    assert len(chain) <= LONGEST_CHAIN, " > ".join(chain)


def test_no_files_import_each_other_in_a_circle_not_even_for_types() -> None:
    assert not circle(file_graph())


def test_the_search_for_circles_and_chains_finds_them() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == ["a", "b", "c", "d"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert longest_chain({"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}) == ["a", "b", "c"]


def test_few_files_lie_at_the_root() -> None:
    assert len(list(CORE.glob("*.py"))) <= MOST_FILES_AT_THE_ROOT


def test_each_room_says_in_one_line_what_it_is_for() -> None:
    silent = [room.name for room in ROOMS if not first_line(room / "__init__.py").endswith((".", ".``", ")"))]
    assert not silent


def first_line(path) -> str:
    return (ast.get_docstring(nodes(path)[0]) or "").partition("\n")[0]


def test_the_names_that_a_room_calls_public_exist() -> None:
    missing = [f"{room.name}: {name}" for room in ROOMS for name in public(room) if not found(room.name, name)]
    assert not missing


def public(room) -> list[str]:
    """What the docstring lists behind "Public:", as module or module.name."""
    text = " ".join((ast.get_docstring(nodes(room / "__init__.py")[0]) or "").partition("Public:")[2].split())
    listed = []
    for module, names in NAMED.findall(text.rstrip(".")):
        listed += [module, *(f"{module}.{name.strip()}" for name in names.split(",") if name.strip())]
    return listed


def found(room: str, name: str) -> bool:
    """Whether slim_core.<room>.<name> is a module, or a name of one."""
    whole = f"slim_core.{room}.{name}"
    try:
        importlib.import_module(whole)
    except ModuleNotFoundError:
        module, _, attribute = whole.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError:
            return False
    return True


def test_what_a_room_offers_at_its_door_exists() -> None:
    for room in ROOMS:
        module = importlib.import_module(f"slim_core.{room.name}")
        assert not [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)], room.name
