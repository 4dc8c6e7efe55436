"""The form of a training: what to train, on what, from which weights, and the settings, proposed by the recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import actions
from app.ui import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import ask
from app.ui.runs.retrain import WAYS
from slim_core.parameters import parameters
from slim_core.runs.loop_runs import FROM_REFERENCE, retrain_spec
from slim_core.steps.recipes import default_model
from slim_core.steps.registry import STEPS
from slim_core.steps.specs import TrainSpec
from slim_core.training.last_layer import REFITS
from slim_core.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run

# Proposed by name; any other torchvision classifier may be typed. Asking torchvision would load torch into the page.
MODELS = (
    "small-resnet", "resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "densenet121",
    "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_16",
)  # fmt: skip
ALL = "all training images"
WHOLE, LAST_LAYER = "the whole network", "the last layer"
_IN_ITS_OWN_WAY = ("kind", "model", "weights", "objective", "objective_options", "refit", "refit_options")


def show(dataset: Dataset, subsets: Sequence[Run], models: Sequence[Run]) -> None:
    """The whole form; opens the run it submits.

    ``subsets`` and ``models``: finished curate and train runs of the data set.
    """
    if models and _what() == LAST_LAYER:
        _refit_one_of(models)
        return
    subset = _subset(subsets)
    if subset is None:
        _train_on_all(dataset)
    else:
        _retrain(subset)


def _what() -> str:
    return str(
        st.segmented_control(
            "Train",
            [WHOLE, LAST_LAYER],
            default=WHOLE,
            required=True,
            key="train-what",
            help="The last layer alone, on the features of a trained model: it takes seconds (DFR, AFR and others).",
        )
    )


def _refit_one_of(models: Sequence[Run]) -> None:
    by_id = {run.id: run for run in models}
    choice = st.selectbox(
        parameters(_spec())["reference"].label,
        list(by_id),
        format_func=lambda one: pick.describe(by_id[one]),
        key="refit-reference",
        help="Its last layer is refitted; the rest of it stays as it is.",
    )
    _refit(by_id[choice], None)


def _refit(reference: Run, subset: Run | None) -> None:
    """The method outside the form, so that its own settings follow it."""
    asked = parameters(_spec())
    refit = str(ask.choice(asked["refit"], asked["refit"].default, key="train"))
    names = ("selection", "seed") if subset else ("fitted_on", "selection", "seed")
    with st.form("refit"):
        fields = ask.fields([asked[name] for name in names], {}, key="refit", beside={"mode": "last-layer"})
        fields |= {"attention": _features_of(reference), "refit": refit}
        fields["refit_options"] = ask.fields(ask.offered(REFITS[refit].Options), {}, key=f"{refit}-refit")
        submitted = st.form_submit_button("Refit", type="primary", icon=":material/play_arrow:")
    if submitted:
        with errors_shown():
            spec = retrain_spec(reference, subset, "last-layer", fields.pop("seed"), fields)
            _submit(spec.model_dump(mode="json"))


def _features_of(reference: Run) -> str | None:
    """A finished pass over the images that a refit needs; None: they are computed again."""
    children = session.store().runs.children(reference.id)  # oldest first
    passes = [run for run in reversed(children) if run.kind in ("gradcam", "features") and run.status == "done"]
    by_id = {run.id: run for run in passes if {"train", "val"} <= set(run.spec["splits"])}
    asked = parameters(_spec())["attention"]
    return st.selectbox(
        asked.label,
        [*by_id, None],
        format_func=lambda one: pick.describe(by_id[one]) if one else "compute the features",
        key=f"attention-{reference.id}",
        help=asked.help,
    )


def _subset(subsets: Sequence[Run]) -> Run | None:
    by_id = {run.id: run for run in subsets}
    linked = st.query_params.get("subset")
    choice = st.selectbox(
        "Train on",
        [ALL, *by_id],
        index=1 + list(by_id).index(linked) if linked in by_id else 0,
        format_func=lambda one: ALL if one == ALL else f"subset {pick.describe(by_id[one])}",
        help="All images: the reference model. A curated subset: the retrained model.",
    )
    return by_id.get(choice)


def _train_on_all(dataset: Dataset) -> None:
    asked = parameters(_spec())
    left, right = st.columns(2)
    model = left.selectbox(
        asked["model"].label, MODELS, index=MODELS.index(default_model(dataset.format)), accept_new_options=True,
        key=f"model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    proposed = _spec().proposed(model, "reference")
    with right:
        weights = ask.choice(asked["weights"], proposed["weights"], key=model, disabled=model == "small-resnet")
    objective = _objective("train-all")
    with st.form("train-all"):
        fields = _hyper_parameters(proposed, objective, key=f"{model}-reference")
        submitted = st.form_submit_button("Train", type="primary", icon=":material/play_arrow:")
    if submitted:
        _submit({"kind": "train", "dataset": dataset.id, "model": model, "weights": weights, **fields})


def _retrain(subset: Run) -> None:
    reference = session.store().lineage.reference_of(subset)
    how = st.segmented_control(
        "Start", list(WAYS), format_func=WAYS.__getitem__, default="reference", required=True, key="retrain-how"
    )
    st.caption(f"Reference model: {verbatim(pick.describe(reference))}")
    if how == "last-layer":
        _refit(reference, subset)
        return
    proposed = retrain_spec(reference, subset, how, 0).model_dump()
    objective = _objective("train-subset")
    with st.form("train-subset"):
        key = f"{reference.spec['model']}-{how}"
        fields = _hyper_parameters(proposed, objective, key=key, without=(*FROM_REFERENCE, "hold_out"))
        submitted = st.form_submit_button("Retrain", type="primary", icon=":material/play_arrow:")
    if submitted:
        seed = fields.pop("seed")
        with errors_shown():
            _submit(retrain_spec(reference, subset, how, seed, fields).model_dump(mode="json"))


def _spec() -> type[TrainSpec]:
    spec = STEPS["train"].spec
    assert issubclass(spec, TrainSpec)
    return spec


def _objective(key: str) -> str | None:
    """The loss, outside the form, so that its own settings follow it; None where there is no choice."""
    if len(OBJECTIVES) < 2:
        return None
    asked = parameters(_spec())["objective"]
    return str(ask.choice(asked, asked.default, key=key))


def _hyper_parameters(
    proposed: Mapping[str, Any], objective: str | None, *, key: str, without: Sequence[str] = ()
) -> dict[str, Any]:
    """What the form holds: the settings of the training, and of its loss."""
    asked = ask.offered(_spec(), without=(*_IN_ITS_OWN_WAY, *without))
    fields = ask.fields(asked, proposed, key=key, beside={"mode": "full"})
    if objective is None:
        return fields
    options = ask.fields(ask.offered(OBJECTIVES[objective].Options), {}, key=f"{objective}-{key}")
    return {**fields, "objective": objective, "objective_options": options}


def _submit(spec: Mapping[str, Any]) -> None:
    with errors_shown():
        run, created = actions.submit(spec)
        if not created:
            st.toast("This training exists already. It is shown below.", icon=":material/info:")
        st.query_params["run"] = run.id
        st.rerun()
