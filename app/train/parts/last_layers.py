"""The forms of a last layer: a new one on a pretrained network, and the refit of one of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services.queueing import train_defaults
from app.train.parts.models import offered
from app.train.parts.options import options, train_spec
from app.train.parts.submission import end, submit
from app.ui.choosing import pick
from app.ui.messages import errors_shown
from app.ui.runs import config_form
from slim_core.models.names import SMALL_RESNET
from slim_core.parameters import Parameter, parameters
from slim_core.runs.retraining import REFIT, passes_for_fit, retrain_spec, usual_retraining
from slim_core.training.last_layer import REFITS

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run

COMPUTED = "compute the features"


def show_probe(dataset: Dataset) -> None:
    """A new last layer on a network that stays as it was pretrained."""
    asked, here = parameters(train_spec()), train_defaults.proposal(dataset)
    left, right = st.columns(2)
    model = left.selectbox(
        asked["model"].label, *offered(here.probe, SMALL_RESNET),
        accept_new_options=True, key=f"probe-model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    with right:
        refit = str(config_form.choice(_without_answers(asked["refit"]), REFIT["refit"], key="probe"))
    with st.form("probe", enter_to_submit=False):
        settings = [_criterion(asked["selection"]), asked["seed"]]
        fields = _of_last_layer(settings, dataset, refit, key="probe")
        submitted, after = end("Train the last layer", maps=True)
    if submitted:
        submit({"kind": "train", "dataset": dataset.id, "model": model, "mode": "last-layer", **fields}, after)


def show_refit_of_one(dataset: Dataset, models: Sequence[Run]) -> None:
    """The refit of one of the models."""
    by_id = {run.id: run for run in models}
    choice = st.selectbox(
        parameters(train_spec())["reference"].label,
        list(by_id),
        format_func=lambda one: pick.describe(by_id[one]),
        key="refit-reference",
        help="Its last layer is refitted. All other layers stay unchanged.",
    )
    show_refit(dataset, by_id[choice], None)


def show_refit(dataset: Dataset, reference: Run, subset: Run | None) -> None:
    """The refit of a model's last layer, on a subset where there is one.

    The method is outside the form, so that its own settings follow it.
    """
    asked = parameters(train_spec())
    usual, of_subset = (_usual_fit(reference, subset), f"-{subset.id}") if subset else ({}, "")
    proposed = str(usual.get("refit", asked["refit"].default))
    refit = str(config_form.choice(asked["refit"], proposed, key=f"train{of_subset}"))
    begin = usual.get("refit_options") if refit == proposed else None
    with st.form("refit", enter_to_submit=False):
        settings = [_criterion(asked["selection"]), asked["seed"]]
        fields = _of_last_layer(settings, dataset, refit, key=f"refit{of_subset}", proposed=begin)
        fields["attention"] = _features_of(reference, usual.get("attention"))
        submitted, after = end("Refit", maps=False)
    if submitted:
        with errors_shown():
            spec = retrain_spec(reference, subset, "last-layer", fields.pop("seed"), fields)
            submit(spec.model_dump(mode="json"), after)


def _of_last_layer(
    settings: Sequence[Parameter],
    dataset: Dataset,
    refit: str,
    *,
    key: str,
    proposed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings of a refit, and the method's own, which begin as ``proposed``."""
    fields = config_form.fields(settings, {}, key=key, beside={"mode": "last-layer"}) | {"refit": refit}
    fields["refit_options"] = options(REFITS[refit].Options, dataset, proposed, key=f"{refit}-{key}")
    return fields


def _without_answers(refit: Parameter) -> Parameter:
    """Nobody has answered about the attention of a layer that is new."""
    choices = {name: label for name, label in refit.choices.items() if REFITS[name].labels_used != "answers"}
    return replace(refit, choices=choices)


def _usual_fit(reference: Run, subset: Run) -> dict[str, Any]:
    """Fields of what a press on the Curate page would give where it refits the last layer."""
    return usual_retraining(session.store(), subset, reference=reference, way="last-layer").model_dump()


def _criterion(selection: Parameter) -> Parameter:
    """Which epoch is kept, as a refit reads it: by what its hyper-parameters are chosen."""
    choices = {name: label for name, label in selection.choices.items() if name in ("worst_class", "worst_group")}
    about = "The criterion for the hyper-parameters, measured on images that are not fitted."
    return replace(selection, label="Chosen by", help=about, choices=choices)


def _features_of(reference: Run, proposed: str | None) -> str | None:
    """A finished pass over the images that a refit needs, the proposed one first; None: they are computed again."""
    passes = sorted(passes_for_fit(session.store(), reference), key=lambda run: run.id != proposed)
    by_id = {run.id: run for run in passes if run.status == "done"}
    asked = parameters(train_spec())["attention"]
    chosen = st.selectbox(
        asked.label,
        [*by_id, COMPUTED],  # None would be no choice: the box could be cleared, and would ask for one
        format_func=lambda one: pick.describe(by_id[one]) if one in by_id else one,
        key=f"attention-{reference.id}",
        help=asked.help,
    )
    return chosen if chosen in by_id else None
