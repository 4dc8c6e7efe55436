"""The form of a training: what to train on, from which weights, and the numbers, proposed by the recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.services import actions
from app.services.retraining import reference_of
from app.ui import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_told
from slim_core.runs.whole_loop import retrain_spec
from slim_core.steps.recipes import default_model, recipe

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run

# Proposed by name; any other torchvision classifier may be typed. Asking torchvision would load torch into the page.
MODELS = (
    "small-resnet", "resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "densenet121",
    "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_16",
)  # fmt: skip
ALL = "all training images"
RETRAIN = {
    "reference": "from the reference model",
    "scratch": "from the first weights",
    "last-layer": "the last layer only",
}
SITUATIONS = {"reference": "from-reference", "scratch": "scratch", "last-layer": "last-layer"}
SELECTIONS = {
    "worst_class": "worst class on validation",
    "average": "average on validation",
    "worst_group": "worst group on validation (uses group labels)",
    "last": "the last epoch",
}


def show(dataset: Dataset, subsets: Sequence[Run]) -> None:
    """The whole form; opens the run it submits. ``subsets``: finished curate runs of the data set."""
    subset = _subset(subsets)
    if subset is None:
        _train_on_all(dataset)
    else:
        _retrain(subset)


def _subset(subsets: Sequence[Run]) -> Run | None:
    by_id = {run.id: run for run in subsets}
    linked = st.query_params.get("subset")
    choice = st.selectbox(
        "Train on",
        [ALL, *by_id],
        index=1 + list(by_id).index(linked) if linked in by_id else 0,
        format_func=lambda one: ALL if one == ALL else f"subset {pick.describe(by_id[one])}",
        help="All images make the reference model; a curated subset makes the robust one.",
    )
    return by_id.get(choice)


def _train_on_all(dataset: Dataset) -> None:
    proposed = default_model(dataset.format)
    left, right = st.columns(2)
    model = left.selectbox(
        "Model", MODELS, index=MODELS.index(proposed), accept_new_options=True, key=f"model-{dataset.id}",
        help="small-resnet suits small images; any torchvision classifier may be typed by its name.",
    )  # fmt: skip
    weights = right.selectbox(
        "First weights", ("none", "imagenet"), index=int(model != "small-resnet"), key=f"weights-{model}",
        disabled=model == "small-resnet", help="ImageNet weights are fetched once, or put in place by hand.",
    )  # fmt: skip
    with st.form("train-all"):
        fields = _numbers(model, "reference")
        checkpoint = st.text_input(
            "Local checkpoint", help="Optional: a .safetensors, .pt or .pth file to start from instead of the weights."
        )
        submitted = st.form_submit_button("Train", type="primary", icon=":material/play_arrow:")
    if submitted:
        spec = {"kind": "train", "dataset": dataset.id, "model": model, "weights": weights, **fields}
        _submit(spec | ({"checkpoint": checkpoint.strip()} if checkpoint.strip() else {}))


def _retrain(subset: Run) -> None:
    reference = reference_of(subset)
    how = st.segmented_control(
        "Start", list(RETRAIN), format_func=RETRAIN.__getitem__, default="reference", required=True, key="retrain-how"
    )
    st.caption(f"Reference model: {verbatim(pick.describe(reference))}")
    with st.form("train-subset"):
        fields = _numbers(reference.spec["model"], SITUATIONS[how])
        submitted = st.form_submit_button("Retrain", type="primary", icon=":material/play_arrow:")
    if submitted:
        seed = fields.pop("seed")
        with errors_told():
            _submit(retrain_spec(reference, subset, how, seed, fields).model_dump(mode="json"))


def _numbers(model: str, situation: str) -> dict[str, Any]:
    """Inputs of the training's numbers; the proposal is the recipe of the model and situation."""
    proposed, key = recipe(model, situation), f"{model}-{situation}"
    a, b, c, d = st.columns(4)
    fields: dict[str, Any] = {
        "epochs": a.number_input("Epochs", 1, 10_000, proposed.epochs, key=f"epochs-{key}"),
        "batch_size": b.number_input("Batch size", 1, 65_536, proposed.batch_size, key=f"batch-{key}"),
        "lr": c.number_input("Learning rate", 1e-6, 10.0, proposed.lr, format="%g", step=1e-3, key=f"lr-{key}"),
        "weight_decay": d.number_input(
            "Weight decay", 0.0, 10.0, proposed.weight_decay, format="%g", step=1e-4, key=f"decay-{key}"
        ),
    }
    a, b, c, d = st.columns(4, vertical_alignment="bottom")
    fields["seed"] = a.number_input("Seed", 0, 2**31 - 1, 0, key=f"seed-{key}", help="Everything random follows it.")
    fields["selection"] = b.selectbox(
        "Keep the epoch with the best", list(SELECTIONS), format_func=SELECTIONS.__getitem__, key=f"selection-{key}",
        index=list(SELECTIONS).index(proposed.selection),
    )  # fmt: skip
    fields["augment"] = c.checkbox("Random crops and flips", proposed.augment, key=f"augment-{key}")
    fields["class_weights"] = d.checkbox("Weigh rare classes up", proposed.class_weights, key=f"classes-{key}")
    return fields


def _submit(spec: Mapping[str, Any]) -> None:
    with errors_told():
        run, created = actions.submit(spec)
        if not created:
            st.toast("This training has been done already: here it is.", icon=":material/info:")
        st.query_params["run"] = run.id
        st.rerun()
