"""Answers in the loss: attention stays where people called it right, and leaves where they called it wrong.

After CRAYON (IEEE BigData 2024). For an answered image, E0 is the map of the model that people were shown and E that
of the model under training: Grad-CAM maps of the true class, each divided by its maximum. Right: sum(E (1 - E0)) /
sum(1 - E0), the attention outside of where it was. Wrong: sum(E E0) / sum(E0), the attention inside.
loss = cross-entropy + a mean(right) + b mean(wrong). (METHOD section 4, "Answers in the loss".)

Answered images are seen beside each batch, whether they are trained on or not, and enter these two terms alone. Both
models see the same crop and flip of them. The model under training sees them together with its batch, in training mode:
in evaluation mode the gradient would pass through running statistics that lag behind (docs/decisions/0013).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display
from slim_core.training.answers import AnswerSource
from slim_core.training.objectives.erm import Erm
from slim_core.training.objectives.objective import Batch, ExtraImages, TrainContext

if TYPE_CHECKING:
    from torch import Tensor

    from slim_core.data.images.transform import ImageTransform
    from slim_core.models.model import Model

LEAST = 1e-6  # a map whose maximum is below this is no evidence of anything


class AnsweredAttentionOptions(AnswerSource):
    """Whose answers, and how much they count."""

    right_weight: Annotated[float, Display(step=0.1)] = Field(
        default=1.0, ge=0, le=1e4, title="Weight of right", description="Of the images whose attention is right (a)."
    )
    wrong_weight: Annotated[float, Display(step=0.1)] = Field(
        default=0.0, ge=0, le=1e4, title="Weight of wrong", description="Of the images whose attention is wrong (b)."
    )
    images_a_step: Annotated[int, Display(place="more")] = Field(
        default=8,
        ge=1,
        le=1024,
        title="Answered images a step",
        description="How many images of each answer a step sees beside its batch.",
    )
    propagated_above: Annotated[float | None, Display(step=0.05, place="more", default="never")] = Field(
        default=None,
        ge=0.5,
        le=1,
        title="Propagated above",
        description="Images without an answer count too from this propagated score of right, or of wrong, on.",
    )


class AnsweredAttention(Erm):
    """Cross-entropy, and the attention of answered images."""

    label = "Cross-entropy and answered attention (uses answers)"
    Options = AnsweredAttentionOptions
    labels_used = "answers"
    adds_up = False
    if_it_diverges = "take a smaller rate, or smaller right_weight and wrong_weight"

    def __init__(self, context: TrainContext) -> None:
        import torch

        super().__init__(context)
        self.model, self.reference = _both_models(context)
        assert context.answered is not None
        above = context.options["propagated_above"]
        right, wrong = context.answered.right(above), context.answered.wrong(above)
        self._right = torch.from_numpy(right).to(context.group_counts.device)
        self._weights = {True: context.options["right_weight"], False: context.options["wrong_weight"]}
        self._seen = [(kind, rows) for kind, rows in ((True, right), (False, wrong)) if self._weights[kind]]

    @classmethod
    def answers(cls, options: Mapping[str, Any]) -> AnswerSource:
        """Those of its campaign."""
        return AnswerSource.among(options)

    def extra(self, epoch: int, step: int) -> np.ndarray:
        """The next images of each answer, in an order that (seed, epoch) decide and that starts again at its end."""
        parts = [self._next(rows, int(kind), epoch, step) for kind, rows in self._seen]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _next(self, rows: np.ndarray, kind: int, epoch: int, step: int) -> np.ndarray:
        order = np.random.default_rng([self.context.seed, epoch, kind]).permutation(rows)
        n = min(self.context.options["images_a_step"], len(rows))
        return np.asarray(np.roll(order, -step * n)[:n], np.int64)

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the batch, plus the weighted means of both terms over the images beside it."""
        loss = super().loss(batch)
        return loss if batch.extra is None else loss + self._of_attention(batch.extra)

    def _of_attention(self, images: ExtraImages) -> Tensor:
        import torch

        from slim_core.models.forward_maps import class_maps, forward_maps

        assert self.model.head is not None
        with torch.no_grad():
            before = scaled(forward_maps(self.reference, images.inputs, images.labels))  # E0 (M, U, V)
        now = scaled(class_maps(images.activations, self.model.head.weight.float()[images.labels]))  # E (M, U, V)
        is_right, has_evidence = torch.isin(images.rows, self._right), before.amax((1, 2)) > 0
        right = mean_over(outside(now, before), is_right & has_evidence)
        wrong = mean_over(inside(now, before), ~is_right & has_evidence)
        weighted: Tensor = self._weights[True] * right + self._weights[False] * wrong
        return weighted


