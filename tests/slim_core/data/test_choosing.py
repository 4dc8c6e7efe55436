"""What data is chosen by: folders of the allowed ones alone, and the first rows of a table."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from slim_core.data import choosing as module
from slim_core.data.choosing import ROWS, browse, preview, roots
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.errors import DataRefusedError, PathRefusedError
from slim_core.settings import Settings
from tests.slim_core.data.conftest import save_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder: three folders, a table, two images and what is to be hidden."""
    root = tmp_path.resolve() / "data"
    for name in ("birds/train", "Apes", ".hidden", "home/uploads"):
        (root / name).mkdir(parents=True)
    os.mkdir(os.fsencode(root) + b"/no\xfftext")
    for name in ("labels.csv", "0.PNG", "1.jpg", "notes.md"):
        (root / name).touch()
    return root


@pytest.fixture
def settings(root: Path) -> Settings:
    return Settings(home=root / "home", data_roots=(root, root / "missing"))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: for a while this process is somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def names(listing: module.Listing) -> list[str]:
    return [one.name for one in listing.folders]


def test_a_folder_shows_its_folders_tables_and_number_of_images(root: Path, settings: Settings):
    assert [one.path for one in roots(settings)] == [root], "one that is missing is left out"
    found = browse(root, settings)
    assert names(found) == ["Apes", "birds"] and found.n_folders == 2, "neither hidden ones nor SLIM_HOME"
    assert [path.name for path in found.tables] == ["labels.csv"] and found.n_images == 2 and not found.is_cut
    below = browse(root / "birds" / "train", settings)
    assert below.way == (root, root / "birds", root / "birds" / "train")
    assert names(browse(root, settings, " BIR ")) == ["birds"]


def test_links_out_of_the_allowed_folders_are_neither_shown_nor_followed(
    root: Path, settings: Settings, tmp_path: Path
):
    outside = tmp_path / "secret"
    (outside / "inner").mkdir(parents=True)
    (outside / "table.csv").touch()
    (root / "out").symlink_to(outside)
    (root / "up").symlink_to("../secret/inner")
    (root / "out.csv").symlink_to(outside / "table.csv")
    (root / "ours").symlink_to(root / "home" / "uploads")
    (root / "circle").symlink_to(root / "circle")
    (root / "broken").symlink_to(root / "gone")
    (root / "inside").symlink_to(root / "birds")
    found = browse(root, settings)
    assert names(found) == ["Apes", "birds", "inside"] and [path.name for path in found.tables] == ["labels.csv"]
    assert browse(root / "inside", settings).path == root / "birds"
    for path in (root / "out", root / "up", outside, root / ".." / "secret", "/", "/etc", root / "circle"):
        with pytest.raises(PathRefusedError):
            browse(path, settings)


def test_slim_home_and_what_is_gone_or_no_folder_are_refused_in_a_sentence(root: Path, settings: Settings):
    for path, said in (
        (root / "home", "SLIM"),
        (root / "home" / "uploads", "SLIM"),
        (root / "gone", "cannot be listed .No such file"),
        (root / "labels.csv", "cannot be listed .Not a directory"),
        ("\0", "be a path"),
    ):
        with pytest.raises(PathRefusedError, match=said):
            browse(path, settings)


def test_a_folder_that_may_not_be_read_is_marked_and_refused():
    with tempfile.TemporaryDirectory() as name:  # pytest's own are closed to others
        root = Path(name).resolve()
        root.chmod(0o755)
        settings = Settings(home=root / "home", data_roots=(root,))
        (root / "open").mkdir()
        (root / "closed").mkdir(mode=0o700 if os.geteuid() == 0 else 0)
        with as_nobody():
            found = {one.name: one.is_readable for one in browse(root, settings).folders}
            assert found == {"closed": False, "open": True}
            with pytest.raises(PathRefusedError, match="cannot be listed .Permission denied"):
                browse(root / "closed", settings)


def test_a_folder_that_is_exchanged_for_a_link_while_it_is_opened_shows_nothing(
    root: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "secret" / "inner").mkdir(parents=True)
    opened = os.open

    def exchange(path, *rest, **named):
        if Path(path) == root / "birds":
            (root / "birds").rename(root / "away")
            (root / "birds").symlink_to(tmp_path / "secret")
        return opened(path, *rest, **named)

    monkeypatch.setattr(module.os, "open", exchange)
    with pytest.raises(PathRefusedError, match="outside the allowed|exchanged"):
        browse(root / "birds", settings)


