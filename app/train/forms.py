"""The form of a training: what to train, on what, from which weights, and the settings, proposed by the recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import queueing
from app.ui import export, pick, progress, reruns, submit
from app.ui.messages import errors_shown, verbatim
from app.ui.run_state import rough_duration
from app.ui.training import WAYS
from slim_core.data.checks.files import NOT_SQUARE, UNCHECKED_FILES
from slim_core.models.names import SMALL_RESNET
from slim_core.parameters import Config, Parameter, parameters
from slim_core.runs.trainings import (
    FROM_REFERENCE,
    REFIT,
    default_model,
    epochs_for,
    first_training,
    n_train,
    passes_for_fit,
    retrain_spec,
    usual_retraining,
    usual_way,
)
from slim_core.settings import settings
from slim_core.steps.specs import OF_IMAGES, STEPS, TrainSpec
from slim_core.training.last_layer import REFITS
from slim_core.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run


ALL = "all training images"
ON, CHOSEN = "train-on", "train-on-chosen"  # of the session: the box; (visit, link), and what is chosen in it
WHOLE, PROBE, LAST_LAYER = "the whole network", "a last layer on a pretrained network", "the last layer of a model"
MOST_SEEDS = 10  # of one press
_FIRST = ("objective", "selection")  # outside the form, so that the settings of what is chosen follow it
_IN_ITS_OWN_WAY = ("kind", "model", "weights", *_FIRST, "objective_options", "refit", "refit_options")


def show(
    dataset: Dataset, subsets: Sequence[Run], models: Sequence[Run], linked: Run | None, given: Run | None = None
) -> None:
    """The whole form; opens the run it submits. ``given``: a training of all images whose values it begins with.

    ``subsets``: finished curate runs of the data set; ``models``: its finished train runs that are no refits;
    ``linked``: the subset to begin with, all images where it is None.
    """
    what = _what([WHOLE, PROBE, LAST_LAYER] if models else [WHOLE, PROBE])
    if what == PROBE:
        show_probe(dataset)
        return
    if what == LAST_LAYER:
        show_refit_of_one(dataset, models)
        return
    subset = _subset(subsets, linked)
    if subset is None:
        _train_on_all(dataset, given)
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


def _train_on_all(dataset: Dataset, given: Run | None) -> None:
    is_given = given is not None and given.spec["mode"] == "full" and not given.spec.get("subset")
    spec, end_of_key = (given.spec, f"-{given.id}") if given is not None and is_given else ({}, "")
    asked, here = parameters(train_spec()), queueing.proposal(dataset)
    left, right, last = st.columns([3, 3, 1])
    model = left.selectbox(
        asked["model"].label, *offered(spec.get("model", here.model)), accept_new_options=True,
        key=f"model-{dataset.id}{end_of_key}", help=asked["model"].help,
    )  # fmt: skip
    proposed, of_model = dict(train_spec().proposed(model, "reference")), f"{model}{end_of_key}"
    if spec.get("model") != model:
        spec = {}
    start = spec.get("weights", proposed["weights"])
    with right:
        weights = submit.choice_field(asked["weights"], start, key=of_model, disabled=model == SMALL_RESNET)
    proposed["epochs"], key = epochs_for(dataset, model, weights), f"{of_model}-reference-{dataset.id}"
    proposed |= spec
    if proposed["epochs"] != epochs_for(dataset, model):  # a field keeps what it has shown under its key
        key += f"-{weights}"
    with last:
        n_seeds = _n_seeds()
    st.caption(
        " ".join([here.why if model == here.model else "", _how_long(dataset, model, proposed["epochs"], n_seeds)])
    )
    first = _chosen_first(f"train-all{end_of_key}", spec)
    with st.form("train-all", enter_to_submit=False):
        fields = _hyper_parameters(dataset, proposed, first, key=key)
        submitted, after = end("Train", maps=True)
    if submitted:
        with errors_shown():
            training = first_training(dataset, model, weights=weights, **fields)
            _queue(training.model_dump(mode="json"), after, n_seeds)


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
    seconds = queueing.training_seconds(dataset, model, epochs * n_seeds)
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
        show_refit(dataset, reference, subset)
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
            _queue(retrain_spec(reference, subset, how, seed, fields).model_dump(mode="json"), after, n_seeds)


def _chosen_first(key: str, given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, str]:
    """The loss, where there are several, and the selection: outside the form, so that their settings follow them."""
    asked = parameters(train_spec())
    names = [name for name in _FIRST if len(asked[name].choices) > 1]
    places = st.columns(len(names))
    chosen: dict[str, str] = {}
    for name, place in zip(names, places, strict=True):
        with place:
            chosen[name] = str(submit.choice_field(asked[name], given.get(name, asked[name].default), key=key))
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
    asked = submit.form_parameters(train_spec(), without=(*_IN_ITS_OWN_WAY, *without, *_fit_without_effect(dataset)))
    fields = {**submit.fields(asked, proposed, key=key, beside={"mode": "full"}), **first}
    if "objective" in first:
        name = first["objective"]
        given = proposed.get("objective_options") if proposed.get("objective") == name else None
        fields["objective_options"] = options(OBJECTIVES[name].Options, dataset, given, key=f"{name}-{key}")
    return fields


def _fit_without_effect(dataset: Dataset) -> tuple[str, ...]:
    """Fields without effect on these images, as far as an import has looked at them."""
    codes = {one["code"] for one in dataset.report["findings"]}
    return () if codes & {NOT_SQUARE, UNCHECKED_FILES} else ("fit",)


COMPUTED = "compute the features"


def show_probe(dataset: Dataset) -> None:
    """A new last layer on a network that stays as it was pretrained."""
    asked, here = parameters(train_spec()), queueing.proposal(dataset)
    left, right = st.columns(2)
    model = left.selectbox(
        asked["model"].label, *offered(here.probe, SMALL_RESNET),
        accept_new_options=True, key=f"probe-model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    with right:
        refit = str(submit.choice_field(_without_answers(asked["refit"]), REFIT["refit"], key="probe"))
    with st.form("probe", enter_to_submit=False):
        settings = [_criterion(asked["selection"]), asked["seed"]]
        settings += [] if _fit_without_effect(dataset) else [asked["fit"]]
        fields = _of_last_layer(settings, dataset, refit, key="probe")
        submitted, after = end("Train the last layer", maps=True)
    if submitted:
        with errors_shown():
            spec = first_training(dataset, model, mode="last-layer", **fields)
            _queue(spec.model_dump(mode="json"), after)


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
    refit = str(submit.choice_field(asked["refit"], proposed, key=f"train{of_subset}"))
    begin = usual.get("refit_options") if refit == proposed else None
    with st.form("refit", enter_to_submit=False):
        settings = [_criterion(asked["selection"]), asked["seed"]]
        fields = _of_last_layer(settings, dataset, refit, key=f"refit{of_subset}", proposed=begin)
        fields["attention"] = _features_of(reference, usual.get("attention"))
        submitted, after = end("Refit", maps=False)
    if submitted:
        with errors_shown():
            spec = retrain_spec(reference, subset, "last-layer", fields.pop("seed"), fields)
            _queue(spec.model_dump(mode="json"), after)


def _of_last_layer(
    settings: Sequence[Parameter],
    dataset: Dataset,
    refit: str,
    *,
    key: str,
    proposed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings of a refit, and the method's own, which begin as ``proposed``."""
    fields = submit.fields(settings, {}, key=key, beside={"mode": "last-layer"}) | {"refit": refit}
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