def scaled(S: Tensor) -> Tensor:
    """Each map (M, U, V) divided by its maximum; one without evidence stays zero."""
    return S / S.amax((1, 2), keepdim=True).clamp(min=LEAST)


def outside(E: Tensor, E0: Tensor) -> Tensor:
    """(M,) sum(E (1 - E0)) / sum(1 - E0)."""
    return (E * (1 - E0)).sum((1, 2)) / (1 - E0).sum((1, 2)).clamp(min=LEAST)


def inside(E: Tensor, E0: Tensor) -> Tensor:
    """(M,) sum(E E0) / sum(E0)."""
    return (E * E0).sum((1, 2)) / E0.sum((1, 2)).clamp(min=LEAST)


def mean_over(terms: Tensor, which: Tensor) -> Tensor:
    """Mean of the terms (M,) at a mask (M,); 0 where it is empty."""
    return terms[which].sum() / which.sum().clamp(min=1)


def _both_models(context: TrainContext) -> tuple[Model, Model]:
    """The model under training, and the frozen one that people were shown.

    Raises:
        SpecRefusedError: they are of different networks or image sizes, or have no map that comes with the forward
            pass.
    """
    if context.model is None or context.answered is None or context.answered.model is None:
        raise SpecRefusedError(
            "The objective answered-attention needs answers: give TrainData.answered with its model."
        )
    model, reference = context.model, context.answered.model
    if model.name != reference.name:
        raise other_network(reference.name, model.name)
    require_same_images(model.name, reference.transform, model.transform.to_json())
    if not model.pools_linearly:
        raise no_forward_map(model.name)
    reference.net.to(context.group_counts.device).requires_grad_(False)
    return model, reference


def require_same_images(model: str, shown: ImageTransform, trained: Mapping[str, Any]) -> None:
    """Refuse to train a network on images that it sees otherwise than when people were asked about its attention.

    ``trained``: fields of its transform, those that are known.

    Raises:
        SpecRefusedError: a field differs from that of the model that was shown.
    """
    for field, value in trained.items():
        if value != (before := getattr(shown, field)):
            at_first, now = (_OF_IMAGES[field].format(_in_words(one)) for one in (before, value))
            raise other_network(f"{model} {at_first}", f"{model} {now}")


_OF_IMAGES = {  # field of an ImageTransform -> behind the name of a network
    "size": "at {} px",
    "resize_ratio": "at a resize ratio of {}",
    "mean": "with a mean of {}",
    "std": "with a standard deviation of {}",
}


def _in_words(value: float | tuple[float, ...]) -> str:
    return ", ".join(f"{one:g}" for one in (value if isinstance(value, tuple) else (value,)))


def other_network(shown: str, trained: str) -> SpecRefusedError:
    return SpecRefusedError(
        f"The answers are about the attention of {shown}, but {trained} is trained: train the same network, or answer "
        f"about this one."
    )


def no_forward_map(trained: str) -> SpecRefusedError:
    return SpecRefusedError(
        f"{trained} has no attention map that comes with the forward pass (its last layer is not linear on the mean of "
        f"a map), so answers cannot enter its loss: choose another objective, or another network."
    )