def test_of_a_folder_with_very_many_entries_only_so_many_are_read_resolved_and_shown(
    root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    large = root / "large"
    for n in range(600):
        (large / f"f{n:03}").mkdir(parents=True)
        (large / f"l{n:03}").symlink_to(root / "birds")
        (large / f"{n}.jpg").touch()
    found = browse(large, settings)
    assert (len(found.folders), found.n_folders, found.n_images) == (module.MOST_SHOWN, 1_200, 600)
    assert names(browse(large, settings, "F599")) == ["f599"], "what is not shown is found by its name"
    monkeypatch.setattr(module, "MOST_READ", 1_000)
    monkeypatch.setattr(module, "MOST_LINKS", 5)
    cut = browse(large, settings)
    assert cut.is_cut and cut.n_images + cut.n_folders <= 1_001
    assert len(browse(large, settings, "l").folders) <= 5


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of everybody, as pytest's own are not; in it "open", and "closed" with the folder "images"."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        (folder / "open").mkdir()
        (folder / "closed" / "images").mkdir(parents=True)
        (folder / "closed").chmod(0o700 if os.geteuid() == 0 else 0)
        yield folder
        (folder / "closed").chmod(0o700)


def test_a_root_that_this_user_does_not_reach_does_not_keep_the_others_from_being_browsed(shared: Path):
    """As one below somebody's home."""
    roots_of = (shared / "open", shared / "closed" / "images")
    settings = Settings(home=shared / "home", data_roots=roots_of)
    with as_nobody():
        assert [(one.path, one.is_readable) for one in roots(settings)] == [(roots_of[0], True), (roots_of[1], False)]
        assert names(browse(shared / "open", settings)) == []


def test_a_folder_that_this_user_may_not_open_is_refused_by_the_import_and_has_no_preview(shared: Path):
    settings = Settings(home=shared / "home", data_roots=(shared,))
    with as_nobody():
        (error,) = import_data(shared / "closed", settings=settings).report.errors
        assert "cannot be read (Permission denied)" in error.message
        assert preview(shared / "closed", settings=settings) is None


FRAME = pd.DataFrame(
    {
        "photo": [f"{i}.jpg" for i in range(48)],
        "Class": ["cat", "dog"] * 24,
        "area": ["urban", "urban", "rural", "rural"] * 12,
        "hour": (["day"] * 4 + ["night"] * 4) * 6,
        "background": ["a", "b"] * 24,
    }
)


@pytest.fixture
def folder(data):
    for i in range(48):
        save_image(data / f"{i}.jpg", i)
    return data


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_columns_are_proposed_by_their_names_and_images_by_the_cells(folder, limits, suffix):
    path = folder / f"t.{suffix}"
    if suffix == "parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, sep="," if suffix == "csv" else "\t", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and found.files == (path.name,)
    assert found.proposed == {"path": "photo", "label": "Class", "attribute": "background"}
    assert found.head.to_numpy().tolist() == FRAME.head(ROWS).to_numpy().tolist()


def test_splits_are_proposed_by_the_words_in_the_cells(folder, limits):
    parts = FRAME.assign(Teil=["train"] * 40 + ["tuning"] * 4 + ["holdout"] * 4)
    parts.to_csv(folder / "t.csv", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and found.proposed["split"] == "Teil", (
        "also where the rows that are shown are all of train"
    )
    parts.assign(Teil="train").to_csv(folder / "t.csv", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and "split" not in found.proposed, "one word may be anything"


def test_an_empty_parquet_has_columns_and_no_rows(folder, limits):
    FRAME.head(0).to_parquet(folder / "t.parquet")
    found = preview(folder / "t.parquet", settings=limits)
    assert found is not None and found.head.columns.tolist() == list(FRAME.columns) and len(found.head) == 0


def test_of_several_tables_each_can_be_looked_at(folder, limits):
    FRAME.to_csv(folder / "b.csv", index=False)
    FRAME.rename(columns={"photo": "file"}).to_csv(folder / "a.csv", index=False)
    first, second = preview(folder, settings=limits), preview(folder, file="b.csv", settings=limits)
    assert first is not None and first.files == ("a.csv", "b.csv") and "file" in first.head
    assert second is not None and second.files == ("b.csv", "a.csv") and "photo" in second.head


def test_what_is_read_in_another_form_has_no_columns_to_choose(waterbirds, data, limits):
    assert preview(waterbirds, settings=limits) is None
    assert preview(data / "nowhere", settings=limits) is None


def test_a_table_that_cannot_be_read_or_lies_elsewhere_is_refused(folder, tmp_path, narrow_limits):
    (folder / "t.csv").write_bytes("photo,species\n0.jpg,caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataRefusedError, match="to be Latin-1 .* save it as"):
        preview(folder, settings=narrow_limits)
    with pytest.raises(PathRefusedError):
        preview(tmp_path, settings=narrow_limits)


def test_chosen_columns_are_read_and_one_that_is_not_wanted_is_not(folder, limits):
    FRAME.to_csv(folder / "t.csv", index=False)
    options = {"path": "photo", "label": "Class", "attribute": "none", "seed": "1"}
    table = require(import_data(folder, options=options, settings=limits))
    assert table.label_names == ("cat", "dog") and not table.has_attributes


def test_two_attributes_are_crossed_and_a_column_with_a_comma_in_its_name_is_one(folder, limits):
    FRAME.rename(columns={"background": "area,hour"}).to_csv(folder / "t.csv", index=False)
    crossed = require(import_data(folder, options={"path": "photo", "attribute": "hour,area"}, settings=limits))
    assert crossed.attribute_names == ("day, rural", "day, urban", "night, rural", "night, urban")
    one = require(import_data(folder, options={"path": "photo", "attribute": "area,hour"}, settings=limits))
    assert one.attribute_names == ("a", "b")