# Proposed by name; any other torchvision classifier may be typed. Asking torchvision would load torch into the page.
MODELS = (
    SMALL_RESNET, "resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "densenet121",
    "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_16",
)  # fmt: skip


def offered(proposed: str, *without: str) -> tuple[tuple[str, ...], int]:
    """The models to choose from, and the place of the proposed one."""
    models = tuple(one for one in (MODELS if proposed in MODELS else (proposed, *MODELS)) if one not in without)
    return models, models.index(proposed)


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
    asked = submit.form_parameters(config)
    campaigns = session.store().campaigns.all(dataset.id)
    named = {one.id: f"{one.name} · {one.id}" for one in campaigns if one.split == "train"}
    label = "Campaign about training images"
    asked = [replace(one, label=label, choices=named) if one.name == "campaign" else one for one in asked]
    asked = [replace(one, choices=_finished(dataset, one.display.run)) if one.display.run else one for one in asked]
    first = {one.name: next(iter(one.choices)) for one in asked if one.required and one.choices}
    known = {name: value for name, value in (proposed or {}).items() if name != "campaign" or value in named}
    return submit.fields(asked, first | known, key=key)


def _finished(dataset: Dataset, kind: str) -> dict[str, str]:
    """Id -> description of the data set's finished runs of a kind, the newest first."""
    runs = session.store().runs.all(kind=kind, dataset=dataset.id, status="done", limit=_OFFERED)
    return {run.id: pick.describe(run) for run in runs}


