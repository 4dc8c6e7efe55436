"""The evaluation of a model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from slim_core.attention.config import TargetLayer
from slim_core.data.table import Split
from slim_core.parameters import Display
from slim_core.steps.specs.spec import DRAWN, FOLDED, NAMED, QueueName, Spec


class EvaluateSpec(Spec):
    """Every metric of a model on one split."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Annotated[Literal["evaluate"], NAMED] = "evaluate"
    model: Annotated[str, NAMED] = Field(title="Model", description="Train run that is evaluated.")
    split: Split = Field(default="test", title="Split", description="The split the model is evaluated on.")
    attention: Annotated[bool, FOLDED] = Field(
        default=True,
        title="Attention",
        description="Also score its attention against the masks, where there are any.",
    )
    space: Annotated[str | None, NAMED] = Field(
        default=None, title="Space", description="Space run whose clusters replace missing attributes."
    )
    features: Annotated[str | None, Display(place="nowhere")] = Field(
        default=None,
        title="Features",
        description="Gradcam or features run of the model, or of the one whose last layer was refitted: its pooled "
        "features replace the images, which is faster; attention is not scored.",
    )
    batch_size: Annotated[int, FOLDED] = Field(
        default=64, ge=1, le=4096, title="Batch size", description="Images of one forward pass."
    )
    target_layer: TargetLayer = None
    shapes_seq: Annotated[int | None, NAMED] = DRAWN

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if self.features and self.attention:
            raise ValueError("features: they hold no maps; set attention to false, or leave features out")
        return self

    def parents(self) -> dict[str, str]:
        """The model, the features, and the space of the estimated groups where given."""
        named = {name: getattr(self, name) for name in ("model", "space", "features")}
        return {role: run_id for role, run_id in named.items() if run_id}
