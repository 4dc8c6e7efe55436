"""Images: decoded safely, seen by one geometry, with their masks and heat maps."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from slim_core.data.images import codec
from slim_core.data.images.codec import (
    ImageTransform,
    box_mask,
    encode,
    image_header,
    image_size,
    load_picture,
    load_pixels,
    open_image,
    orientation_of,
)
from slim_core.data.images.heat import HEAT_COLOURS, LEAST_OPAQUE, coloured, heat_map, minmax, overlay, veil
from slim_core.data.table import load_mask
from slim_core.errors import ImageRefusedError
from slim_core.settings import Settings
from tests.refusals import refusal


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_huge_header(path, side=10_000):
    """A PNG of a few bytes that promises side x side pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))


def gradient(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 128)], axis=2).astype(np.uint8)


def test_an_image_is_decoded_to_the_pixels_it_stores(tmp_path):
    pixels = gradient(30, 20)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), pixels)
    assert image_size(tmp_path / "a.png") == (30, 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_is_read_with_the_header(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Canon", orientation
    Image.fromarray(gradient(30, 20)).save(tmp_path / "a", kind, exif=exif)
    assert image_header(tmp_path / "a") == (30, 20, orientation)
    assert orientation_of(open_image(tmp_path / "a")) == orientation


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0MM", b"II*\0\xff\xff\xff\xff", b"garbage" * 9, "a text", None])
def test_an_exif_that_says_nothing_legible_is_none(exif):
    image = Image.new("RGB", (8, 6))
    image.info["exif"] = exif
    assert orientation_of(image) == 1


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_usual_mode_becomes_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(gradient(30, 20)).convert(mode).save(tmp_path / f"a.{suffix}")
    assert open_image(tmp_path / f"a.{suffix}").mode == "RGB"


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    Image.fromarray(np.full((4, 4), 257 * 100, np.uint16)).save(tmp_path / "a.png")
    assert np.unique(np.asarray(open_image(tmp_path / "a.png"))).tolist() == [100]


@pytest.mark.parametrize(("low", "high"), [(-1000, 3000), (0, 70_000)])  # a CT, and counts of a detector
def test_numbers_that_are_no_brightness_are_refused_and_do_not_wrap_round(tmp_path, low, high):
    Image.fromarray(np.linspace(low, high, 64, dtype=np.int32).reshape(8, 8)).save(tmp_path / "a.tif")
    with pytest.raises(ImageRefusedError, match=f"a.tif holds numbers from {low} to {high}, not brightness"):
        open_image(tmp_path / "a.tif")


def test_a_palette_with_transparent_bytes_is_read_without_a_warning(tmp_path):
    image = Image.fromarray(gradient(30, 20)).convert("P")
    image.save(tmp_path / "a.png", transparency=bytes(range(256)))
    assert open_image(tmp_path / "a.png").mode == "RGB"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
def test_a_truncated_image_is_refused_by_name(tmp_path, suffix):
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(ImageRefusedError, match=rf"cut\.{suffix} .*replace the file"):
        open_image(path)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "replace the file"),
        (b"<html>404 not found</html>", "page and not an image, .* download it"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "replace the file"),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path, content, remedy):
    (tmp_path / "page.png").write_bytes(content)
    with pytest.raises(ImageRefusedError, match=rf"page\.png .*{remedy}"):
        open_image(tmp_path / "page.png")


def test_a_file_with_random_damage_is_read_or_refused_and_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    whole = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(whole, "PNG")
    path = tmp_path / "damaged.png"
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole.getvalue())
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            open_image(path)
        except ImageRefusedError:
            refused += 1
    assert refused > 50


def test_an_image_of_100_megapixels_is_refused_by_its_header(tmp_path):
    write_huge_header(tmp_path / "huge.png")
    with pytest.raises(ImageRefusedError, match="huge\\.png has 10000 x 10000 = 100"):
        open_image(tmp_path / "huge.png")


@pytest.mark.parametrize("system", ["says where an open file lies", "does not"])
def test_an_image_outside_the_allowed_folders_is_not_read_whatever_the_system_says(tmp_path, monkeypatch, system):
    (tmp_path / "inside").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "outside.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "inside" / "real.png")
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "outside.png")
    monkeypatch.setattr(
        "slim_core.data.images.codec.settings", lambda: Settings(home=tmp_path / "inside", data_roots=())
    )
    if system == "does not":
        monkeypatch.setattr("slim_core.data.images.codec._real_path", lambda _: "")
    assert open_image(tmp_path / "inside" / "real.png").size == (4, 4)
    for path in (tmp_path / "outside.png", tmp_path / "inside" / "link.png"):
        with pytest.raises(ImageRefusedError, match="outside the allowed"):
            open_image(path)


