"""Images by row: the cache and its budget, batches in order, and broken files named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slim_core.data.images.codec import ImageTransform, load_pixels
from slim_core.data.table import load_mask
from slim_core.errors import ImageRefusedError
from slim_core.models.inference import Pixels, split_batches, to_input
from tests.slim_core.painted import painted_table

TRANSFORM = ImageTransform(size=32, resize_ratio=1.0)


@pytest.fixture
def table(tmp_path):
    return painted_table(tmp_path, 12, size=48)


def decoded(monkeypatch):
    """The paths decoded from now on."""
    paths = []
    monkeypatch.setattr(
        "slim_core.models.inference.load_pixels", lambda path, t: paths.append(path) or load_pixels(path, t)
    )
    return paths


def test_pixels_are_those_of_the_evaluation_transform(table):
    with Pixels(table, TRANSFORM) as pixels:
        read = pixels.read(np.array([3, 0, 3]))
    assert read.dtype == np.uint8 and read.shape == (3, 32, 32, 3)
    assert np.array_equal(read[0], load_pixels(table.image_path(3), TRANSFORM))
    assert np.array_equal(read[0], read[2])


def test_cached_images_are_decoded_once(table, monkeypatch):
    paths = decoded(monkeypatch)
    with Pixels(table, TRANSFORM) as pixels:
        first, again = pixels.read(np.arange(12)), pixels.read(np.arange(12))
    assert np.array_equal(first, again) and len(paths) == 12


def test_the_cache_stays_under_its_budget_and_the_rest_is_decoded_anew(table, monkeypatch):
    paths = decoded(monkeypatch)
    with Pixels(table, TRANSFORM, rows=np.array([2, 5, 7, 9]), cache_bytes=2 * 3 * 32 * 32 + 1) as pixels:
        for _ in range(3):
            pixels.read(np.array([2, 5, 7, 9]))
        assert pixels._cache.nbytes == 2 * 3 * 32 * 32
    assert len(paths) == 2 + 2 * 3


def test_batches_come_in_order_and_a_lone_last_image_joins_the_batch_before(table):
    rows = np.arange(9)[::-1]
    parts = split_batches(rows, 4)
    assert [len(part) for part in parts] == [4, 5]
    with Pixels(table, TRANSFORM, cache_bytes=0) as pixels:
        batches = list(pixels.batches(split_batches(rows, 2)))
        expected = pixels.read(rows)
    assert np.array_equal(np.concatenate([part for part, _ in batches]), rows)
    assert np.array_equal(np.concatenate([images for _, images in batches]), expected)


def test_a_broken_image_is_refused_by_its_path(table):
    path = table.image_path(4)
    path.write_bytes(path.read_bytes()[:200])
    with Pixels(table, TRANSFORM) as pixels, pytest.raises(ImageRefusedError, match=str(path)):
        list(pixels.batches([np.arange(6)]))


def test_masks_share_the_geometry_of_the_images(table):
    with Pixels(table, TRANSFORM) as pixels:
        masks = pixels.masks(np.array([0, 1]))
    assert np.array_equal(masks[1], load_mask(table, 1, TRANSFORM))


def test_the_input_is_normalised_and_channels_first():
    transform = ImageTransform(size=2, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0))
    images = to_input(np.full((1, 2, 2, 3), 255, np.uint8), transform, torch.device("cpu"))
    assert images.shape == (1, 3, 2, 2)
    assert images[0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]
