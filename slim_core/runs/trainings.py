"""Every training by its spec: a first one, one on a subset in three ways, one from elsewhere; and what is usual."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from slim_core.curation import default_subset_size
from slim_core.curation.data import SLIM
from slim_core.errors import AnswersRefusedError, NotFoundError, SlimError, SpecRefusedError
from slim_core.models.checkpoints import registration
from slim_core.models.names import DEFAULT_MODEL, SMALL_RESNET, is_custom
from slim_core.steps.answers import answers_about_training, features_from, require_same_features
from slim_core.steps.specs import OF_IMAGES, Option, TrainSpec, is_probe, parse_spec, refitted_model
from slim_core.store.runs.rows import PASSES
from slim_core.training.config import recipe
from slim_core.training.last_layer import REFITS, refit_name

if TYPE_CHECKING:
    from slim_core.settings import Settings
    from slim_core.store import Dataset, Run, Store


Retrain = Literal["scratch", "reference", "last-layer"]

CHECKSUM = "checkpoint_sha256"
FROM_REFERENCE = ("model", "weights", "checkpoint", CHECKSUM, *OF_IMAGES)  # fields that a retraining takes over
REFIT: dict[str, Any] = {"refit": "l2"}  # of a frozen network
WITH_ANSWERS = "answered"  # the refit that is REFIT where nobody has answered
PROBE: dict[str, Any] = {"mode": "last-layer", **REFIT}


def default_model(dataset: Dataset) -> str:
    """The model proposed for a data set: the one a demo set is made for, else ResNet-50 with ImageNet weights."""
    if dataset.format == "demo":
        return dataset.report.get("model") or SMALL_RESNET
    return DEFAULT_MODEL


SMALL_PX = 96  # a side, up to which the small network sees all there is
SMALL_PROBE = "resnet18"  # the pretrained network where the small one would be trained: its last layer fits on a CPU
STEPS = 760  # of the optimiser: those of the demo's recipe, 20 epochs of 2,400 images; with far fewer it is untrained
MOST_EPOCHS = 100
_PRETRAINED = ("checkpoint", "weights")  # fields of TrainSpec that no network has which begins from scratch


@dataclass(frozen=True)
class Proposal:
    """``why``: one sentence."""

    model: str
    why: str

    @property
    def probe(self) -> str:
        """The pretrained network of which only a last layer is trained."""
        return SMALL_PROBE if self.model == SMALL_RESNET else self.model


def proposal(store: Store, dataset: Dataset, *, has_gpu: bool) -> Proposal:
    """The model to begin with on this data set. ``has_gpu``: whether what trains it has one."""
    model = default_model(dataset)
    if is_custom(model):
        return Proposal(model, "This demo set needs a pretrained network.")
    if not has_gpu:
        return Proposal(SMALL_RESNET, "No worker has a GPU: the small network trains on a CPU from scratch.")
    side = _side(store, dataset.id)
    if side is not None and side <= SMALL_PX:
        return Proposal(SMALL_RESNET, f"The images have {side} pixels a side, which fit the small network.")
    return Proposal(model, f"A worker has a GPU: {model} with ImageNet weights.")


def model_for(store: Store, dataset: Dataset, fields: Mapping[str, Any], *, has_gpu: bool) -> str:
    """The model of a training with these fields of TrainSpec, of which none names it."""
    if any(fields.get(name) not in (None, "none") for name in _PRETRAINED):
        return default_model(dataset)
    found = proposal(store, dataset, has_gpu=has_gpu)
    return found.probe if fields.get("mode") == "last-layer" else found.model


def epochs_for(dataset: Dataset, model: str, weights: str | None = None) -> int:
    """Those of the recipe; from scratch more where there are few images, so that it takes enough steps.

    ``weights``: as of TrainSpec. The recipe of a network of one's own takes it to be pretrained, where none says
    otherwise; published ones have epochs enough.
    """
    config = recipe(model, "reference")
    if model != SMALL_RESNET and not (is_custom(model) and weights == "none"):
        return config.epochs
    n_steps = max(1, math.ceil(n_train(dataset) / config.batch_size))
    return min(MOST_EPOCHS, max(config.epochs, math.ceil(STEPS / n_steps)))


def n_train(dataset: Dataset) -> int:
    """Training images."""
    return int(dataset.report["splits"].get("train", 0))


def _side(store: Store, dataset: str) -> int | None:
    """The longer side of the first image in pixels, from its header; None where it cannot be read now."""
    try:
        return _read_side(store.datasets.table(dataset).image_path(0))
    except (OSError, SlimError):
        return None


@lru_cache(maxsize=32)
def _read_side(path: Path) -> int:
    """Kept; what it raises is not: the disk may be back by the next call."""
    with Image.open(path) as image:
        return max(image.size)


def retrained_name(spec: TrainSpec, subset: Run | None) -> str:
    """What a model retrained on a subset, or on all of train, in this way is called where nobody names it."""
    way = refit_name(spec.refit) if spec.mode == "last-layer" else f"from {spec.start}"
    return f"Retrained on {subset.spec['strategy'] if subset else 'all of train'} ({way}), seed {spec.seed}"


def first_training(dataset: Dataset, model: str, **fields: Any) -> TrainSpec:
    """The spec that trains a model on all of train, or its last layer, with what is usual where nobody says.

    ``fields``: of TrainSpec; they go before what is proposed.

    Raises:
        SpecRefusedError: a field is unknown or out of its range.
    """
    proposed: dict[str, Any] = {}
    if fields.get("mode", "full") == "full":
        proposed = {"epochs": epochs_for(dataset, model, fields.get("weights"))}
    elif fields["mode"] == "last-layer":
        proposed = REFIT
    return train_spec({"dataset": dataset.id, "model": model, **proposed, **fields})


def registered_model(
    dataset: str, file: str | Path, model: str, settings: Settings, fields: Mapping[str, Any]
) -> TrainSpec:
    """The spec of a model that was trained elsewhere; ``fields``: of TrainSpec.

    Raises:
        PathRefusedError, CheckpointRefusedError: there is no such file, or it lies outside the allowed folders.
        SpecRefusedError: a field is unknown or out of its range.
    """
    return train_spec({"dataset": dataset, "model": model, **registration(file, settings), **fields})


def train_spec(fields: Mapping[str, Any]) -> TrainSpec:
    """The spec of these fields, where nothing is proposed by the data set or a reference; what all the others end in.

    Raises:
        SpecRefusedError: a field is unknown or out of its range.
    """
    spec = parse_spec({"kind": "train", **fields})
    assert isinstance(spec, TrainSpec)
    return spec


def retrain_spec(
    reference: Run, subset: Run | None, retrain: Retrain, seed: int, fields: dict[str, Any] | None = None
) -> TrainSpec:
    """The spec that retrains the reference's architecture on a subset, one of three ways, or its last layer without.

    ``fields``: of TrainSpec; they go before those that the reference gives.
    """
    fields = fields or {}
    common = {"dataset": reference.spec["dataset"], **taken_over(reference.spec)}
    if retrain == "last-layer" and is_probe(reference.spec) and "refit" not in fields:
        common |= {name: value for name, value in reference.spec.items() if name in ("refit", "refit_options")}
    how: dict[str, Any] = {
        "scratch": {},
        "reference": {"start": "reference", "reference": reference.id},
        "last-layer": {"mode": "last-layer", "reference": reference.id},
    }[retrain]
    return train_spec({**common, **how, "subset": subset.id if subset else None, "seed": seed, **fields})


def usual_retraining(
    store: Store,
    subset: Run,
    *,
    reference: Run | None = None,
    way: Retrain | None = None,
    seed: int = 0,
    fields: Mapping[str, Any] | None = None,
) -> TrainSpec:
    """The spec that retrains on a subset, where nobody says otherwise in the usual way and by the usual fit.

    ``reference``: None: the model whose attention the subset rests on; ``fields``: of TrainSpec, which go before.
    """
    reference = reference or store.lineage.reference_of(subset)
    way, given = way or usual_way(store, reference), dict(fields or {})
    if way == "last-layer" and "refit" not in given and (usual := usual_fit(store, reference, subset)):
        given |= usual | {"refit_options": {**usual["refit_options"], **given.get("refit_options", {})}}
    if way == "last-layer":
        given = _pass_behind(store, reference, subset) | given
    return retrain_spec(reference, subset, way, seed, given)


def usual_fit(store: Store, reference: Run, subset: Run) -> dict[str, Any]:
    """Fields of TrainSpec by which a last layer is fitted to a subset that slim has chosen, where nobody says.

    What people answered enters the fit as well, where it can (docs/decisions/0013); else there are none, and the
    reference says how. A whole network that was trained has none either: there the same was not compared.
    """
    by, spec = subset.spec, reference.spec
    if by["strategy"] != SLIM or by.get("campaign") is None or not rests_on_probe(store, reference):
        return {}
    if spec.get("refit") not in (REFIT["refit"], WITH_ANSWERS):
        return {}
    asked = {"campaign": by["campaign"], "answers_seq": by.get("answers_seq")}
    strengths = {"strengths": given} if (given := spec.get("refit_options", {}).get("strengths")) else {}
    try:
        asked["space"] = store.campaigns.fetch(by["campaign"]).space_run_id
        fields = {"refit": WITH_ANSWERS, "refit_options": {**asked, **strengths}}
        answers_about_training(retrain_spec(reference, subset, "last-layer", 0, fields), store)
    except (SpecRefusedError, AnswersRefusedError, NotFoundError):
        return {}
    return fields


def passes_for_fit(store: Store, reference: Run) -> list[Run]:
    """Passes whose features a last layer of a model can be fitted on and chosen by, the newest first; not all are done.

    Of the model, and of the one whose last layer it refits: below that they are the same network.
    """
    try:
        same = dict.fromkeys((reference.id, features_from(reference.id, store)))
    except NotFoundError:  # a model on the way was deleted, so nothing tells
        return []
    found = [run for model in same for run in store.runs.children(model) if run.kind in PASSES]
    return sorted(filter(_has_both_splits, found), key=lambda run: run.created_at, reverse=True)


def _has_both_splits(seen: Run) -> bool:
    """Whether a pass is over what a last layer is fitted to and what chooses among its fits."""
    return {"train", "val"} <= set(seen.spec["splits"])


def _pass_behind(store: Store, reference: Run, subset: Run) -> dict[str, Any]:
    """Fields of TrainSpec by which the fit reads the features of the pass that a subset rests on, where it can.

    Else they are computed, over as many images again.
    """
    space = store.runs.find(subset.spec["space"])
    behind = store.runs.find(space.spec["attention"]) if space else None
    if behind is None or not _has_both_splits(behind):
        return {}
    try:
        require_same_features(behind.id, reference.id, store)
    except (SpecRefusedError, NotFoundError):
        return {}
    return {"attention": behind.id}


def without_answers(trained_by: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of TrainSpec by which a model is trained as by these where nobody has answered."""
    found = dict(trained_by)
    if found.get("refit") == WITH_ANSWERS:
        plain = REFITS[REFIT["refit"]].Options
        options = found.get("refit_options", {})
        kept = {key: each for key, each in options.items() if key in plain.model_fields}
        found |= {**REFIT, "refit_options": plain(**kept).model_dump(mode="json")}
    return found


