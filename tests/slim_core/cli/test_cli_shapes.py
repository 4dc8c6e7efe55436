"""slim shapes export and import, as people type them; and `slim import` of what was exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from slim_core.data.importers.coco import Coco
from slim_core.data.importing import import_data
from slim_core.store import Dataset, Store
from tests.slim_core.cli.commands import said, slim

BOX = [[[4, 4], [20, 4], [20, 12], [4, 12]]]


@pytest.fixture
def dataset(store: Store, small_demo: Path) -> Dataset:
    """The small demo set."""
    return store.datasets.register(import_data(small_demo, name="demo"), by="tests")


@pytest.fixture
def drawn(store: Store, dataset: Dataset, tmp_path: Path) -> Path:
    """A file of two images that ann drew on."""
    from slim_core.data.images.codec import image_size

    size = image_size(store.datasets.table(dataset.id).image_path(3))
    store.shapes.keep(dataset.id, 3, BOX, size, id="a", by="ann")
    store.shapes.keep(dataset.id, 5, [*BOX, [[1.5, 20], [9, 20], [9, 27]]], size, id="b", by="ann")
    assert slim("shapes", "export", tmp_path / "drawn.json", "--data", "demo") == 0
    return tmp_path / "drawn.json"


def test_what_is_drawn_is_written_and_drawn_again_elsewhere(store: Store, dataset: Dataset, drawn: Path, capsys):
    before = store.shapes.drawings(dataset.id)
    first = json.loads(drawn.read_text())["annotations"][0]
    assert first["drawn_by"] == "ann" and first["area"] == 128 and first["bbox"] == [4, 4, 16, 8]
    assert slim("shapes", "import", drawn, "--data", "demo") == 0
    assert "0 images of demo drawn on, 2 were already stored" in said(capsys)
    for row in (3, 5):
        store.shapes.keep(dataset.id, row, [], (28, 28), id=f"gone {row}")
    assert slim("shapes", "import", drawn, "--data", "demo") == 0
    printed = said(capsys)
    assert "2 images of demo drawn on" in printed
    assert f"next: slim gradcam --data {dataset.id} and slim evaluate --data {dataset.id} score" in printed
    assert store.shapes.drawings(dataset.id) == before
    assert store.shapes.find(dataset.id, 3).drawn_by == "command line"


def test_a_file_is_not_overwritten_unasked(drawn: Path, capsys):
    assert slim("shapes", "export", drawn) == 2
    assert "is there already" in said(capsys)
    assert slim("shapes", "export", drawn, "--overwrite") == 0


@pytest.mark.usefixtures("dataset")
def test_nothing_drawn_is_nothing_to_write(tmp_path: Path, capsys):
    assert slim("shapes", "export", tmp_path / "drawn.json") == 2
    assert "is drawn on demo" in said(capsys) and not list(tmp_path.glob("*.json"))


def test_what_was_exported_is_read_as_masks_by_the_import_of_coco(small_demo: Path, drawn: Path, tmp_path: Path):
    folder = tmp_path / "coco"
    shutil.copytree(small_demo / "images", folder / "images")
    shutil.copy(drawn, folder / "instances.json")
    outlines = [outline for outline in Coco().read(folder, {}).outlines or () if outline is not None]
    assert len(outlines) == 2
    assert 128 <= outlines[0].draw().sum() <= 17 * 9  # this reader draws the border, too


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda content: content.pop("images"), "lacks a list"),
        (
            lambda content: content["images"][0].update(file_name="elsewhere.png"),
            "names 1 image that demo does not have",
        ),
        (lambda content: content["images"][0].update(width=9), "says that"),
        (lambda content: content["annotations"][0].update(segmentation={"counts": "x"}), "has no polygons"),
        (lambda content: content["annotations"][0].update(segmentation=[[1, 2, 3]]), "has no polygons"),
        (lambda content: content["annotations"][0].update(segmentation=[[1, 2, "x", 4, 5, 6]]), "two numbers"),
        (lambda content: content["annotations"].append(7), "has no polygons"),
        (lambda content: content["images"].pop(), "of an image 5 that it does"),
        (lambda content: content["images"][1].update(id="5"), "of an image 5 that it does"),
        (lambda content: content["images"].append(content["images"][0] | {"file_name": "x"}), "lists 3 more than once"),
        (lambda content: content["images"][1].update(file_name=content["images"][0]["file_name"]), "more than once"),
        (lambda content: content["annotations"][1].update(segmentation=[[1, 1, 2, 2, 3, 3]]), "no area"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_whole(
    store: Store, dataset: Dataset, drawn: Path, capsys, change, what: str
):
    content = json.loads(drawn.read_text())
    change(content)
    drawn.write_text(json.dumps(content))
    before = store.shapes.newest(dataset.id)
    assert slim("shapes", "import", drawn) == 2
    assert what in said(capsys)
    assert store.shapes.newest(dataset.id) == before


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("name", ["missing.json", "n" * 5_000])
def test_a_file_that_is_not_there_is_said_to_be_that(name: str, capsys):
    assert slim("shapes", "import", name) == 2
    told = said(capsys)
    assert "file of COCO" in told and len(told) < 400
