"""Where an export is put: never over other files, whole or not at all, and without holding its arrays in memory."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slim_core import result_files
from slim_core.errors import NotFoundError, SlimError, SpecRefusedError
from slim_core.export import forms, writing
from slim_core.export.forms import Source
from slim_core.export.writing import export
from slim_core.runs.executor import Workbench
from slim_core.settings import Settings
from slim_core.store import Run, Store
from tests.refusals import refusal
from tests.small_disk import mounted

MB = 2**20


@pytest.fixture
def store(looped) -> Store:
    return looped.at.store


@pytest.fixture
def subset(store: Store) -> Run:
    return store.runs.all(kind="curate", status="done")[0]


def test_a_second_export_into_a_folder_asks_for_overwrite_and_replaces_the_first_as_a_whole(
    store: Store, subset: Run, tmp_path: Path
) -> None:
    folder = export(store, subset.id, "subset-imagefolder", tmp_path / "out")
    with refusal(SpecRefusedError, folder, "--overwrite"):
        export(store, subset.id, "subset-csv", folder)
    assert "subset.csv" not in {path.name for path in folder.iterdir()}
    export(store, subset.id, "subset-csv", folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == {"subset.csv", "export.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Iterator[Store]:
    """A copy of the store that a test may change."""
    shutil.copytree(store.settings.home, tmp_path / "own")
    opened = Store.open(Settings(home=tmp_path / "own"))
    yield opened
    opened.close()


def test_a_renamed_data_set_is_called_by_its_name_of_now(own: Store, tmp_path: Path) -> None:
    subset = own.runs.all(kind="curate", status="done")[0]
    own.notes.write(subset.dataset_id, name="Pond birds", text="", tags=())
    folder = export(own, subset.id, "subset-csv", tmp_path / "out")
    assert json.loads((folder / "export.json").read_text())["data"] == "Pond birds"


def test_a_run_that_was_deleted_or_removed_with_its_data_is_said_to_be_so(own: Store, tmp_path: Path) -> None:
    subset = own.runs.all(kind="curate", status="done")[0]
    other = next(run for run in own.runs.all(status="done") if run.kind == "evaluate")
    own.runs.delete(other.id)
    with refusal(NotFoundError, other.id, "deleted on"):
        export(own, other.id, "fiftyone", tmp_path / "out")
    own.removals.remove(subset.dataset_id)
    with refusal(NotFoundError, "data set demo on"):
        export(own, subset.id, "subset-csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_no_export_has_written_are_never_touched(store: Store, subset: Run, tmp_path: Path) -> None:
    folder = export(store, subset.id, "subset-csv", tmp_path / "out")
    (folder / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with refusal(SpecRefusedError, folder, "'notes.txt'"):
            export(store, subset.id, "subset-imagefolder", folder, overwrite=overwrite)
    (folder / "notes.txt").unlink()
    (folder / "export.json").write_text("{")
    with refusal(SpecRefusedError, folder):
        export(store, subset.id, "subset-imagefolder", folder, overwrite=True)
    assert (folder / "subset.csv").is_file()


@pytest.mark.parametrize("kind", ["file", "link to a folder"])
def test_files_that_were_put_into_a_folder_of_an_export_are_not_lost_with_it(
    store: Store, subset: Run, tmp_path: Path, kind: str
) -> None:
    folder = export(store, subset.id, "subset-imagefolder", tmp_path / "out")
    assert export(store, subset.id, "subset-imagefolder", folder, overwrite=True) == folder
    inside = next(path for path in folder.iterdir() if path.is_dir())
    mine = inside / "mine.png"
    if kind == "file":
        mine.write_text("mine")
    else:
        mine.symlink_to(tmp_path, target_is_directory=True)
    n = len(list(inside.iterdir()))
    with refusal(SpecRefusedError, inside, n, n - 1):
        export(store, subset.id, "subset-imagefolder", folder, overwrite=True)
    assert os.path.lexists(mine)
    mine.unlink()
    assert export(store, subset.id, "subset-csv", folder, overwrite=True) == folder


def test_an_empty_folder_is_taken_and_a_file_is_refused(store: Store, subset: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert export(store, subset.id, "subset-csv", tmp_path / "empty") == tmp_path / "empty"
    (tmp_path / "file").write_text("x")
    for occupied in (tmp_path / "file", tmp_path / "file" / "below"):
        with refusal(SpecRefusedError, occupied):
            export(store, subset.id, "subset-csv", occupied)


@pytest.mark.parametrize(
    ("of", "form", "error", "named"),
    [
        ("curate", "maps-png", SpecRefusedError, ("maps-png", "subset-csv, subset-imagefolder")),
        ("curate", "zip", SpecRefusedError, ("'zip'", "subset-csv")),
        ("curate", "subset-npy", SpecRefusedError, ("'subset-npy'", "subset-csv")),
        ("space", "subset-csv", SpecRefusedError, ("subset-csv", "curate")),
        ("r-none", "subset-csv", NotFoundError, ("'r-none'",)),
    ],
)
def test_what_a_run_does_not_have_is_said_with_what_it_has(
    store: Store, tmp_path: Path, of, form, error, named
) -> None:
    runs = store.runs.all(kind=of, status="done")
    with refusal(error, *named):
        export(store, runs[0].id if runs else of, form, tmp_path / "out")


def test_a_run_that_is_not_done_is_not_exported(workbench: Workbench, small_demo: Path, tmp_path: Path) -> None:
    from slim_core import api
    from slim_core.steps.specs import parse_spec

    dataset = api.data_set(small_demo, at=workbench)
    spec = {"kind": "train", "dataset": dataset.id, "model": "small-resnet"}
    run, _ = workbench.store.runs.submit(parse_spec(spec))
    with refusal(SpecRefusedError, run.id, "queued"):
        export(workbench.store, run.id, "model-safetensors", tmp_path / "out")


def test_a_form_whose_package_is_missing_says_how_to_install_it(
    store: Store, subset: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = replace(writing.FORMS["subset-csv"], needs="no_such_package")
    monkeypatch.setitem(writing.FORMS, "subset-csv", form)
    with refusal(SpecRefusedError, "pip install 'slim-studio[no_such_package]'"):
        export(store, subset.id, "subset-csv", tmp_path / "out")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"\(No space left on device\): free some space"),
        (SlimError("An image is broken."), "An image is broken"),
    ],
)
def test_an_export_that_fails_leaves_nothing_and_the_earlier_one_as_it_was(
    store: Store, subset: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    folder = export(store, subset.id, "subset-csv", tmp_path / "out")
    before = (folder / "subset.csv").read_bytes()

    def half(source: Source, folder: Path) -> None:
        (folder / "rows.npy").write_bytes(b"half")
        raise error

    monkeypatch.setitem(writing.FORMS, "subset-imagefolder", replace(writing.FORMS["subset-imagefolder"], write=half))
    with pytest.raises(SlimError, match=sentence):
        export(store, subset.id, "subset-imagefolder", folder, overwrite=True)
    assert (folder / "subset.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, which only a privileged user can make."""
    with mounted(tmp_path / "small-disk", 1) as folder:
        yield folder


