"""The names of the files of results stand in one file: nobody else spells one."""

from __future__ import annotations

import ast
import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.small_disk import fill
from slim_core import result_files
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.data.unpacking import unpack_upload
from slim_core.errors import SpecRefusedError
from slim_core.result_files import draft_of
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.store.backup import back_up
from tests.killed import killed_at
from tests.slim_core.import_graph import ROOT, files, name_of, nodes
from tests.small_disk import mounted


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
    with result_files.atomic_write(path) as first:
        first.write_text("first")
        with result_files.atomic_write(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    with pytest.raises(ValueError, match="in the middle"), result_files.atomic_write(path) as draft:
        draft.write_text("half")
        raise ValueError("in the middle")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_named_file_on_a_full_disk_stays_as_it_was_and_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 1) as disk:
        (disk / "out.html").write_text("before")
        fill(disk / "ballast")
        with (
            pytest.raises(SpecRefusedError, match="out.html cannot be written .*: free some"),
            result_files.output_file(disk / "out.html") as draft,
        ):
            draft.write_text("x" * 10_000)
        assert (disk / "out.html").read_text() == "before"
        assert sorted(path.name for path in disk.iterdir()) == ["ballast", "out.html"]


def test_a_named_text_is_written_whole_or_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    result_files.write_text(tmp_path / "out.csv", "Zoë\n")
    assert (tmp_path / "out.csv").read_bytes() == "Zoë\n".encode()
    with pytest.raises(UnicodeEncodeError):
        result_files.write_text(tmp_path / "out.csv", "half of it \ud800")
    with pytest.raises(SpecRefusedError, match="nowhere/out.csv cannot be written"):
        result_files.write_text(tmp_path / "nowhere" / "out.csv", "")
    assert (tmp_path / "out.csv").read_text() == "Zoë\n" and len(list(tmp_path.iterdir())) == 1


def test_what_a_named_link_or_device_leads_to_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for path in (tmp_path / "link", Path("/dev/null")):
        with result_files.output_file(path) as draft:
            draft.write_text("here")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "here"
    assert not Path("/dev/null").is_file()


def demo(folder: Path) -> None:
    shutil.rmtree(folder / "demo", ignore_errors=True)  # else it is there already
    write_demo(folder / "demo", DemoConfig(train=8, val=8, test=8))


def backup(folder: Path) -> None:
    store = Store.open(Settings(home=folder / "home"))
    back_up(store, folder / "backup.zip", overwrite=True)
    store.close()


def upload(folder: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("list.csv", f"path,label\n{time.monotonic_ns()}")  # the same content is unpacked once
    unpack_upload(archive, "sent.zip", folder)


def named(folder: Path) -> None:
    result_files.write_text(folder / "named.csv", "path,label\n")


def drafts(folder: Path) -> list[Path]:
    named = (".demo", ".backup", ".unpacking", ".named")
    return [path for path in folder.rglob(".*-*") if path.name.startswith(named)]


@pytest.mark.parametrize("write", [demo, backup, upload, named])
def test_what_a_killed_writer_has_left_goes_when_the_same_is_written_again(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    killed_at("os.rename", lambda source, *_: Path(source) in drafts(tmp_path), lambda: write(tmp_path))
    (left,) = drafts(tmp_path)
    write(tmp_path)
    assert left.exists()  # somebody might have made it just now, and not hold it yet
    os.utime(left, (0, 0))
    write(tmp_path)
    assert not drafts(tmp_path)


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_draft_that_somebody_is_still_writing_stays(is_folder: bool, tmp_path: Path) -> None:
    with draft_of(tmp_path / "out", is_folder=is_folder) as first:
        os.utime(first, (0, 0))
        with draft_of(tmp_path / "out", is_folder=is_folder) as second:
            assert first.exists() and second.exists()
    assert not list(tmp_path.iterdir())
