"""How to refit the last layer: by which method, and on which images. Light: no torch."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from slim_core import removed
from slim_core.data.labels_used import LabelsUsed
from slim_core.parameters import Config, Display, checked_options, one_of
from slim_core.training.config import labels_of
from slim_core.training.last_layer import REFITS

_LAST_LAYER = {"mode": ("last-layer",)}


def _refits() -> dict[str, str]:
    return {name: refit.label for name, refit in REFITS.items()}


class RefitConfig(Config):
    """How to refit the last layer."""

    refit: Annotated[str, Display(labels=_refits, only=_LAST_LAYER)] = Field(
        default="l1", title="Refit", description="How the last layer is fitted."
    )
    refit_options: Annotated[dict[str, Any], Display(only=_LAST_LAYER)] = Field(
        default_factory=dict, validate_default=True, title="Refit options", description="Options of the refit."
    )

    @field_validator("refit")
    @classmethod
    def _check_refit(cls, refit: str) -> str:
        return one_of(REFITS, refit, removed.REFITS)

    @field_validator("refit_options")
    @classmethod
    def _fill_refit_options(cls, given: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        """The refit's own settings, checked by it, those that are not given at their defaults."""
        name = about.data.get("refit")
        if name is None:
            return given
        return checked_options(REFITS[name].Options, given, f"The refit {name}", "refit_options")


def refit_name(refit: str) -> str:
    """How a last layer was fitted, as names of models and methods say it: "last layer by l2", or "with answers"."""
    known = REFITS.get(refit)
    return f"last layer {'with answers' if known and known.labels_used == 'answers' else f'by {refit}'}"


def refit_labels(refit: str, selection: str) -> set[LabelsUsed]:
    """What a refit uses beyond the classes; of a refit that is not known any more, its selection's."""
    known = REFITS.get(refit)
    return ({known.labels_used} if known else set()) | labels_of(selection)
