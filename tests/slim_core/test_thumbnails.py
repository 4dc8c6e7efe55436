"""Thumbnails: written by the worker in any order, read one at a time."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slim_core import thumbnails
from slim_core.images import ImageTransform
from slim_core.thumbnails import SIDE, Thumbnails, ThumbnailWriter

WHOLE = ImageTransform(resize_ratio=1.0)


def photograph(width: int, height: int, colour: int = 200) -> Image.Image:
    """Grey-free: each row number has its own colour, so that mixed-up pictures are noticed."""
    return Image.new("RGB", (width, height), (colour, 255 - colour, 40))


def colour_of(content: bytes) -> int:
    return int(np.asarray(Image.open(io.BytesIO(content)))[..., 0].mean().round())


def test_each_row_gets_its_own_picture_however_the_threads_finish(tmp_path: Path) -> None:
    rows = list(range(0, 250, 5))
    with ThumbnailWriter(tmp_path, WHOLE) as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: writer.add(row, photograph(300, 200, row)), reversed(rows)))
    kept = Thumbnails.find(tmp_path)
    assert kept is not None and len(kept) == len(rows)
    for row in rows:
        assert colour_of(kept.read(row, 96)) == pytest.approx(row, abs=2)
    assert kept.read(3, 96) is None
    assert kept.read(1000, 96) is None


def test_a_picture_is_the_square_the_network_sees(tmp_path: Path) -> None:
    image = photograph(700, 350)
    image.paste((0, 0, 0), (0, 0, 190, 350))  # outside the centre crop of resize ratio 8/7 (left edge at 197 px)
    with ThumbnailWriter(tmp_path, ImageTransform()) as writer:
        writer.add(0, image)
    picture = Image.open(io.BytesIO(Thumbnails(tmp_path).read(0, SIDE)))
    assert picture.size == (SIDE, SIDE)
    assert np.asarray(picture)[..., 0].min() > 150


def test_a_larger_picture_than_is_kept_is_left_to_the_file_but_a_small_image_is_kept_whole(tmp_path: Path) -> None:
    with ThumbnailWriter(tmp_path, WHOLE) as writer:
        writer.add(0, photograph(800, 600))
        writer.add(1, photograph(64, 64))
    kept = Thumbnails(tmp_path)
    assert kept.read(0, SIDE) is not None and kept.read(0, SIDE + 1) is None
    assert Image.open(io.BytesIO(kept.read(1, 1024))).size == (64, 64)


def test_a_pass_that_failed_leaves_no_index(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="midway"), ThumbnailWriter(tmp_path, WHOLE) as writer:
        writer.add(0, photograph(80, 80))
        raise ValueError("midway")
    assert Thumbnails.find(tmp_path) is None


def test_packs_of_parts_are_joined(tmp_path: Path) -> None:
    parts = []
    for start in (100, 0):
        folder = tmp_path / str(start)
        folder.mkdir()
        with ThumbnailWriter(folder, WHOLE) as writer:
            for row in (start + 40, start + 20):
                writer.add(row, photograph(90, 90, row))
        parts.append(folder)
    thumbnails.merge(parts, tmp_path)
    kept = Thumbnails(tmp_path)
    assert [colour_of(kept.read(row, 90)) for row in (20, 40, 120, 140)] == pytest.approx([20, 40, 120, 140], abs=2)


def test_parts_without_a_pack_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    thumbnails.merge([tmp_path / "part"], tmp_path)
    assert Thumbnails.find(tmp_path) is None
