"""What people draw: filled to known areas, refused where it is no shape, and in front of the mask of the data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.data.images.codec import ImageTransform, load_mask, load_whole
from slim_core.data.outlines import MOST_POINTS, MOST_POLYGONS, Drawing
from slim_core.data.table import COLUMNS, ImageTable
from slim_core.errors import ShapeRefusedError

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
