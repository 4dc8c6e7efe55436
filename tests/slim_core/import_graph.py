"""Which file imports which, read from the source: at import, inside functions, and for types alone."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "workers", "slim_core")


def files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, the module first."""
    return _every().get(path) or tuple(ast.walk(ast.parse(path.read_text(), str(path))))


@cache
def _every() -> dict[Path, tuple[ast.AST, ...]]:
    """Those of all files of the packages: some million objects, which no collection of garbage goes through again."""
    gc.collect()  # what is garbage now would be kept for good
    gc.disable()
    try:
        return {path: tuple(ast.walk(ast.parse(path.read_text(), str(path)))) for path in files()}
    finally:
        gc.enable()
        gc.freeze()


def imported(nodes: Iterable[ast.AST], path: Path) -> Iterator[str]:
    """Absolute names that import statements mention, with "from a import b" as both a and a.b."""
    for base, names in statements(nodes, path):
        yield base
        yield from (f"{base}.{name}" for name in names)


def statements(nodes: Iterable[ast.AST], path: Path) -> Iterator[tuple[str, list[str]]]:
    """(module, names taken from it) of each import statement."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base, [alias.name for alias in node.names]


def file_graph() -> dict[str, set[str]]:
    """Each file of the three packages with the files it imports; a package is its __init__.py.

    "from a import b" is an import of a.b where that is a file, else of a. A file and its own packages are left out:
    they are always under way when it is imported.
    """
    modules = {name_of(path): path for path in files()}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found: set[str] = set()
        for base, names in statements(nodes(path), path):
            inside = {f"{base}.{one}" for one in names if f"{base}.{one}" in modules}
            found |= inside if len(inside) == len(names) and names else inside | {base}
        graph[name] = {one for one in found if one in modules and one != name and not name.startswith(f"{one}.")}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules that are left when those which import none of the rest are taken away, again and again."""
    left = dict(graph)
    while True:
        free = [name for name, targets in left.items() if not targets & left.keys()]
        if not free:
            return sorted(left)
        for name in free:
            del left[name]


def longest_chain(graph: dict[str, set[str]]) -> list[str]:
    """The longest way along imports of a graph without circles, the one who imports first."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *max((below(target) for target in sorted(graph[name])), key=len, default=()))

    return list(max((below(name) for name in graph), key=len))
