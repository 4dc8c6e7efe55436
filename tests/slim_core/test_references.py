"""A file that a comment or a docstring names is there: references lead somewhere after a file has been moved, too."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.slim_core.import_graph import PACKAGES, ROOT, files, nodes

NAMED = re.compile(r"(?<![\w/.<>])\w+(?:/\w+)+\.py\b")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def said(path: Path) -> Iterator[str]:
    """The comments and docstrings of a file that names a file anywhere."""
    text = path.read_text()
    if not NAMED.search(text):  # nine in ten, and to take one apart takes long
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in nodes(path):
        if isinstance(node, DOCUMENTED):
            yield ast.get_docstring(node) or ""


def is_there(name: str) -> bool:
    """From the root of the repository, or from a package."""
    return any((folder / name).is_file() for folder in (ROOT, *(ROOT / package for package in PACKAGES)))


def test_each_file_that_a_comment_or_docstring_names_exists() -> None:
    named = {(path, name) for path in files() for text in said(path) for name in NAMED.findall(text)}
    assert len(named) > 5, "the search finds some"
    assert not [f"{path.relative_to(ROOT)} names {name}" for path, name in sorted(named) if not is_there(name)]
