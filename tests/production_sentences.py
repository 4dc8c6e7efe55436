"""The sentences of the production code: one file a room keeps them, and no test repeats four words of one in a row.

``make sentences`` (``python -m tests.production_sentences``) writes the files of tests/sentences anew after a text has
changed, and takes from tests/four_words.txt what has been mended: it never lets a test file hold more than before.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "sentences"
ALLOWANCE = (
    ROOT / "tests" / "four_words.txt"
)  # test files that still repeat sentences, and how many of their strings do
N_WORDS = 4
HOLE = "{}"  # what a sentence is filled with
_WORD = re.compile(r"[^\W_][\w'’-]*|\{\}")


@cache
def rooms() -> dict[str, list[Path]]:
    """Folder of production code (``app/annotate``, ``slim_core/store``, ``workers``) -> its files, and those below."""
    found = defaultdict[str, list[Path]](list)
    for package in ("app", "slim_core", "workers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            found[parts[0] if parts[0] == "workers" or len(parts) == 2 else "/".join(parts[:2])].append(path)
    return dict(found)


@cache
def sentences(room: str) -> list[str]:
    """The texts of a room with four words or more, each once, in order."""
    return sorted({text for path in rooms()[room] for text in texts(path) if len(words(text)) >= N_WORDS})


def texts(path: Path) -> Iterator[str]:
    """String constants and f-strings of a file, with their holes; docstrings and annotations say nothing to users."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    quiet = {id(part) for node in ast.walk(tree) for said in _said_to_readers(node) for part in ast.walk(said)}
    quiet |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in quiet:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _in_one_line(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
            yield _in_one_line("".join(map(str, parts)))


def _said_to_readers(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
        yield node.annotation


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """Those that are said: a hole is none."""
    return [word for word in _WORD.findall(text) if word != HOLE]


def runs_of_four(text: str) -> set[tuple[str, ...]]:
    """Each four words that follow each other in a text; not over a hole, and not four numbers, such as an address."""
    found = [word.lower() for word in _WORD.findall(text)]
    runs = {tuple(found[i : i + N_WORDS]) for i in range(len(found) - N_WORDS + 1)}
    return {run for run in runs if HOLE not in run and not all(map(str.isdigit, run))}


@cache
def production_runs() -> frozenset[tuple[str, ...]]:
    """Those of all sentences."""
    return frozenset(run for room in rooms() for text in sentences(room) for run in runs_of_four(text))


def repeated(path: Path) -> list[str]:
    """The strings of a test file that hold four words in a row of a sentence."""
    return [text for text in texts(path) if runs_of_four(text) & production_runs()]


def files_of_tests() -> dict[str, Path]:
    """Path below the root -> each file of the tests."""
    return {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "tests").rglob("*.py"))}


def allowance() -> dict[str, int]:
    """How many strings a test file may still repeat; none where it is not named."""
    lines = ALLOWANCE.read_text(encoding="utf-8").splitlines() if ALLOWANCE.exists() else []
    return {path: int(number) for path, number in map(str.split, lines)}


def file_of(room: str) -> Path:
    """Where the sentences of a room are kept."""
    return KEPT / f"{room.replace('/', '.')}.txt"


def write() -> None:
    """Keep the sentences as they are now, and of the allowance what is still needed."""
    for path in KEPT.glob("*.txt"):
        path.unlink()
    for room in rooms():
        if found := sentences(room):
            file_of(room).write_text("".join(f"{text}\n" for text in found), encoding="utf-8")
    before, now = allowance(), {name: len(repeated(path)) for name, path in files_of_tests().items()}
    left = {name: min(n, before.get(name, 0)) if ALLOWANCE.exists() else n for name, n in now.items()}
    ALLOWANCE.write_text("".join(f"{name} {n}\n" for name, n in left.items() if n), encoding="utf-8")


if __name__ == "__main__":
    write()