def usual_curation(n: int, strategy: str = SLIM, *, of_probe: bool) -> tuple[int, dict[str, Option]]:
    """Images of a subset of ``n``, and options of its strategy, where nobody says.

    ``of_probe``: the reference is a new last layer of a pretrained network. Half of the images and, by slim, classes
    that are balanced twice are then far better than what whole networks get (docs/decisions/0012).
    """
    if not of_probe:
        return default_subset_size(n), {}
    return max(1, n // 2), {"environments": "both"} if strategy == SLIM else {}


def usual_curation_of(store: Store, space: Run, strategy: str = SLIM) -> tuple[int, dict[str, Option]]:
    """``usual_curation`` of a space's images of train; that of a whole network where its reference was deleted."""
    n = len(store.datasets.table(space.dataset_id).rows("train"))
    try:
        of_probe = rests_on_probe(store, store.lineage.reference_of(space))
    except SpecRefusedError:
        of_probe = False
    return usual_curation(n, strategy, of_probe=of_probe)


def rests_on_probe(store: Store, model: Run) -> bool:
    """Whether a model is a new last layer of a pretrained network, or refits one: nobody trained the layers below it.

    Where what it refits was deleted, they count as trained.
    """
    try:
        return is_probe(store.lineage.origin(model, refitted_model).spec)
    except NotFoundError:
        return False


def usual_way(store: Store, reference: Run) -> Retrain:
    """How a model is retrained where nobody says: of a pretrained network that nobody trained, its last layer alone."""
    return "last-layer" if rests_on_probe(store, reference) else "reference"


def taken_over(reference: Mapping[str, Any]) -> dict[str, Any]:
    """What a retraining takes over from the spec of its reference model; of one trained elsewhere not its weights."""
    checkpoint = dict.fromkeys(("checkpoint", CHECKSUM)) if reference.get("mode") == "registered" else {}
    return {name: reference.get(name) for name in FROM_REFERENCE} | checkpoint
