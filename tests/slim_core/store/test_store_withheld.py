"""Nobody registers, or is shown by a check, the files of a data set that they are not shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from slim_core.data.table import ImageTable
from slim_core.errors import PathRefusedError
from slim_core.store import Store
from slim_core.store.datasets import Datasets
from tests.slim_core.store.store_makers import image_table, imported

OWNER, LEAD, ADMIN = (f"{who}@lab.org" for who in ("olga", "lea", "adam"))


@dataclass
class Shelf:
    """Folders of images, of which olga has registered ``hush`` as private."""

    store: Store
    folder: Path
    hush: ImageTable

    def of(self, who: str) -> Datasets:
        return self.store.seen_by(who).datasets


def written(root: Path, seed: int) -> ImageTable:
    table = image_table(root, name=root.name, seed=seed)
    for file in table.files:
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_bytes(file.encode())
    return table


@pytest.fixture
def shelf(store: Store, tmp_path: Path) -> Shelf:
    for who, role in ((OWNER, "lead"), (LEAD, "lead"), (ADMIN, "admin")):
        store.members.set_role(who, role)
    folder = tmp_path / "data"
    hush = written(folder / "hush", 1)
    found = store.datasets.register(imported(hush), by=OWNER)
    store.sharing.set(found.id, private=True, by=OWNER)
    return Shelf(store, folder, hush)


def spelled(shelf: Shelf, how: str) -> ImageTable:
    """A table of another root and name, whose images are the private ones."""
    other = shelf.folder / how
    if how == "link":
        other.symlink_to(shelf.hush.root)
    elif how == "hard":
        for file in map(Path, shelf.hush.files):
            (other / file.parent.name).mkdir(parents=True, exist_ok=True)
            os.link(file, other / file.parent.name / file.name)
    elif how == "one":
        other.mkdir()
        absolute = [str(shelf.hush.image_path(0))] + [f"1/{row}.png" for row in range(1, len(shelf.hush))]
        return replace(shelf.hush, name=how, root=other, frame=shelf.hush.frame.assign(path=absolute))
    elif how == "above":
        paths = [f"hush/{path}" for path in shelf.hush.frame["path"]]
        return replace(shelf.hush, name=how, root=shelf.folder, frame=shelf.hush.frame.assign(path=paths))
    return replace(shelf.hush, name=how, root=other)


@pytest.mark.parametrize("how", ["link", "hard", "one", "above"])
def test_private_files_are_refused_under_any_path_and_nothing_is_said_of_them(shelf: Shelf, how: str) -> None:
    table = spelled(shelf, how)
    with pytest.raises(PathRefusedError) as refused:
        shelf.of(LEAD).register(imported(table), by=LEAD)
    assert str(refused.value) == f"{table.root} is not allowed: choose another folder or file, or ask an admin."
    assert len(shelf.store.datasets.all()) == 1
    for who in (OWNER, ADMIN):
        shelf.of(who).require_open(table.root, table.files)


def test_masks_and_the_table_itself_are_withheld_too(shelf: Shelf) -> None:
    metadata = shelf.hush.root / "metadata.csv"
    metadata.write_text("path,label\n")
    masked = replace(shelf.hush, name="masked", frame=shelf.hush.frame.assign(mask="masks/all.png"))
    (shelf.hush.root / "masks").mkdir()
    (shelf.hush.root / "masks/all.png").write_bytes(b"mask")
    made = imported(masked)
    found = shelf.store.datasets.register(
        replace(made, report=replace(made.report, metadata=(str(metadata),))), by=OWNER
    )
    shelf.store.sharing.set(found.id, private=True, by=OWNER)
    for file in (metadata, shelf.hush.root / "masks/all.png"):
        with pytest.raises(PathRefusedError, match="is not allowed"):
            shelf.of(LEAD).require_open(file)
        with pytest.raises(PathRefusedError, match="is not allowed"):
            shelf.of(LEAD).require_open(shelf.folder, [str(file)])


def test_files_that_a_visible_data_set_has_as_well_are_no_secret(shelf: Shelf) -> None:
    paths = [f"hush/{path}" for path in shelf.hush.frame["path"]]
    visible = replace(shelf.hush, name="all", root=shelf.folder, frame=shelf.hush.frame.assign(path=paths))
    shelf.store.datasets.register(imported(visible), by=OWNER)
    table = spelled(shelf, "link")
    assert shelf.of(LEAD).register(imported(table), by=LEAD).name == "link"


def test_other_files_beside_them_are_registered(shelf: Shelf) -> None:
    mine = written(shelf.folder / "mine", 2)
    assert shelf.of(LEAD).register(imported(mine), by=LEAD).name == "mine"


def test_a_private_data_set_whose_table_is_gone_still_withholds_what_is_known_of_it(shelf: Shelf) -> None:
    (one,) = shelf.store.datasets.all()
    shelf.store.artifacts.remove_dataset(one.id)
    shelf.store.datasets.forget(one.id)
    with pytest.raises(PathRefusedError, match="is not allowed"):
        shelf.of(LEAD).require_open(shelf.folder, shelf.hush.files)


def test_of_the_home_only_the_folders_of_images_are_data(shelf: Shelf) -> None:
    home = shelf.store.settings.home
    for name in ("uploads", "demo-data", "imported"):
        (home / name / "set").mkdir(parents=True)
        shelf.of(LEAD).require_open(home / name / "set", [str(home / name / "set" / "1.png")])
    (home / "runs" / "r-1").mkdir(parents=True)
    (shelf.folder / "way").symlink_to(home / "runs")
    inside = (home, home / "runs", home / "slim.db", home / "uploads" / ".." / "runs", shelf.folder / "way" / "r-1")
    for asked in inside:
        with pytest.raises(PathRefusedError, match="is not allowed"):
            shelf.of(LEAD).require_open(asked)
    with pytest.raises(PathRefusedError, match="is not allowed"):
        shelf.of(LEAD).require_open(home.parent, [str(home / "runs" / "r-1" / "1.png")])


def test_commands_and_the_dashboard_without_sign_in_register_anything(shelf: Shelf) -> None:
    shelf.store.datasets.require_open(shelf.store.settings.home)
    assert shelf.store.datasets.register(imported(spelled(shelf, "link"))).name == "link"
