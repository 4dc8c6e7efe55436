"""Thumbnails: written by the worker in any order, read one at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slim_core.attention import thumbnails
from slim_core.attention.thumbnails import DRAFTS, SIDE, Thumbnails, ThumbnailWriter
from slim_core.data.images.codec import ImageTransform
from slim_core.result_files import THUMBNAIL_INDEX, THUMBNAILS

WHOLE = ImageTransform(resize_ratio=1.0)


def photograph(width: int, height: int, red: int = 200) -> Image.Image:
    """One colour, of its own for each row, so that mixed-up pictures are noticed."""
    return Image.new("RGB", (width, height), (red, 255 - red, 40))


def pack(folder: Path, images: Mapping[int, Image.Image], transform: ImageTransform = WHOLE) -> Thumbnails:
    folder.mkdir(exist_ok=True)
    with ThumbnailWriter(folder, transform) as writer:
        for row, image in images.items():
            writer.add(row, image)
        writer.publish(folder)
    return Thumbnails(folder)


def red_of(content: bytes | None) -> int:
    assert content is not None
    return int(np.asarray(Image.open(io.BytesIO(content)))[..., 0].mean().round())


def test_each_row_gets_its_own_picture_however_the_threads_finish(tmp_path: Path) -> None:
    rows = list(range(0, 250, 5))
    with ThumbnailWriter(tmp_path, WHOLE) as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: writer.add(row, photograph(300, 200, row)), reversed(rows)))
        writer.publish(tmp_path)
    kept = Thumbnails.find(tmp_path)
    assert kept is not None and len(kept) == len(rows)
    assert [red_of(kept.read(row, 96)) for row in rows] == pytest.approx(rows, abs=2)
    assert kept.read(3, 96) is None
    assert kept.read(1000, 96) is None


def test_the_same_pictures_make_the_same_file_in_whatever_order_they_came(tmp_path: Path) -> None:
    images = {row: photograph(90, 90, row) for row in range(0, 200, 10)}
    pack(tmp_path / "a", images)
    pack(tmp_path / "b", dict(reversed(images.items())))
    assert (tmp_path / "a" / THUMBNAILS).read_bytes() == (tmp_path / "b" / THUMBNAILS).read_bytes()


def test_a_picture_is_the_square_the_network_sees(tmp_path: Path) -> None:
    image = photograph(700, 350)
    image.paste((0, 0, 0), (0, 0, 190, 350))  # outside the centre crop of resize ratio 8/7 (left edge at 197 px)
    picture = Image.open(io.BytesIO(pack(tmp_path, {0: image}, ImageTransform()).read(0, SIDE) or b""))
    assert picture.size == (SIDE, SIDE)
    assert np.asarray(picture)[..., 0].min() > 150


def test_a_larger_picture_than_is_kept_is_left_to_the_file_but_a_small_image_is_kept_whole(tmp_path: Path) -> None:
    kept = pack(tmp_path, {0: photograph(800, 600), 1: photograph(64, 64)})
    assert kept.read(0, SIDE) is not None and kept.read(0, SIDE + 1) is None
    assert Image.open(io.BytesIO(kept.read(1, 1024) or b"")).size == (64, 64)


def test_an_interrupted_pass_goes_on_behind_the_last_whole_picture(tmp_path: Path) -> None:
    with ThumbnailWriter(tmp_path, WHOLE) as writer:
        writer.add(20, photograph(90, 90, 20))
        writer.add(40, photograph(90, 90, 40))
    (left,) = tmp_path.glob(DRAFTS)
    os.truncate(left, left.stat().st_size - 5)  # killed while it wrote the second one
    assert Thumbnails.find(tmp_path) is None
    kept = pack(tmp_path, {60: photograph(90, 90, 60)})
    assert [red_of(kept.read(row, 90)) for row in (20, 60)] == pytest.approx([20, 60], abs=2)
    assert kept.read(40, 90) is None


def test_two_attempts_on_one_checkpoint_folder_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with ThumbnailWriter(tmp_path, WHOLE) as old:
        for row in (0, 20, 40):
            old.add(row, photograph(90, 90, row))
        with ThumbnailWriter(tmp_path, WHOLE) as new:  # it resumes behind row 40, while the old one goes on
            for row in (60, 80):
                old.add(row, photograph(90, 90, row))
                new.add(row, photograph(60, 60, row + 5))
            new.add(100, photograph(90, 90, 100))
            new.publish(tmp_path / "new")
        old.add(100, photograph(90, 90, 100))
        old.publish(tmp_path / "old")
    kept = Thumbnails(tmp_path / "new")
    reds = [red_of(kept.read(row, 60)) for row in (0, 20, 40, 60, 80, 100)]
    assert len(kept) == 6 and reds == pytest.approx([0, 20, 40, 65, 85, 100], abs=2)
    theirs = Thumbnails(tmp_path / "old")
    reds = [red_of(theirs.read(row, 60)) for row in (0, 20, 40, 60, 80, 100)]
    assert len(theirs) == 6 and reds == pytest.approx([0, 20, 40, 60, 80, 100], abs=2)


def test_the_packs_of_parts_are_joined_into_the_pack_of_the_whole(tmp_path: Path) -> None:
    images = {row: photograph(90, 90, row) for row in (20, 40, 120, 140)}
    pack(tmp_path / "a", {row: images[row] for row in (40, 20)})
    pack(tmp_path / "b", {row: images[row] for row in (120, 140)})
    pack(tmp_path / "whole", images)
    thumbnails.merge([tmp_path / "a", tmp_path / "b"], tmp_path)
    assert [red_of(Thumbnails(tmp_path).read(row, 90)) for row in images] == pytest.approx(list(images), abs=2)
    for name in (THUMBNAILS, THUMBNAIL_INDEX):
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_parts_without_a_pack_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    thumbnails.merge([tmp_path / "part"], tmp_path)
    assert Thumbnails.find(tmp_path) is None
