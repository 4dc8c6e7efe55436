"""The shape of slim_core's classes: one thing each, with few public methods; those of the store by composition."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.slim_core.import_graph import ROOT, nodes

MOST_LINES, MOST_METHODS = 300, 18


def classes(folder: Path) -> Iterator[tuple[str, ast.ClassDef]]:
    """(file and name, class) of every class under a folder."""
    for path in sorted(folder.rglob("*.py")):
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                yield f"{path.relative_to(ROOT)}: {node.name}", node


def public_methods(node: ast.ClassDef) -> list[str]:
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [one.name for one in methods if not one.name.startswith("_")]


def names(expressions: list[ast.expr]) -> set[str]:
    """The last part of each name: ``Base`` of ``module.Base[int]``, ``dataclass`` of ``@dataclass(frozen=True)``."""
    found = (one.func if isinstance(one, ast.Call) else one for one in expressions)
    plain = (one.value if isinstance(one, ast.Subscript) else one for one in found)
    return {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in plain}


def test_a_class_is_short_and_has_few_public_methods_and_the_store_shares_by_composition() -> None:
    found = []
    store = dict(classes(ROOT / "slim_core" / "store"))
    of_store = {node.name for node in store.values()}
    for name, node in classes(ROOT / "slim_core"):
        n_lines, n_methods = node.end_lineno - node.lineno + 1, len(public_methods(node))
        if n_lines > MOST_LINES or n_methods > MOST_METHODS:
            found.append(f"{name} has {n_lines} lines and {n_methods} public methods")
        is_value = "dataclass" in names(node.decorator_list) or node.name.endswith("Error")
        if name in store and names(node.bases) & of_store and not is_value:
            found.append(f"{name} inherits from {', '.join(names(node.bases))}")
    assert of_store and not found
