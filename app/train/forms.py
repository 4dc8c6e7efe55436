"""The form of a training: what to train, on what, from which weights, and the settings, proposed by the recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services.queueing import train_defaults
from app.train.parts import last_layers
from app.train.parts.models import offered
from app.train.parts.options import options, train_spec
from app.train.parts.submission import end, submit
from app.ui import reruns
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import config_form
from app.ui.runs.retrain import WAYS
from app.ui.runs.state import rough_duration
from slim_core.models.names import SMALL_RESNET
from slim_core.parameters import parameters
from slim_core.runs.retraining import FROM_REFERENCE, retrain_spec, usual_way
from slim_core.steps.train.first_training import epochs_for, n_train
from slim_core.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run

ALL = "all training images"
ON, CHOSEN = "train-on", "train-on-chosen"  # of the session: the box; (visit, link), and what is chosen in it
WHOLE, PROBE, LAST_LAYER = "the whole network", "a last layer on a pretrained network", "the last layer of a model"
MOST_SEEDS = 10  # of one press
_FIRST = ("objective", "selection")  # outside the form, so that the settings of what is chosen follow it
_IN_ITS_OWN_WAY = ("kind", "model", "weights", *_FIRST, "objective_options", "refit", "refit_options")


def show(dataset: Dataset, subsets: Sequence[Run], models: Sequence[Run], linked: Run | None) -> None:
    """The whole form; opens the run it submits.

    ``subsets``: finished curate runs of the data set; ``models``: its finished train runs that are no refits;
    ``linked``: the subset to begin with, all images where it is None.
    """
    what = _what([WHOLE, PROBE, LAST_LAYER] if models else [WHOLE, PROBE])
    if what == PROBE:
        last_layers.show_probe(dataset)
        return
    if what == LAST_LAYER:
        last_layers.show_refit_of_one(dataset, models)
        return
    subset = _subset(subsets, linked)
    if subset is None:
        _train_on_all(dataset)
    else:
        _retrain(dataset, subset)


def _what(choices: Sequence[str]) -> str:
    return str(
        st.segmented_control(
            "Train",
            list(choices),
            default=WHOLE,
            required=True,
            key="train-what",
            help="A last layer takes seconds, after one pass over the images. On a pretrained network it is a linear "
            "probe: a reference model that needs no GPU. On a trained model it is refitted, by DFR and others.",
        )
    )


def _subset(subsets: Sequence[Run], linked: Run | None) -> Run | None:
    """What is chosen stays so while subsets are curated and renamed beside it, until another link is followed."""
    by_id = {run.id: run for run in subsets}
    about = reruns.visit_number(), linked.id if linked else ALL
    known, chosen = st.session_state.get(CHOSEN, (None, ALL))
    if known != about or chosen not in (ALL, *by_id):
        chosen = about[1]
    st.session_state[CHOSEN] = about, chosen
    key = pick.box_key(ON, chosen)
    choice = st.selectbox(
        "Train on",
        [ALL, *by_id],
        format_func=lambda one: ALL if one == ALL else pick.describe(by_id[one]),
        key=key,
        on_change=_train_on,
        args=(key,),
        help="All images: the reference model. A curated subset: the retrained model.",
    )
    return by_id.get(choice)


def _train_on(key: str) -> None:
    if pick.is_shown_box(ON, key):
        about, _ = st.session_state[CHOSEN]
        st.session_state[CHOSEN] = about, st.session_state[key]


def _train_on_all(dataset: Dataset) -> None:
    asked, here = parameters(train_spec()), train_defaults.proposal(dataset)
    left, right, last = st.columns([3, 3, 1])
    model = left.selectbox(
        asked["model"].label, *offered(here.model), accept_new_options=True,
        key=f"model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    proposed = dict(train_spec().proposed(model, "reference"))
    with right:
        weights = config_form.choice(asked["weights"], proposed["weights"], key=model, disabled=model == SMALL_RESNET)
    proposed["epochs"], key = epochs_for(dataset, model, weights), f"{model}-reference-{dataset.id}"
    if proposed["epochs"] != epochs_for(dataset, model):  # a field keeps what it has shown under its key
        key += f"-{weights}"
    with last:
        n_seeds = _n_seeds()
    st.caption(
        " ".join([here.why if model == here.model else "", _how_long(dataset, model, proposed["epochs"], n_seeds)])
    )
    first = _chosen_first("train-all")
    with st.form("train-all", enter_to_submit=False):
        fields = _hyper_parameters(dataset, proposed, first, key=key)
        submitted, after = end("Train", maps=True)
    if submitted:
        submit({"kind": "train", "dataset": dataset.id, "model": model, "weights": weights, **fields}, after, n_seeds)


def _n_seeds() -> int:
    about = (
        "Trains this many models with consecutive seeds, starting at the seed below. "
        "One seed says little about a method."
    )
    return int(st.number_input("Seeds", 1, MOST_SEEDS, 1, key="n-seeds", help=about))


def _how_long(dataset: Dataset, model: str, epochs: int, n_seeds: int) -> str:
    """What the proposed training takes, before it is submitted."""
    images = n_train(dataset)
    what = f"Proposed: {epochs} epochs of {images:,} images" + (f" with {n_seeds} seeds" if n_seeds > 1 else "")
    seconds = train_defaults.seconds(dataset, model, epochs * n_seeds)
    if seconds is None:
        return f"{what}. The time is known after the first training of this model here."
    return f"{what} take {rough_duration(seconds)}, as measured in earlier trainings here."


def _retrain(dataset: Dataset, subset: Run) -> None:
    store = session.store()
    reference = store.lineage.reference_of(subset)
    usual = usual_way(store, reference)
    how = st.segmented_control(
        "Start", list(WAYS), format_func=WAYS.__getitem__, default=usual, required=True,
        key=f"retrain-how-{reference.id}",  # the usual way of another reference may be another
    )  # fmt: skip
    st.caption(f"Reference model: {verbatim(pick.describe(reference))}")
    if how == "last-layer":
        last_layers.show_refit(dataset, reference, subset)
        return
    proposed = retrain_spec(reference, subset, how, 0).model_dump()
    first = _chosen_first("train-subset")
    n_seeds = _n_seeds()
    with st.form("train-subset", enter_to_submit=False):
        key = f"{reference.spec['model']}-{how}"
        fields = _hyper_parameters(dataset, proposed, first, key=key, without=FROM_REFERENCE)
        submitted, after = end("Retrain", maps=False)
    if submitted:
        seed = fields.pop("seed")
        with errors_shown():
            submit(retrain_spec(reference, subset, how, seed, fields).model_dump(mode="json"), after, n_seeds)


def _chosen_first(key: str) -> dict[str, str]:
    """The loss, where there are several, and the selection: outside the form, so that their settings follow them."""
    asked = parameters(train_spec())
    names = [name for name in _FIRST if len(asked[name].choices) > 1]
    places = st.columns(len(names))
    chosen: dict[str, str] = {}
    for name, place in zip(names, places, strict=True):
        with place:
            chosen[name] = str(config_form.choice(asked[name], asked[name].default, key=key))
    return chosen


def _hyper_parameters(
    dataset: Dataset,
    proposed: Mapping[str, Any],
    first: Mapping[str, str],
    *,
    key: str,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """What the form holds: the settings of the training and of its loss."""
    asked = config_form.form_parameters(train_spec(), without=(*_IN_ITS_OWN_WAY, *without))
    fields = {**config_form.fields(asked, proposed, key=key, beside={"mode": "full"}), **first}
    if "objective" in first:
        name = first["objective"]
        fields["objective_options"] = options(OBJECTIVES[name].Options, dataset, key=f"{name}-{key}")
    return fields
