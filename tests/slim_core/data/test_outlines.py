"""Where objects are: what people draw, filled to known areas and in front of masks; and what COCO outlines."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.data.images.codec import ImageTransform, load_whole
from slim_core.data.importing import import_data
from slim_core.data.outlines import MOST_POINTS, MOST_POLYGONS, Drawing, Outline, uncompressed
from slim_core.data.report import require
from slim_core.data.table import COLUMNS, ImageTable, load_mask
from slim_core.data.unpacking import imported_images
from slim_core.errors import ShapeRefusedError
from slim_core.settings import Settings

BOX = [[10, 20], [40, 20], [40, 30], [10, 30]]


def area(*polygons: list, width: int = 100, height: int = 80) -> int:
    return int(Drawing.checked(width, height, list(polygons)).mask().sum())


def test_a_rectangle_covers_as_many_pixels_as_it_is_large():
    inside = Drawing.checked(100, 80, [BOX]).mask()
    assert inside.shape == (80, 100) and inside.sum() == 30 * 10
    assert inside[20:30, 10:40].all()
    assert Drawing.checked(100, 80, [BOX]).box() == (10, 20, 30, 10)


def test_a_polygon_covers_the_pixels_whose_centres_it_holds():
    assert area([[0, 0], [10, 0], [0, 10]]) == 45  # the centres on its long side are outside
    points = [[50 + 30 * math.cos(t), 40 + 30 * math.sin(t)] for t in np.linspace(0, 2 * math.pi, 100, endpoint=False)]
    assert area(points) == pytest.approx(math.pi * 30**2, rel=0.01)
    concave = [[10, 10], [50, 10], [50, 50], [30, 20], [10, 50]]  # its area by the shoelace formula: 1,000
    assert area(concave) == pytest.approx(1000, rel=0.03)


def test_the_order_of_the_corners_does_not_matter_and_polygons_add_up():
    assert area(BOX[::-1]) == area(BOX[2:] + BOX[:2]) == 300
    assert area(BOX, [[20, 20], [60, 20], [60, 30], [20, 30]]) == 50 * 10  # where they overlap counts once


def test_what_leaves_the_image_is_cut_at_its_edge():
    assert area([[-50, -50], [20, -50], [20, 10], [-50, 10]]) == 20 * 10
    assert area([[-9, -9], [999, -9], [999, 999], [-9, 999]]) == 100 * 80


@pytest.mark.parametrize(
    ("polygons", "what"),
    [
        ("everything", "of 1 to 20 polygons"),
        ([], "of 1 to 20 polygons"),
        ([BOX] * (MOST_POLYGONS + 1), "of 1 to 20 polygons"),
        ([BOX[:2]], "3 to 400 corners"),
        ([[[1, 1, 1], [2, 2], [3, 1]]], "numbers of pixels"),
        ([[[1, "1"], [2, 2], [3, 1]]], "numbers of pixels"),
        ([[[1, True], [2, 2], [3, 1]]], "numbers of pixels"),
        ([[[1, math.nan], [2, 2], [3, 1]]], "numbers of pixels"),
        ([[[1, math.inf], [2, 2], [3, 1]]], "numbers of pixels"),
        ([[[10, 10], [20, 20], [30, 30]]], "no area"),
        ([[[10, 10], [10, 50], [10, 30]]], "no area"),
        ([[[200, 10], [300, 10], [300, 50]]], "no area inside"),
        ([[[i % 7 * 10, i // 7] for i in range(MOST_POINTS // 2 + 1)]] * 2, "more than 400"),
    ],
)
def test_what_is_no_shape_is_refused(polygons: object, what: str):
    with pytest.raises(ShapeRefusedError, match=what):
        Drawing.checked(100, 80, polygons)


@pytest.fixture
def table(tmp_path: Path) -> ImageTable:
    """Two images of 80 x 80: the first with a mask of its upper half, the second with none."""
    frame = pd.DataFrame({column: [""] * 2 for column in COLUMNS[:5]})
    frame["path"], frame["split"], frame["label"], frame["attribute"] = ["0.png", "1.png"], "test", 0, -1
    frame["mask"] = ["mask.png", ""]
    for column in COLUMNS[5:]:
        frame[column] = np.nan
    for name in ("0.png", "1.png"):
        Image.new("RGB", (80, 80)).save(tmp_path / name)
    half = np.zeros((80, 80), np.uint8)
    half[:40] = 255
    Image.fromarray(half).save(tmp_path / "mask.png")
    return ImageTable("two", tmp_path, frame, ("one",))


def test_a_drawing_goes_before_the_mask_and_fills_in_where_there_is_none(table: ImageTable):
    whole = ImageTransform(size=80, resize_ratio=1.0)
    left = Drawing.checked(80, 80, [[[0, 0], [40, 0], [40, 80], [0, 80]]])
    drawn = table.with_drawn({0: left, 1: left})
    assert table.has_mask.tolist() == [True, False] and drawn.has_mask.tolist() == [True, True]
    assert drawn.fingerprint == table.fingerprint  # what runs know the data by stays as it was
    for row in (0, 1):
        mask = load_mask(drawn, row, whole)
        assert mask is not None and mask[:, :40].all() and not mask[:, 40:].any()
    of_the_file = load_mask(table, 0, whole)
    assert of_the_file is not None and of_the_file[:40].all() and load_mask(table, 1, whole) is None


def test_a_drawing_takes_part_in_the_crop_of_the_network(table: ImageTable):
    cropped = ImageTransform(size=40, resize_ratio=2.0)  # the middle 40 of 80 pixels
    drawn = table.with_drawn({1: Drawing.checked(80, 80, [[[0, 0], [30, 0], [30, 80], [0, 80]]])})
    mask = load_mask(drawn, 1, cropped)
    assert mask is not None and mask.sum() == 40 * 10


def test_a_whole_image_keeps_its_shape_for_people_to_draw_on(tmp_path: Path):
    Image.new("RGB", (600, 300)).save(tmp_path / "wide.jpg")
    assert load_whole(tmp_path / "wide.jpg", 100).shape == (50, 100, 3)
    assert load_whole(tmp_path / "wide.jpg", 1024).shape == (300, 600, 3)


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


def test_polygons_that_zigzag_through_many_rows_are_refused_before_they_are_drawn():
    zigzag = [number for i in range(3_000) for number in (i / 30, i % 2 * 100_000)]
    with pytest.raises(ValueError, match="20,000,000 corners"):
        Outline(100, 100_000, ([zigzag],)).draw()
    with pytest.raises(ValueError, match="20,000,000 corners"):
        Outline(100, 100_000, ([zigzag[:8]],) * 60).draw()
    assert Outline(100, 1_000, ([zigzag],)).draw().all()


def test_thousands_of_run_lengths_are_those_of_any_of_them_and_the_image_is_written_once(monkeypatch):
    masks = np.random.default_rng(0).random((50, HEIGHT, WIDTH)) < np.linspace(0, 0.05, 50)[:, None, None]
    masks[-1, -1, -1] = masks[-2, 0, 0] = True
    written, repeat = list[int](), np.repeat
    monkeypatch.setattr(np, "repeat", lambda *given: written.append(1) or repeat(*given))
    drawn = Outline(WIDTH, HEIGHT, tuple(map(plain, masks)) * 200).draw()
    assert (drawn == masks.any(axis=0)).all() and len(written) == 1 and not drawn.all()
    assert not Outline(WIDTH, HEIGHT, (plain(masks[0]),)).draw().any()


@pytest.mark.parametrize("empty", [[], None, {}])
def test_an_object_without_a_segmentation_has_its_box(coco, empty):
    table, notes = coco(many([(1, empty)]))
    assert table.mask_path(0) is None and table.box(0) == (1, 2, 3, 4) and "cannot be drawn" not in notes


@pytest.mark.parametrize(
    "size", [(None, None), (10**9, 10**9), (0, 5), (100, 100_000), (7_000, 7_000), (2 * WIDTH, 2 * HEIGHT)]
)
def test_at_a_size_that_the_image_does_not_have_nothing_is_drawn(coco, monkeypatch, size):
    with monkeypatch.context() as patch:
        patch.setattr(Outline, "draw", lambda _: pytest.fail("it was drawn"))
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
