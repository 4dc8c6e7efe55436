"""Random changes of training images: what each kind does, and that a part of a batch is changed as in the whole."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from slim_core.data.images.codec import ImageTransform
from slim_core.training.config import Augmentation
from slim_core.training.stepper import Drawn, augment, draw

N = 64


def transform(size):
    return ImageTransform(size=size, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))


def drawn(kind, size, seed=0):
    return draw(kind, N, size, torch.Generator().manual_seed(seed))


def augmented(size, seed=0, kind="crops-flips"):
    ramp = torch.arange(size).float().expand(N, 3, size, size).contiguous()  # brightness = column
    return augment(ramp, drawn(kind, size, seed), transform(size))


@pytest.mark.parametrize("size", [64, 128])
def test_augmentation_flips_half_and_depends_on_its_generator_alone(size):
    images = augmented(size)
    rising = (images[:, 0, 0, -1] > images[:, 0, 0, 0]).float().mean().item()
    assert images.shape == (N, 3, size, size) and 0.25 < rising < 0.75
    assert torch.equal(images, augmented(size)) and not torch.equal(images, augmented(size, seed=1))


def test_small_images_are_shifted_by_at_most_an_eighth():
    images = augmented(64)
    middle = images[:, 0, 0, 31:33].mean(1)
    assert (middle - 31.5).abs().max() <= 8 and (middle - 31.5).abs().max() >= 6


def test_large_images_keep_between_70_and_100_percent_of_their_area():
    images = augmented(128)
    width = (images[:, 0, 0, 96] - images[:, 0, 0, 32]).abs() / 64  # share of the width kept
    assert width.max() <= 1.001 and width.min() >= 0.7 * 0.75
    assert width.std() > 0.02


@pytest.mark.parametrize("size", [64, 128])
def test_crops_alone_mirror_nothing_and_flips_alone_move_nothing(size):
    crops, flips = augmented(size, kind="crops"), augmented(size, kind="flips")
    assert (crops[:, 0, 0, -1] > crops[:, 0, 0, 0]).all()
    ramp = torch.arange(size).float()
    is_mirrored = flips[:, 0, 0, 0] > 0
    assert 0.25 < is_mirrored.float().mean() < 0.75
    assert torch.equal(flips[is_mirrored], ramp.flip(0).expand(int(is_mirrored.sum()), 3, size, size))
    assert torch.equal(flips[~is_mirrored], ramp.expand(int((~is_mirrored).sum()), 3, size, size))


@pytest.mark.parametrize("kind", [kind for kind in get_args(Augmentation) if kind != "none"])
@pytest.mark.parametrize("size", [32, 128])
def test_a_part_of_a_batch_is_changed_as_it_is_in_the_whole(kind, size):
    images = torch.randn(N, 3, size, size, generator=torch.Generator().manual_seed(1))
    made = drawn(kind, size)
    whole = augment(images, made, transform(size))
    parts = [augment(images[part], made[part], transform(size)) for part in (slice(0, 5), slice(5, N))]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-6)
    assert not torch.allclose(whole, images)


def colours(brightness=1.0, contrast=1.0, saturation=1.0):
    return Drawn(colours=torch.tensor([[brightness, contrast, saturation]]))


def test_colours_are_brightness_contrast_and_saturation_of_the_pixels():
    about = transform(8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (about.mean, about.std))
    pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2)) / 2
    images = (pixels - mean) / std

    def changed(**factors):
        return augment(images, colours(**factors), about) * std + mean

    assert torch.allclose(changed(), pixels, atol=1e-6)
    assert torch.allclose(changed(brightness=1.3), 1.3 * pixels, atol=1e-6)
    grey = (pixels * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert torch.allclose(changed(contrast=0.0), grey.mean().expand(1, 3, 8, 8), atol=1e-6)
    assert torch.allclose(changed(saturation=0.0), grey.expand(1, 3, 8, 8), atol=1e-6)
    assert changed(brightness=9.0).max() <= 1 + 1e-6
