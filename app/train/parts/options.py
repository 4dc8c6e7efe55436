"""The settings of what is chosen in a form of a training: of a loss or a refit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app import session
from app.ui.choosing import pick
from app.ui.runs import config_form
from slim_core.parameters import Config
from slim_core.steps.registry import STEPS
from slim_core.steps.specs import TrainSpec

if TYPE_CHECKING:
    from slim_core.store import Dataset

_OFFERED = 500  # runs of a box: the newest


def train_spec() -> type[TrainSpec]:
    """What a training is asked for, as the registry of steps has it: the one place in which its fields are written."""
    spec = STEPS["train"].spec
    assert issubclass(spec, TrainSpec)
    return spec


def options(
    config: type[Config], dataset: Dataset, proposed: Mapping[str, Any] | None = None, *, key: str
) -> dict[str, Any]:
    """Settings of a loss or refit; a campaign or run is one of the data set's, the newest first.

    ``proposed``: what they begin with, where not with their defaults or the newest.
    """
    asked = config_form.form_parameters(config)
    campaigns = session.store().campaigns.all(dataset.id)
    named = {one.id: f"{one.name} · {one.id}" for one in campaigns if one.split == "train"}
    label = "Campaign about training images"
    asked = [replace(one, label=label, choices=named) if one.name == "campaign" else one for one in asked]
    asked = [replace(one, choices=_finished(dataset, one.display.run)) if one.display.run else one for one in asked]
    first = {one.name: next(iter(one.choices)) for one in asked if one.required and one.choices}
    known = {name: value for name, value in (proposed or {}).items() if name != "campaign" or value in named}
    return config_form.fields(asked, first | known, key=key)


def _finished(dataset: Dataset, kind: str) -> dict[str, str]:
    """Id -> description of the data set's finished runs of a kind, the newest first."""
    runs = session.store().runs.all(kind=kind, dataset=dataset.id, status="done", limit=_OFFERED)
    return {run.id: pick.describe(run) for run in runs}
