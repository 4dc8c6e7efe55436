import numpy as np

from slim_core.data.images.heat import HEAT_COLOURS, LEAST_OPAQUE, coloured, heat_map, minmax, overlay, veil


def gradient(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 128)], axis=2).astype(np.uint8)


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
