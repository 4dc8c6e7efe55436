"""XRM: environments from two heads that take over each other's mistakes, then a last layer balanced over them.

Pezeshki et al., "Discovering Environments with XRM", ICML 2024, from its description: two heads, each trained on its
own random half with class-mean cross-entropy; after each step an image's label becomes what the other head predicts,
with probability (p - 1/C) C / (C - 1), p that prediction's. An image is in environment 1 if either head is wrong about
its original label. Here the heads are linear on frozen features, from zero weights, full batch, SGD 1e-2, 3,000 steps;
of several random halves those with the largest share of flipped labels are kept. The refit is DFR's, balanced over
class x environment instead of groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from slim_core.models.runtime import never_stop
from slim_core.parameters import Display
from slim_core.training.last_layer.dfr import DfrOptions
from slim_core.training.last_layer.eiil import require_two, with_environments
from slim_core.training.last_layer.logistic import fit_balanced, scale
from slim_core.training.last_layer.refit import Floats, Integers, Layer, PooledImages, Refit, RefitData

if TYPE_CHECKING:
    from torch import Tensor

_LOOK_EVERY = 50


class XrmOptions(DfrOptions):
    """Those of the two heads, and of the refit."""

    lr: Annotated[float, Display(step=1e-3)] = Field(
        default=1e-2, gt=0, title="Learning rate", description="Of the two heads, by SGD on all images at once."
    )
    steps: int = Field(default=3000, ge=1, le=1_000_000, title="Steps", description="Of the two heads.")
    trials: int = Field(
        default=3,
        ge=1,
        le=100,
        title="Halves tried",
        description="Random splits into halves; the one with the most flips is kept.",
    )


class Xrm(Refit):
    """No labels beyond the classes: environments, then a layer balanced over class x environment."""

    label = "Environments from mistakes of two heads (XRM)"
    Options = XrmOptions

    def fit(self, data: RefitData) -> Layer:
        """The penalty by the worst (class x environment) of images that are not fitted."""
        mean, std = scale(data.fitted.features)
        heads = self._heads((data.fitted.features - mean) / std, data)
        fitted, val = (mistakes(heads, (each.features - mean) / std, each.labels) for each in (data.fitted, data.val))
        require_two(fitted, "XRM")
        return fit_balanced(
            replace(data, fitted=_chosen_by(data.fitted, fitted), val=_chosen_by(data.val, val)),
            with_environments(data.fitted.labels, fitted),
            grid=self.options["c_grid"],
            n_refits=self.options["refits"],
            seed=self.seed,
        )

    def _heads(self, X: Floats, data: RefitData) -> tuple[Layer, Layer]:
        """Both heads of the trial with the largest share of flipped labels."""
        lr, steps = self.options["lr"], self.options["steps"]
        tried = [
            train_heads(X, data.fitted.labels, data.n_classes, lr, steps, [self.seed, trial], data.check_stop)
            for trial in range(self.options["trials"])
        ]
        return max(tried, key=lambda found: found[1])[0]


def mistakes(heads: tuple[Layer, Layer], X: Floats, labels: Integers) -> Integers:
    """(n,) environments: 1 where either head is wrong about standardised features (n, K)."""
    wrong: Integers = np.any([head.predict(X) != labels for head in heads], axis=0).astype(np.int64)
    return wrong


def _chosen_by(images: PooledImages, environment: Integers) -> PooledImages:
    """The images with class x environment for groups, where they have none."""
    if images.groups is not None:
        return images
    return replace(images, groups=with_environments(images.labels, environment))


def train_heads(
    X: Floats,
    labels: Integers,
    n_classes: int,
    lr: float,
    steps: int,
    seed: list[int],
    check_stop: Callable[[], None] = never_stop,
) -> tuple[tuple[Layer, Layer], float]:
    """Two heads of standardised features (n, K), each trained on a random half, and the share of flipped labels."""
    import torch

    from slim_core.models import eager
    from slim_core.training.last_layer.gradient import as_layer, as_module, as_tensor

    inputs, original = as_tensor(X), torch.from_numpy(labels)
    chance = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    in_first = torch.rand(len(original), generator=chance) < 0.5
    zero = Layer(np.zeros((n_classes, X.shape[1])), np.zeros(n_classes))
    first, second = as_module(zero), as_module(zero)
    optimizer = eager.SGD([*first.parameters(), *second.parameters()], lr=lr)
    now = original.clone()
    for step in range(steps):
        if step % _LOOK_EVERY == 0:
            check_stop()
        a, b = first(inputs), second(inputs)
        loss = class_mean_loss(a[in_first], now[in_first]) + class_mean_loss(b[~in_first], now[~in_first])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        p, others = torch.where(in_first[:, None], b, a).detach().softmax(1).max(1)
        flips = torch.rand(len(now), generator=chance) < (p - 1 / n_classes) * n_classes / (n_classes - 1)
        now = torch.where(flips, others, now)
    return (as_layer(first), as_layer(second)), float((now != original).float().mean())


def class_mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the classes that have images of their mean cross-entropy."""
    import torch

    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    n_classes = logits.shape[1]
    counts = torch.bincount(labels, minlength=n_classes)
    return (losses / counts[labels]).sum() / (counts > 0).sum()
