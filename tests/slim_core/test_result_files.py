"""The names of the files of results stand in one file: nobody else spells one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core import result_files
from tests.slim_core.import_graph import ROOT, files, name_of, nodes


def spelled() -> set[str]:
    """Every name that is written down there."""
    values = vars(result_files).values()
    return {
        name
        for value in values
        for name in (value.values() if isinstance(value, dict) else [value])
        if isinstance(name, str) and Path(name).suffix in (".json", ".npy", ".parquet", ".safetensors", ".bin", ".txt")
    }


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each string of a file that is no docstring, the parts of f-strings among them."""
    docs = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def test_no_other_file_spells_the_name_of_a_file_of_results() -> None:
    names = spelled()
    assert {"maps.npy", "attention_space.npy", "model.json", "history.json", "predictions.parquet"} <= names
    endings = {"_features.npy", "_space.npy"}
    others = [path for path in files() if name_of(path) != "slim_core.result_files"]
    found = [
        f"{path.relative_to(ROOT)}:{line} {text}"
        for path in [*others, *sorted((ROOT / "benchmarks").rglob("*.py"))]
        for line, text in literals(path)
        if text in names | endings
    ]
    assert not found


def test_a_file_is_replaced_whole_or_not_at_all_and_no_draft_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with result_files.replaced(path) as first:
        first.write_text("first")
        with result_files.replaced(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    with pytest.raises(ValueError, match="in the middle"), result_files.replaced(path) as draft:
        draft.write_text("half")
        raise ValueError("in the middle")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]
