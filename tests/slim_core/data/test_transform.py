import numpy as np
from PIL import Image

from slim_core.data.images.codec import ImageTransform, load_picture, load_pixels

PLAIN = ImageTransform(size=24, resize_ratio=1)


def gradient(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 128)], axis=2).astype(np.uint8)


def test_a_picture_to_look_at_is_nearly_what_the_network_sees(tmp_path):
    Image.fromarray(gradient(1200, 900)).save(tmp_path / "large.jpg", quality=95)
    transform = ImageTransform(size=96)
    seen, shown = (load(tmp_path / "large.jpg", transform).astype(int) for load in (load_pixels, load_picture))
    assert shown.shape == (96, 96, 3)
    assert np.abs(seen - shown).mean() < 4


def test_the_transform_resizes_the_shorter_side_and_crops_the_middle():
    tall = Image.fromarray(gradient(60, 120))
    fitted = ImageTransform(size=28, resize_ratio=8 / 7).fit(tall, Image.Resampling.BILINEAR)
    by_hand = tall.resize((32, 64), Image.Resampling.BILINEAR).crop((2, 18, 30, 46))
    assert np.array_equal(np.asarray(fitted), np.asarray(by_hand))


def test_the_transform_leaves_an_image_of_its_size_untouched(tmp_path):
    pixels = gradient(24, 24)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(load_pixels(tmp_path / "a.png", PLAIN), pixels)


def test_a_transform_comes_back_from_json():
    assert ImageTransform.from_json(ImageTransform(64, 1.0).to_json()) == ImageTransform(64, 1.0)
