"""The one geometry of images, masks and maps: what is cropped, padded or squeezed, and where it lies on the image."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from slim_core.data.images.codec import (
    FITS,
    LONGEST_SIDES,
    Fit,
    ImageTransform,
    load_picture,
    load_pixels,
)
from slim_core.data.images.heat import heat_map, map_overlay
from slim_core.data.table import BOX_COLUMNS, ImageTable, load_mask

SIZES = [(1, 1), (1, 5_000), (5_000, 1), (3, 1_000), (97, 96), (96, 97), (128, 80), (64, 64), (300, 100), (333, 777)]
TRANSFORMS = [ImageTransform(), ImageTransform(64, 1.0), ImageTransform(33, 1.25), ImageTransform(100, 1.01)]


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(width * height).integers(0, 256, shape, np.uint8))


def cropped_before(image: Image.Image, size: int, ratio: float) -> Image.Image:
    """As every model saw images before there was a choice, written out."""
    short, (width, height) = round(size * ratio), image.size
    longest = LONGEST_SIDES * min(width, height)
    if max(width, height) > longest:
        left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
        image = image.crop((left, top, width - left, height - top))
        width, height = image.size
    scale = short / min(width, height)
    target = (max(short, round(width * scale)), max(short, round(height * scale)))
    resized = image if target == image.size else image.resize(target, Image.Resampling.BILINEAR)
    left, top = (target[0] - size) // 2, (target[1] - size) // 2
    return resized.crop((left, top, left + size, top + size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_has_the_bits_it_always_had(size, channels) -> None:
    for transform in TRANSFORMS:
        image = noise(*size, channels)
        wanted = cropped_before(image, transform.size, transform.resize_ratio)
        assert np.array_equal(np.asarray(transform.seen(image)), np.asarray(wanted))


def test_each_fit_has_a_label() -> None:
    assert set(FITS) == set(get_args(Fit)) and ImageTransform().fit == "crop"


sides, fits = st.integers(1, 400), st.sampled_from(tuple(FITS))
transforms = st.builds(ImageTransform, size=st.integers(8, 96), resize_ratio=st.floats(1, 2, allow_nan=False), fit=fits)


@given(sides, sides, transforms, st.floats(0, 1), st.floats(0, 1))
def test_a_point_comes_back_and_a_frame_is_in_the_middle(width, height, transform, x, y) -> None:
    frame = transform.frame((width, height))
    assert frame.to_image(*frame.to_seen(x * width, y * height)) == pytest.approx((x * width, y * height), abs=1e-6)
    pixel = 1.01 * max(width, height) / transform.size, 1.01 * max(width, height) / transform.size
    assert frame.to_image(0.5, 0.5) == pytest.approx((width / 2, height / 2), abs=max(1.0, *pixel))
    left, top, right, bottom = frame.in_seen
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    whole = frame.on_image == pytest.approx((0, 0, width, height))
    assert whole if transform.fit != "crop" else (left, top, right, bottom) == pytest.approx((0, 0, 1, 1))


@given(st.integers(24, 400), st.integers(24, 400), transforms, st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_what_is_in_the_image_is_seen_where_the_frame_says(width, height, transform, x, y) -> None:
    """A bright square, so large that it survives the resizing, wholly inside what is seen."""
    side = max(4, max(width, height) // 8)
    pixels = np.zeros((height, width), np.uint8)
    left, top = int(x * (width - 1)), int(y * (height - 1))
    pixels[top : top + side, left : left + side] = 255
    right, bottom = min(width, left + side), min(height, top + side)
    frame = transform.frame((width, height))
    corners = (*frame.to_seen(left, top), *frame.to_seen(right, bottom))
    seen = np.asarray(transform.seen(Image.fromarray(pixels)), float)
    if min(corners) < 0.05 or max(corners) > 0.95:
        return
    down, across = (np.average(np.arange(len(seen)) + 0.5, weights=seen.sum(axis)) for axis in (1, 0))
    middle = (corners[0] + corners[2]) / 2 * len(seen), (corners[1] + corners[3]) / 2 * len(seen)
    assert (across, down) == pytest.approx(middle, abs=0.75)


def test_borders_have_the_mean_colour_and_those_of_a_mask_are_empty() -> None:
    transform = ImageTransform(60, mean=(1.0, 0.5, 0.0), fit="pad")
    seen = np.asarray(transform.seen(Image.new("RGB", (90, 30), "blue")))
    assert (seen[:20] == (255, 128, 0)).all() and (seen[40:] == (255, 128, 0)).all()
    assert (seen[20:40] == (0, 0, 255)).all()
    mask = np.asarray(transform.seen(Image.new("L", (90, 30), 255)))
    assert (mask[20:40] == 255).all() and mask.sum() == 255 * 20 * 60


def test_a_square_image_is_the_same_padded_and_squeezed() -> None:
    image = noise(50, 50)
    padded, squeezed = (ImageTransform(32, fit=fit).seen(image) for fit in ("pad", "squeeze"))
    assert padded.tobytes() == squeezed.tobytes()


BOX = (0, 40, 30, 30)  # far left of an image of 300 x 100


@pytest.fixture()
def marked(tmp_path: Path) -> ImageTable:
    """One image of 300 x 100 with a bright square far left, which is its box."""
    pixels = np.full((100, 300, 3), 20, np.uint8)
    x, y, width, height = BOX
    pixels[y : y + height, x : x + width] = 250
    Image.fromarray(pixels).save(tmp_path / "0.png")
    frame = pd.DataFrame({"path": ["0.png"], "split": ["train"], "label": [0], "attribute": [-1], "mask": [""]})
    frame[list(BOX_COLUMNS)] = [BOX]
    return ImageTable("one", tmp_path, frame, ("one",))


@pytest.mark.parametrize("fit", FITS)
def test_a_square_far_left_is_outside_a_crop_and_lies_where_its_mask_and_map_lie(marked, fit) -> None:
    transform = ImageTransform(60, resize_ratio=1.0, fit=fit)
    path = marked.image_path(0)
    seen, mask = load_pixels(path, transform)[..., 0], load_mask(marked, 0, transform)
    assert mask is not None
    if fit == "crop":
        assert seen.max() < 100 and not mask.any()
        return
    bright = seen > 135
    bright &= np.asarray(transform.seen(Image.new("L", (300, 100), 255))) > 0  # no border
    assert (bright & (mask > 0)).sum() / (bright | (mask > 0)).sum() > 0.8
    picture = load_picture(path, transform)
    assert picture.shape == (20, 60, 3)
    raw = np.asarray(Image.fromarray(mask).resize((12, 12), Image.Resampling.BOX))
    heat = transform.over_picture(heat_map(raw, 60), (60, 20))
    assert heat.shape == (20, 60)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert picture[y, x, 0] > 200, "the peak of the map is on the square"
    true = transform.over_picture(mask, (60, 20)) >= 0.5
    assert ((picture[..., 0] > 135) & true).sum() / ((picture[..., 0] > 135) | true).sum() > 0.8
    drawn = map_overlay(picture, raw, transform)
    assert drawn.shape == picture.shape


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "I;16"])
def test_no_image_is_too_long_or_too_grey(tmp_path, fit, size, mode) -> None:
    path = tmp_path / "one.png"
    (noise(*size).convert(mode) if mode != "I;16" else Image.new(mode, size, 9_000)).save(path)
    transform = ImageTransform(40, fit=fit)
    assert load_pixels(path, transform).shape == (40, 40, 3)
    height, width, _ = load_picture(path, transform).shape
    assert max(height, width) == 40 and min(height, width) >= 1
    over = transform.over_picture(np.ones((40, 40), np.float32), (width, height))
    assert over.shape == (height, width) and np.allclose(over, 1)


@pytest.mark.parametrize("fit", FITS)
def test_a_large_jpeg_and_its_map_have_one_shape(tmp_path, fit) -> None:
    """It is decoded to a part of its size, which is rounded."""
    path = tmp_path / "large.jpg"
    noise(1_003, 301).save(path)
    transform = ImageTransform(50, fit=fit)
    height, width, _ = load_picture(path, transform).shape
    assert (width, height) == transform.picture_size((1_003, 301))


@pytest.mark.parametrize("fit", FITS)
def test_a_turned_photograph_is_read_as_it_is_stored(tmp_path, fit) -> None:
    plain, turned = tmp_path / "plain.png", tmp_path / "turned.png"
    image = noise(90, 40)
    image.save(plain)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(turned, exif=exif)
    transform = ImageTransform(32, fit=fit)
    assert np.array_equal(load_pixels(plain, transform), load_pixels(turned, transform))


def test_a_model_from_before_there_was_a_choice_crops() -> None:
    plain = ImageTransform(64, fit="pad").to_json()
    assert ImageTransform.from_json(plain).fit == "pad"
    del plain["fit"]
    assert ImageTransform.from_json(plain) == ImageTransform(64)
    with pytest.raises(ValueError, match="stretch"):
        ImageTransform.from_json(plain | {"fit": "stretch"})
