from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from slim_core.data.images.codec import ImageTransform, box_mask, load_mask
from slim_core.errors import ImageRefusedError

PLAIN = ImageTransform(size=24, resize_ratio=1)


def test_mistake_3_a_box_is_y_rows_by_x_columns():
    mask = box_mask((8, 2, 4, 10), width=32, height=24)
    assert mask.shape == (24, 32)
    expected = np.zeros((24, 32), bool)
    expected[2:12, 8:12] = True
    assert np.array_equal(mask, expected)


def test_a_box_with_fractions_covers_every_pixel_it_touches_and_ends_at_the_edge():
    assert np.flatnonzero(box_mask((1.5, 0, 1, 1), 8, 1)[0]).tolist() == [1, 2]
    assert box_mask((-5, -5, 100, 100), 8, 6).all()
    assert not box_mask((-5, -5, 2, 2), 8, 6).any()


def test_a_mask_is_carried_through_the_transform_with_its_image(tiny_table):
    mask = load_mask(tiny_table, 0, PLAIN)  # 32 x 24 cropped to 24 x 24: columns 4..28
    expected = np.zeros((24, 24), np.float32)
    expected[4:12, 4:12] = 1
    assert mask.dtype == np.float32
    assert np.array_equal(mask, expected)


def test_a_box_gives_the_same_mask_as_the_file_it_describes(tiny_table):
    assert np.array_equal(load_mask(tiny_table, 1, PLAIN), load_mask(tiny_table, 0, PLAIN))


def test_an_image_without_mask_or_box_has_none(tiny_table):
    assert load_mask(tiny_table, 2, PLAIN) is None


def test_a_grey_mask_counts_from_one_half_up(tiny_table):
    grey = np.zeros((24, 32), np.uint8)
    grey[4:12, 8:16], grey[12:16, 8:16] = 128, 127
    Image.fromarray(grey).save(tiny_table.root / "mask.png")
    assert np.array_equal(load_mask(tiny_table, 0, PLAIN), load_mask(tiny_table, 1, PLAIN))


def test_a_mask_of_half_the_scale_is_brought_to_its_image(tiny_table):
    half = np.zeros((12, 16), np.uint8)
    half[2:6, 4:8] = 255
    Image.fromarray(half).save(tiny_table.root / "mask.png")
    assert np.array_equal(load_mask(tiny_table, 0, PLAIN), load_mask(tiny_table, 1, PLAIN))


def test_a_missing_mask_is_refused_by_name(tiny_table):
    gone = replace(tiny_table, frame=tiny_table.frame.assign(mask="gone.png"))
    with pytest.raises(ImageRefusedError, match=r"gone\.png is missing"):
        load_mask(gone, 0, PLAIN)