def form(dataset: Dataset) -> None:
    """Path, architecture and input of the model; opens the run it becomes, of which there is a report in the end."""
    asked = parameters(TrainSpec)
    left, middle, right = st.columns([5, 3, 3])
    path = left.text_input(
        f"Checkpoint on {export.machine()}",
        placeholder="/models/waterbirds-resnet50.pt",
        help="A .safetensors, .pt or .pth file of plain tensors. Allowed folders: "
        + ", ".join(map(str, settings().data_roots)),
    ).strip()
    model = middle.selectbox(
        "Architecture", *offered(default_model(dataset)), accept_new_options=True,
        key=f"register-model-{dataset.id}", help=asked["model"].help,
    )  # fmt: skip
    name = right.text_input("Name", placeholder="architecture and file").strip()
    with errors_shown():
        names = session.store().datasets.table(dataset.id).label_names
        st.caption(f"The model's {len(names)} outputs must be, in this order: {verbatim(', '.join(names))}.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # never off: the field gives its text away when it is left, so that the first click would only wake the button
        pressed = st.button("Register model", type="primary", icon=":material/upload_file:")
        of_images = [asked[one] for one in OF_IMAGES if one not in _fit_without_effect(dataset)]
        fields = submit.fields(of_images, {}, key="register")
    if pressed and not path:
        st.warning("Enter the path of a checkpoint above.", icon=":material/edit:")
    elif pressed:
        with errors_shown():
            run, created = queueing.to_report(dataset, path, model, name=name or None, fields=fields)
            if not created:
                st.toast("This model is registered already. It is shown below.", icon=":material/info:")
            pick.take("run", run.id)
            st.rerun()


EVALUATE = (
    "The accuracy of every group on the test images (validation images, where there are none), "
    "as soon as the model is trained."
)
MAPS = "Where the model looks in every image, as soon as it is trained."


@dataclass(frozen=True)
class FollowUp:
    """What follows a training by itself, and what it is called; None: by its step and data set."""

    evaluate: bool
    maps: bool
    name: str | None


def end(label: str, *, maps: bool) -> tuple[bool, FollowUp]:
    """The last row of a form: a name, what follows the training, and the button. ``maps``: whether they do at first."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        submitted = st.form_submit_button(label, type="primary", icon=":material/play_arrow:")
        name = st.text_input(
            "Run name", placeholder="such as: with augmentation", max_chars=200, key=f"name-{label}", width=240
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            evaluate = st.checkbox("then evaluate", value=True, key=f"evaluate-{label}", help=EVALUATE)
            look = st.checkbox("then compute the attention maps", value=maps, key=f"maps-{label}", help=MAPS)
    return submitted, FollowUp(evaluate, look, name.strip() or None)


def _queue(spec: Mapping[str, Any], after: FollowUp, n_seeds: int = 1) -> None:
    """Queue a training with so many seeds and what follows each, and open the first (needs lead)."""
    with errors_shown():
        seeds = range(spec["seed"], spec["seed"] + n_seeds)
        run, created = queueing.to_models(spec, seeds, evaluate=after.evaluate, maps=after.maps, name=after.name)
        if not created:
            st.toast("This training exists already. It is shown below.", icon=":material/info:")
        pick.take("run", run.id)
        st.query_params.pop(progress.OPENS_FORM, None)
        st.rerun()
