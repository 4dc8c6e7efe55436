"""Automatic feature reweighting: images the reference model is unsure of weigh more.

Qiu, Potapczynski, Izmailov, Wilson, "Simple and Fast Group Robustness by Automatic Feature Reweighting", ICML 2023: ERM
on 80 % of train; on the rest w_i = exp(-gamma p_i[y_i]) n_0 / n_y, divided by their sum; the head moves from where it
was by full-batch gradient descent, its gradient clipped to norm 1, with lambda |change|^2. Theirs: learning rate 0.01,
500 steps, gamma 4 to 20, lambda 0 to 0.3 (Waterbirds); 0.02, 1,000 steps, gamma 1 to 3, lambda 0.001 to 0.1 (CelebA).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from slim_core.parameters import Config, Display
from slim_core.training.last_layer.refit import (
    Floats,
    GammaGrid,
    Grid,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    worst_and_average,
)

_LOOK_EVERY = 10  # steps between two looks at the weighted accuracy


class AfrOptions(Config):
    """Its hyper-parameters; one of each list is chosen by the worst class."""

    gammas: GammaGrid = Field(
        default=(4.0, 7.0, 10.0, 15.0, 20.0), title="Gamma", description="Weights of uncertain images that are tried."
    )
    penalties: Grid = Field(
        default=(0.0, 0.1, 0.3), title="Lambda", description="Penalties on leaving the old layer that are tried."
    )
    lr: Annotated[float, Display(step=1e-3)] = Field(
        default=0.01, gt=0, title="Learning rate", description="Of full-batch gradient descent."
    )
    steps: int = Field(default=500, ge=1, le=100_000, title="Steps", description="Of gradient descent.")


class Afr(Refit):
    """Weights from the reference's own predictions; gamma and lambda by the worst class of images not fitted."""

    label = "Automatic feature reweighting (AFR)"
    Options = AfrOptions

    def fit(self, data: RefitData) -> Layer:
        """For each gamma and lambda the step of the largest weighted accuracy on the images chosen by."""
        to_fit, to_choose = data.parts(self.seed)
        images = data.fitted.take(to_fit)
        tried = (
            self._descend(data, images, to_choose, gamma, penalty)
            for gamma in self.options["gammas"]
            for penalty in self.options["penalties"]
        )
        return max(tried, key=lambda layer: worst_and_average(layer.predict(to_choose.features), to_choose))

    def _descend(
        self, data: RefitData, images: PooledImages, to_choose: PooledImages, gamma: float, penalty: float
    ) -> Layer:
        import torch

        from slim_core.models import eager
        from slim_core.training.last_layer.gradient import as_layer, as_module, as_tensor

        X, labels = as_tensor(images.features), torch.from_numpy(images.labels)
        weights = as_tensor(sample_weights(data.layer, images, gamma))
        weighs = sample_weights(data.layer, to_choose, gamma)
        net, start = as_module(data.layer), [each.detach().clone() for each in as_module(data.layer).parameters()]
        optimizer = eager.SGD(net.parameters(), lr=self.options["lr"])
        best, highest = data.layer, -1.0
        for step in range(1, self.options["steps"] + 1):
            optimizer.zero_grad()
            loss = weights @ torch.nn.functional.cross_entropy(net(X), labels, reduction="none")
            moved = [(now - old).square().sum() for now, old in zip(net.parameters(), start, strict=True)]
            (loss + penalty * torch.stack(moved).sum()).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            if step % _LOOK_EVERY == 0 or step == self.options["steps"]:
                data.check_stop()
                layer = as_layer(net)
                accuracy = float(weighs @ (layer.predict(to_choose.features) == to_choose.labels))
                if accuracy > highest:
                    best, highest = layer, accuracy
        return best


def sample_weights(layer: Layer, images: PooledImages, gamma: float) -> Floats:
    """(n,) with sum 1: exp(-gamma p[y]) n_0 / n_y, p the probabilities of the layer, n_y the images of the class."""
    counts = images.times
    of_class = np.bincount(images.labels, weights=counts)
    weights = counts * np.exp(-gamma * layer.of_labels(images)) / of_class[images.labels]
    shares: Floats = weights / weights.sum()
    return shares