@pytest.mark.parametrize("name", writing.FORMS)
def test_a_disk_that_is_really_full_is_said_and_has_nothing_half_written(
    store: Store, small_disk: Path, name: str
) -> None:
    if writing.FORMS[name].needs:
        pytest.importorskip(writing.FORMS[name].needs)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space left"):
        while True:
            ballast.write(b"x" * 4096)
    kind = writing.FORMS[name].of[0]
    of = store.campaigns.all()[0].id if kind == "campaign" else store.runs.all(kind=kind, status="done")[0].id
    with pytest.raises(SpecRefusedError, match=r"No space left on device\): free some space"):
        export(store, of, name, small_disk / "out")
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


N, K, C, SIDE = 8_000, 1_536, 2, 40


@pytest.fixture
def large(store: Store, tmp_path: Path) -> Source:
    """A pass with 50 MB of maps and as many of each kind of features, over the rows of the demo set again and again."""
    run = store.runs.all(kind="gradcam", status="done")[0]
    table = store.datasets.table(run.dataset_id)
    folder = tmp_path / "large"
    folder.mkdir()
    np.save(folder / result_files.ROWS, np.arange(N) % len(table))
    np.save(folder / result_files.LOGITS, np.zeros((N, C), np.float32))
    np.save(folder / result_files.MAPS, np.zeros((N, SIDE, SIDE), np.float32))
    for name in result_files.FEATURES.values():
        np.save(folder / name, np.zeros((N, K), np.float32))
    source = Source(store, "gradcam", run.id, run.dataset_id)
    source.__dict__["folder"] = folder
    return source


@pytest.mark.slow
def test_arrays_are_never_held_as_a_whole(large: Source, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert large.run and large.table  # read before it is counted
    tracemalloc.start()
    forms.FEATURES_NPY.write(large, out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    written = sum(path.stat().st_size for path in out.iterdir())
    assert peak < 30 * MB, f"{peak / MB:.0f} MB for {written / MB:.0f} MB"
