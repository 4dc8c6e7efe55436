"""A problem with a known answer: few features tell the class, many the attribute, which often agrees with it."""

from __future__ import annotations

import numpy as np

from slim_core.training.last_layer import Layer, PooledImages, RefitData

K, N_CORE = 20, 3
NAMES = ("landbird", "waterbird")
GROUP_NAMES = tuple(f"{label}, {place}" for label in NAMES for place in ("land", "water"))


def images(n: int, agreement: float, seed: int) -> PooledImages:
    """n images: 3 features tell the class, the other 17 the attribute; groups 2 y + a."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    attributes = np.where(random.random(n) < agreement, labels, 1 - labels)
    signs = np.where(np.arange(K) < N_CORE, 2 * labels[:, None] - 1, 2 * attributes[:, None] - 1)
    features = signs + random.normal(0, 0.6, (n, K))
    return PooledImages(features.astype(np.float32), labels, groups=2 * labels + attributes)


def ungrouped(found: PooledImages) -> PooledImages:
    """As a method gets them that uses no group labels."""
    return PooledImages(found.features, found.labels, found.counts)


def reference() -> Layer:
    """A layer that ERM on agreeing images comes to: every feature counts the same, so that the shortcut wins."""
    weight = np.full(K, 0.1)
    return Layer(np.stack([-weight, weight]), np.zeros(2))


def given(fitted: PooledImages, val: PooledImages | None = None, **more: object) -> RefitData:
    """What a refit of the reference gets; without ``val`` it chooses on a half of the fitted images."""
    none = PooledImages(np.empty((0, K), np.float32), np.empty(0, np.int64))
    return RefitData(fitted, none if val is None else val, reference(), NAMES, GROUP_NAMES, **more)  # type: ignore[arg-type]


def worst_group(layer: Layer) -> float:
    """On images of which half agree."""
    test = images(4000, 0.5, 99)
    right = layer.predict(test.features) == test.labels
    assert test.groups is not None
    return min(float(right[test.groups == group].mean()) for group in range(4))
