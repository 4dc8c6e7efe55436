"""COCO's segmentations: drawn as masks where they can be, else the box stands for them, and nothing is drawn twice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from slim_core.data.importing import import_data
from slim_core.data.outlines import Outline, uncompressed
from slim_core.data.report import require
from slim_core.data.unpacking import imported_images
from slim_core.settings import Settings

WIDTH, HEIGHT = 16, 12
SQUARE = [[2, 3, 9, 3, 9, 8, 2, 8]]
# written by pycocotools for an array of 12 x 16 that is 1 in [3:8, 2:9]
COMPRESSED = {"size": [HEIGHT, WIDTH], "counts": "k05700000000000a2"}


def inside(rows, columns):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rows, columns] = True
    return mask


def plain(mask):
    """Run lengths down the columns, as COCO has them for crowds."""
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [2]])
    edges = np.flatnonzero(np.diff(flat))
    lengths = np.diff(np.concatenate([[0], edges])).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": lengths}


@pytest.fixture
def coco(tmp_path):
    """Imports images with these objects: (class, segmentation) of each."""
    limits = Settings(home=tmp_path / "home", data_roots=(tmp_path,))
    root = tmp_path / "mine"
    root.mkdir()

    def imported(objects, *, size=(WIDTH, HEIGHT), **options):
        for i in range(len(objects)):
            Image.fromarray(np.full((HEIGHT, WIDTH, 3), i, np.uint8)).save(root / f"{i}.png")
        box = {"bbox": [1, 2, 3, 4]}
        content = {
            "images": [
                {"id": i, "file_name": f"{i}.png", "width": size[0], "height": size[1]} for i in range(len(objects))
            ],
            "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "cat"}],
            "annotations": [
                {"image_id": i, "category_id": kind, "area": 50 - k, "segmentation": segmentation, **box}
                for i, of_image in enumerate(objects)
                for k, (kind, segmentation) in enumerate(of_image)
            ],
        }
        (root / "instances.json").write_text(json.dumps(content))
        found = import_data(root, settings=limits, options=options)
        notes = " ".join(finding.message for finding in found.report.findings)
        return require(found), notes

    imported.home = limits.home
    return imported


def mask_of(table, row):
    path = table.mask_path(row)
    return None if path is None else np.asarray(Image.open(path).convert("L")) > 127


def many(first, n=8):
    """Images of both classes, after the first."""
    return [first, *([(2 - i % 2, SQUARE)] for i in range(n))]


def test_the_mask_of_an_image_is_all_objects_of_its_class(coco):
    crowd = inside(slice(0, 2), slice(10, 16))
    table, notes = coco(many([(1, SQUARE), (1, plain(crowd)), (2, [[0, 0, 15, 0, 15, 11]])]))
    mask = mask_of(table, 0)
    assert (mask & crowd).sum() == crowd.sum()
    assert mask[3:8, 2:9].all() and (mask & ~crowd).sum() <= 6 * 8  # at most a border wider
    assert "9 masks were drawn" in notes and table.has_mask.all()


def test_polygons_that_leave_the_image_end_at_its_edge(coco):
    table, _ = coco(many([(1, [[8, 6, 1e300, 6, 1e300, 99, 8, 99]])]))
    assert (mask_of(table, 0) == inside(slice(6, None), slice(8, None))).all()


def test_compressed_run_lengths_are_those_that_pycocotools_writes():
    assert (Outline(WIDTH, HEIGHT, (COMPRESSED,)).draw() == inside(slice(3, 8), slice(2, 9))).all()
    for broken in ("o", "\x00", "é" * 3, "oooooooooooooooo0"):
        with pytest.raises(ValueError, match="compressed run lengths"):
            uncompressed(broken)


@pytest.mark.parametrize(
    "broken",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4, 5, "x"]],
        [[1, 2, 3, 4, 5, float("nan")]],
        {"size": [HEIGHT, WIDTH], "counts": [5, 5]},
        {"size": [10**7, 10**7], "counts": [10**14]},
        {"size": None, "counts": None},
        {"counts": "S1"},
        {"size": [HEIGHT, WIDTH], "counts": [-1, 1 + HEIGHT * WIDTH]},
    ],
)
def test_what_cannot_be_drawn_leaves_the_box_and_is_counted(coco, broken):
    table, notes = coco(many([(1, broken)]))
    assert table.mask_path(0) is None and table.box(0) == (1, 2, 3, 4)
    assert "segmentations of 1 image cannot be drawn" in notes and "8 masks" in notes


def test_run_lengths_whose_sum_wraps_around_write_nowhere(monkeypatch):
    """They ended the process: 2^64 more pixels than the image has are as many as it has, to numpy."""
    monkeypatch.setattr(np, "repeat", lambda *_: pytest.fail("it writes beyond its memory"))
    runs = {"size": [8, 8], "counts": [2**62] * 4 + [64]}
    with pytest.raises(ValueError, match="add up to 8 x 8 pixels"):
        Outline(8, 8, (runs,)).draw()


@pytest.mark.parametrize("empty", [[], None, {}])
def test_an_object_without_a_segmentation_has_its_box(coco, empty):
    table, notes = coco(many([(1, empty)]))
    assert table.mask_path(0) is None and table.box(0) == (1, 2, 3, 4) and "cannot be drawn" not in notes


def test_sizes_that_no_image_has_are_not_drawn(coco):
    for size in ((None, None), (10**9, 10**9), (0, 5)):
        table, notes = coco(many([(1, SQUARE)]), size=size)
        assert not (table.frame["mask"] != "").any() and "masks were drawn" not in notes


def test_masks_are_drawn_once_into_the_home_and_are_the_data_sets_own(coco):
    table, _ = coco(many([(1, SQUARE)]))
    files = sorted(coco.home.rglob("*.png"))
    assert len(files) == 1 and imported_images(table, coco.home) == frozenset(files)
    before = files[0].stat().st_mtime_ns
    coco(many([(1, SQUARE)]))
    assert sorted(coco.home.rglob("*.png")) == files and files[0].stat().st_mtime_ns == before
    boxes, notes = coco(many([(1, SQUARE)]), masks="no")
    assert not (boxes.frame["mask"] != "").any() and "masks were drawn" not in notes