def test_an_image_may_have_as_many_pixels_as_the_limit_and_no_more(tmp_path, monkeypatch):
    Image.fromarray(gradient(30, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(codec, "MAX_PIXELS", 599)
    with refusal(ImageRefusedError, tmp_path / "a.png", "30 x 20"):
        open_image(tmp_path / "a.png")
    monkeypatch.setattr(codec, "MAX_PIXELS", 600)
    assert open_image(tmp_path / "a.png").size == (30, 20)


@pytest.mark.parametrize("format", ["webp", "jpeg", "png"])
def test_pixels_are_encoded_as_a_file_of_the_asked_form(format):
    image = Image.open(io.BytesIO(encode(gradient(8, 6), format, 90)))
    assert (image.format, image.size) == (format.upper(), (8, 6))


PLAIN = ImageTransform(size=24, resize_ratio=1)


def test_a_picture_to_look_at_is_nearly_what_the_network_sees(tmp_path):
    Image.fromarray(gradient(1200, 900)).save(tmp_path / "large.jpg", quality=95)
    transform = ImageTransform(size=96)
    seen, shown = (load(tmp_path / "large.jpg", transform).astype(int) for load in (load_pixels, load_picture))
    assert shown.shape == (96, 96, 3)
    assert np.abs(seen - shown).mean() < 4


def test_the_transform_resizes_the_shorter_side_and_crops_the_middle():
    tall = Image.fromarray(gradient(60, 120))
    fitted = ImageTransform(size=28, resize_ratio=8 / 7).seen(tall)
    by_hand = tall.resize((32, 64), Image.Resampling.BILINEAR).crop((2, 18, 30, 46))
    assert np.array_equal(np.asarray(fitted), np.asarray(by_hand))


def test_the_transform_leaves_an_image_of_its_size_untouched(tmp_path):
    pixels = gradient(24, 24)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(load_pixels(tmp_path / "a.png", PLAIN), pixels)


def test_a_transform_comes_back_from_json():
    assert ImageTransform.from_json(ImageTransform(64, 1.0).to_json()) == ImageTransform(64, 1.0)


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


def test_minmax_of_a_constant_is_zero_and_not_nan():
    assert minmax(np.full((3, 3), 7.0)).tolist() == np.zeros((3, 3)).tolist()
    assert minmax(np.array([2, 4, 3], np.float16)).tolist() == [0, 1, 0.5]


def test_a_heat_map_equals_torchs_bilinear_resize_and_spans_0_to_1():
    import torch

    raw = np.random.default_rng(0).random((7, 7)).astype(np.float32)
    heat = heat_map(raw, 224)
    resized = torch.nn.functional.interpolate(torch.tensor(raw)[None, None], size=(224, 224), mode="bilinear")
    assert (heat.min(), heat.max(), heat.dtype) == (0, 1, np.float32)
    assert np.abs(heat - minmax(resized[0, 0].numpy())).max() < 1e-5


def test_an_overlay_mixes_image_and_colour_by_its_opacity():
    pixels, heat = gradient(8, 6), np.ones((6, 8))
    assert np.array_equal(overlay(pixels, heat, 0), pixels)
    assert np.array_equal(overlay(pixels, heat, 1)[0, 0], np.rint(HEAT_COLOURS[255]))
    assert overlay(pixels, heat, 0.5).dtype == np.uint8


def test_a_picture_stays_visible_where_there_is_little_attention():
    pixels, heat = np.full((4, 256, 3), 200, np.uint8), np.tile(np.linspace(0, 1, 256), (4, 1))
    over = veil(heat)
    assert over.shape == (4, 256, 4) and np.array_equal(over[..., :3], coloured(heat))
    assert over[0, 0, 3] == round(255 * LEAST_OPAQUE) and over[0, -1, 3] == 255
    assert (np.diff(over[0, :, 3].astype(int)) >= 0).all()
    assert overlay(pixels, heat)[0, 0].min() > 170, "hardly darkened where there is none"
    assert np.abs(overlay(pixels, heat, 0.7)[0, -1] - (0.3 * 200 + 0.7 * HEAT_COLOURS[255])).max() <= 1


def test_the_heat_colours_grow_steadily_lighter():
    luminance = HEAT_COLOURS @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > 0).all()
