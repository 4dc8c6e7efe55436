"""What one press queues: the runs that wait for each other, so that no browser has to stay open.

The loop takes two presses: to the questions, and from the answers to the comparison. Beside a result stands what needs
no annotation: where it does as well, the answers were not needed. For a whole network that is just train twice (JTT),
for a last layer a subset that takes all attention to be wrong: they have the best means of the methods without answers
and groups in our studies (docs/decisions/0014).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions, campaign_actions
from app.services.results.comparison import compared_on, estimates_groups
from slim_core.curation.data import SLIM
from slim_core.data.table import require_for_space
from slim_core.models.checkpoints import registration
from slim_core.models.names import usual_name
from slim_core.runs import trainings
from slim_core.runs.methods import best_on_validation, jtt_first, jtt_second
from slim_core.runs.trainings import (
    CHECKSUM,
    first_training,
    n_train,
    rests_on_probe,
    retrain_spec,
    retrained_name,
    taken_over,
    usual_retraining,
    without_answers,
)
from slim_core.settings import settings
from slim_core.steps.specs import TrainSpec, parse_spec
from slim_core.store.runs.rows import STOPPABLE, UNFINISHED
from slim_core.store.shapes import SCORED
from slim_core.training.config import TrainConfig, jtt_grid
from slim_core.training.last_layer import RefitConfig

if TYPE_CHECKING:
    from app.services.results.comparison import Result
    from slim_core.runs.trainings import Proposal, Retrain
    from slim_core.steps.specs import Spec
    from slim_core.store import Campaign, Dataset, Pipeline, Run, Store
    from slim_core.store.runs.pipelines import PipelineKind

RECENT = 20  # finished trainings whose pace says how long one takes
LOOKED_AT = 500  # the newest ones among which these are: `slim run` refits as many last layers within minutes


def proposal(dataset: Dataset) -> Proposal:
    """The model to begin with on this data set and these workers."""
    store = session.store()
    return trainings.proposal(store, dataset, has_gpu=store.workers.have_gpu())


def training_seconds(dataset: Dataset, model: str, n_epochs: int) -> float | None:
    """How long so many epochs take, by the pace of finished trainings of the model here; None before the first."""
    store = session.store()
    newest = [run.id for run in store.runs.all(kind="train", status="done", limit=1, metrics=False)]
    paces = _paces(store, model, (*newest, store.runs.counts().get("done", 0)))
    return n_train(dataset) * n_epochs / median(paces) if paces else None


@lru_cache(maxsize=64)
def _paces(store: Store, model: str, done: tuple[str | int, ...]) -> tuple[float, ...]:  # noqa: ARG001
    """Images per second of the last trainings of a model; read anew once more is ``done``: pages ask each second."""
    runs = store.runs.all(kind="train", status="done", limit=LOOKED_AT, metrics=False)
    alike = [run.id for run in runs if run.spec["model"] == model and run.spec["mode"] == "full"][:RECENT]
    known = [metrics for run in map(store.runs.fetch, alike) if (metrics := run.metrics)]
    return tuple(each["images"] * each["epochs"] / each["seconds"] for each in known if each["seconds"] > 0)


def save_evaluation(
    model: Run, *, split: str | None = None, force: bool = False, name: str | None = None, **fields: Any
) -> Run:
    """Save the evaluation of a model (needs lead); ``actions.wake`` starts it.

    ``split``: None: the one that models are compared on; ``fields``: of EvaluateSpec.

    Without attributes the groups are class x environment, found in the attention of the reference model on that split:
    its pass and its space are saved before, where they are not there yet. All models of one reference share them.
    """
    split = split or compared_on(session.store().datasets.fetch(model.dataset_id))
    spec = {"kind": "evaluate", "dataset": model.dataset_id, "model": model.id, "split": split, **fields}
    return actions.save(spec | {"space": space_of_groups(model, split)}, force=force, name=name)[0]


def save_on_groups_of(other: Run, model: Run) -> Run:
    """Save the evaluation of a model on the images and in the estimated groups of another's (needs lead)."""
    split, space = other.spec["split"], other.spec.get("space")
    spec = {"kind": "evaluate", "dataset": model.dataset_id, "model": model.id, "split": split, "space": space}
    return actions.save(spec, name=f"{model.name} on {split}" if model.name else None)[0]


def attention_pass(reference: Run, *splits: str) -> Run:
    """The oldest finished pass of a model over these splits, whose clusters stay the groups; saved where missing."""
    passes = session.store().lineage.finished_passes(reference.dataset_id, {"model": reference.id})[::-1]
    covering = [one for one in passes if set(splits) <= set(one.spec["splits"])]
    asked = {"kind": "gradcam", "dataset": reference.dataset_id, "model": reference.id}
    return covering[0] if covering else actions.save(asked)[0]


def counts_for_groups(evaluation: Run) -> bool:
    """False for one by class alone, as of `slim evaluate` without a space, where groups can be estimated."""
    dataset = session.store().datasets.fetch(evaluation.dataset_id)
    return evaluation.spec.get("space") is not None or not estimates_groups(dataset, evaluation.spec["split"])


def space_of_groups(model: Run, split: str) -> str | None:
    """The space run whose clusters are the environments of a split, saved where it is missing.

    None where the data set has attributes, or has too few images there.
    """
    if not estimates_groups(session.store().datasets.fetch(model.dataset_id), split):
        return None
    attention = attention_pass(session.store().lineage.first_reference(model), split)
    asked = {"kind": "space", "dataset": model.dataset_id, "attention": attention.id, "split": split}
    return actions.save(asked)[0].id


def save_retraining(
    subset: Run, way: Retrain | None, seed: int, *, name: str | None = None, fields: dict[str, Any] | None = None
) -> Run:
    """Save a training on the subset and its evaluation (needs lead); the evaluation, which ends last.

    ``way``: None: the usual one of its reference.
    """
    model = save_retrained(subset, way, seed, name=name, fields=fields)
    split = compared_on(session.store().datasets.fetch(model.dataset_id))
    return save_evaluation(model, split=split, name=f"{model.name} on {split}")


def save_retrained(
    subset: Run, way: Retrain | None, seed: int, *, name: str | None = None, fields: dict[str, Any] | None = None
) -> Run:
    """The training alone (needs lead)."""
    spec = _retraining(subset, way, seed, fields)
    return actions.save(spec, name=name or retrained_name(spec, subset))[0]


def is_retrained(subset: Run, way: Retrain, seed: int, *, fields: dict[str, Any] | None = None) -> bool:
    """Whether the model that ``save_retraining`` would train is there already."""
    return finished(_retraining(subset, way, seed, fields)) is not None


def finished(spec: Spec) -> Run | None:
    """The finished run of a step, which saving it again would give."""
    same = session.store().runs.find_same(spec)
    return same if same is not None and same.status == "done" else None


def _retraining(subset: Run, way: Retrain | None, seed: int, fields: dict[str, Any] | None) -> TrainSpec:
    return usual_retraining(session.store(), subset, way=way, seed=seed, fields=fields)


def trained_by(model: Run) -> dict[str, Any]:
    """The fields of its spec by which a model was trained, but for its seed; of a last layer, by which it was fitted.

    The hyper-parameters of a training have no effect on a last layer, and may differ.
    """
    is_last_layer = model.spec["mode"] == "last-layer"
    names = {*RefitConfig.model_fields, "selection"} if is_last_layer else {*TrainConfig.model_fields} - {"seed"}
    return {name: value for name, value in model.spec.items() if name in names}


def evaluation_of_subset(subset: Run) -> Run | None:
    """The newest finished evaluation of a model that was trained on the subset."""
    runs = session.store().runs
    models = [run for run in runs.children(subset.id) if run.kind == "train"]
    found = [one for model in models for one in runs.children(model.id) if one.kind == "evaluate"]
    return max((one for one in found if one.status == "done"), key=lambda one: one.created_at, default=None)


ALL_WRONG = {"environments": "both", "presumed": 0.0}
_OF_ANSWERS = ("campaign", "answers_seq")  # of a curate spec


@dataclass(frozen=True)
class Unasked:
    """``name``: as a sentence begins; ``action``: as a button says it; ``about``: what it takes."""

    name: str
    action: str
    about: str


_JTT = Unasked(
    "Just train twice (JTT), without annotation,",
    "Just train twice (JTT)",
    "Two short trainings and, for each, one to convergence in which its errors are seen more often; validation chooses "
    "one. It uses no answers and no groups.",
)
_ALL_WRONG = Unasked(
    "A subset without answers, all attention assumed wrong,",
    "Curate without answers",
    "A subset of the same size with all attention assumed wrong, and a last layer retrained on it.",
)


def unasked_for(reference: Run) -> Unasked:
    """What stands beside a result of this reference model."""
    return _ALL_WRONG if rests_on_probe(session.store(), reference) else _JTT


def is_unasked(model: Run, subset: Run | None, result: Result) -> bool:
    """Whether a model, of a subset where it has one, is the method without annotation beside a result, any seed."""
    spec: Mapping[str, Any] = model.spec
    if not rests_on_probe(session.store(), result.reference):
        of_reference = taken_over(result.reference.spec)
        same_images = all(spec.get(name) == of_reference[name] for name in of_reference.keys() - {CHECKSUM})
        return spec.get("subset") is None and spec.get("objective") == "jtt" and same_images
    if subset is None or result.subset is None or spec.get("mode") != "last-layer":
        return False
    asked, of_result = subset.spec, result.subset.spec
    is_as_large = all(asked.get(name) == of_result.get(name) for name in ("space", "size"))
    is_unasked = asked.get("strategy") == SLIM and asked.get("campaign") is None
    fitted = _fitted(result)
    is_alike = fitted is None or trained_by(model) == without_answers(trained_by(fitted))
    return is_as_large and is_unasked and is_alike and ALL_WRONG.items() <= asked.get("options", {}).items()


def is_itself_unasked(result: Result) -> bool:
    """Whether the model of a result is the method without annotation."""
    return result.model is not None and is_unasked(result.model, result.subset, result)


def save_unasked(result: Result) -> list[Run]:
    """Save what leads to it, and its evaluation on the images and in the groups of the result (needs lead).

    ``result``: a pair. Returns the evaluations, which end last; of JTT one for each of its settings.
    """
    assert result.subset is not None and result.model is not None and result.after is not None  # it is a pair
    seed, reference = int(result.model.spec["seed"]), result.reference
    fitted = _fitted(result)
    fields = None if fitted is None else {"reference": fitted.spec["reference"], **without_answers(trained_by(fitted))}
    of_probe = rests_on_probe(session.store(), reference)
    models = [_by_all_wrong(result.subset, seed, fields)] if of_probe else _by_jtt(reference, seed)
    return [save_on_groups_of(result.after, model) for model in models]


def chosen_unasked(evaluations: Sequence[Run]) -> Run:
    """The one whose model validation chooses, of the finished evaluations that ``save_unasked`` has queued."""
    trained = {one.spec["model"]: one for one in evaluations}
    known = session.store().runs.all(kind="train", dataset=evaluations[0].dataset_id)
    models = [run for run in known if run.id in trained]  # others were deleted
    return trained[best_on_validation(models).id] if models else evaluations[-1]


def _fitted(result: Result) -> Run | None:
    """The model of the result where it is a last layer: what stands beside it is fitted so without answers."""
    model = result.model
    return model if model is not None and model.spec["mode"] == "last-layer" else None


def _by_all_wrong(subset: Run, seed: int, fields: dict[str, Any] | None) -> Run:
    without, _ = actions.save(_without_answers(subset), name="Subset without answers")
    return save_retrained(without, "last-layer", seed, fields=fields)


def _without_answers(subset: Run) -> dict[str, Any]:
    """The spec of a subset as large, of the same space, that takes all attention to be wrong."""
    kept = {name: value for name, value in subset.spec.items() if name not in _OF_ANSWERS}
    return kept | {"strategy": SLIM, "options": {**subset.spec.get("options", {}), **ALL_WRONG}}


def _by_jtt(reference: Run, seed: int) -> list[Run]:
    def saved(name: str, fields: dict[str, Any]) -> Run:
        return actions.save(retrain_spec(reference, None, "scratch", seed, fields), name=name)[0]

    firsts = [(saved(*jtt_first(epochs)), upweight) for epochs, upweight in jtt_grid(reference.spec["model"])]
    return [saved(*jtt_second(first, upweight)) for first, upweight in firsts]


TITLES: dict[PipelineKind, str] = {
    "questions": "Train, map attention, select candidates",
    "comparison": "Curate, retrain, compare",
    "retraining": "Retrain, compare",
    "training": "Train, evaluate, map attention",
    "spaces": "Map attention, build the space",
    "scores": "Score again",
    "unasked": "Train without answers, compare",
}

_OF_A_TRAINING = {"train": "train", "evaluate": "evaluate", "gradcam": "map attention"}  # step -> in the title


def title(pipeline: Pipeline) -> str:
    """What it does; of a training, what was asked to follow it."""
    if pipeline.kind != "training":
        return TITLES[pipeline.kind]
    kinds = {"train", *(run.kind for run in pipeline.runs)}  # a run of it may be deleted
    return ", ".join(words for kind, words in _OF_A_TRAINING.items() if kind in kinds).capitalize()


def reference_spec(dataset: Dataset, **fields: Any) -> dict[str, Any]:
    """The training that is proposed here; ``fields``: of TrainSpec, which go before."""
    model = fields.pop("model", None) or proposal(dataset).model
    return first_training(dataset, model, **fields).model_dump(mode="json")


def to_questions(
    dataset: Dataset, training: Run | Mapping[str, Any], *, space: Run | None = None, share: float | None = None
) -> Pipeline:
    """Queue a reference model, its evaluation, maps and space, and the choice of the images (needs lead).

    Args:
        dataset: whose images are asked about.
        training: the model, or the spec of one.
        space: one of the model's training images, where there is one already.
        share: of the images of each class; None: the proposed ones.

    Raises:
        SpecRefusedError: there are too few images for a space; no run is saved.
        QueueUnavailableError: Redis does not answer; all is saved, and starts once it does. So below.
    """
    require_for_space(session.store().datasets.table(dataset.id), "train")
    model = actions.save(training, name="Reference model")[0] if isinstance(training, Mapping) else training
    common = {"dataset": dataset.id, "seed": model.spec["seed"]}
    if space is None:
        maps = attention_pass(model, "train")
        space, _ = actions.save({"kind": "space", **common, "attention": maps.id}, name="Attention space of train")
    evaluation = save_evaluation(model)
    asked = {"kind": "candidates", **common, "space": space.id, "share": share}
    return _started("questions", [evaluation, actions.save(asked, name="Candidates")[0]])


def to_comparison(campaign: Campaign) -> Pipeline:
    """Queue the subset by the answers so far, a model retrained on it, and its evaluation (needs lead)."""
    return to_subset(
        campaign_actions.subset_spec(campaign), None, seed=0,
        name=f"Subset from {campaign.name}", model_name=f"Retrained from {campaign.name}",
    )  # fmt: skip


def to_subset(
    spec: Mapping[str, Any],
    way: Retrain | None,
    seed: int,
    *,
    name: str | None,
    model_name: str | None = None,
    fields: dict[str, Any] | None = None,
) -> Pipeline:
    """Queue a subset by its spec, a model retrained on it, and its evaluation (needs lead).

    ``way``: None: as usual; ``name``: of the subset; ``fields``: of TrainSpec, which go before those of the reference.
    """
    chosen, _ = actions.save(spec, name=name)
    return _started("comparison", [save_retraining(chosen, way, seed, name=model_name, fields=fields)])


def to_retraining(subset: Run, way: Retrain, seed: int, *, fields: dict[str, Any] | None = None) -> Pipeline:
    """Queue a model retrained on a subset that is there, and its evaluation (needs lead); ``fields``: as above."""
    return _started("retraining", [save_retraining(subset, way, seed, fields=fields)])


def to_unasked(result: Result) -> Pipeline:
    """Queue the method without annotation beside a result, a pair, and its evaluation (needs lead)."""
    return _started("unasked", save_unasked(result))


def to_models(
    spec: Mapping[str, Any], seeds: Sequence[int], *, evaluate: bool, maps: bool, name: str | None = None
) -> tuple[Run, bool]:
    """Queue a training with each of the seeds and what follows it (needs lead).

    ``evaluate``, ``maps``: whether each model is evaluated, and its attention maps computed, once it is trained.
    Returns the first training, and whether it is a new one.
    """
    specs = [parse_spec({**spec, "seed": seed}) for seed in seeds]  # one that is refused is so before any is saved
    name = name or _usual_name(specs[0])
    models = [actions.save(one, name=_seed_name(name, one.seed, seeds)) for one in specs]
    _started("training", [end for model, _ in models for end in _following(model, evaluate=evaluate, maps=maps)])
    return models[0]


def to_report(
    dataset: Dataset, path: str, model: str, *, name: str | None, fields: Mapping[str, Any]
) -> tuple[Run, bool]:
    """Queue the registration of a model that was trained elsewhere, its maps and its evaluation (needs lead); of them
    its report is made.

    Raises:
        PathRefusedError, CheckpointRefusedError: there is no such file, or it lies outside the allowed folders.
    """
    session.acting_as("lead")
    spec = {"kind": "train", "dataset": dataset.id, "model": model, **registration(path, settings()), **fields}
    return to_models(spec, [0], evaluate=True, maps=True, name=name or f"{model} from {Path(path).name}")


def to_spaces(models: Sequence[Run], split: str) -> Pipeline:
    """Queue the attention maps of each model, where there are none yet, and an attention space of them (needs lead).

    Raises:
        SpecRefusedError: there are too few images for a space; no run is saved.
    """
    require_for_space(session.store().datasets.table(models[0].dataset_id), split)
    return _started("spaces", [_space(model, split) for model in models])


def to_scores(specs: Sequence[tuple[Mapping[str, Any], str | None]]) -> Pipeline:
    """Queue steps that were done before, (spec, name) each, against what is drawn by now (needs lead)."""
    return _started("scores", [actions.save(spec, name=name)[0] for spec, name in specs])


def _space(model: Run, split: str) -> Run:
    maps = attention_pass(model, split)
    spec = {"kind": "space", "dataset": model.dataset_id, "attention": maps.id, "split": split}
    return actions.save({**spec, "seed": model.spec["seed"]}, name=f"Attention space of {model.name or model.id}")[0]


def _usual_name(training: Spec) -> str | None:
    """As a command calls a new model that nobody names; None for one that rests on another."""
    if not isinstance(training, TrainSpec) or training.subset is not None or training.reference is not None:
        return None
    return usual_name(training.model, session.store().datasets.fetch(training.dataset).name)


def _seed_name(name: str | None, seed: int, seeds: Sequence[int]) -> str | None:
    return f"{name}, seed {seed}" if name and len(seeds) > 1 else name


def _following(model: Run, *, evaluate: bool, maps: bool) -> list[Run]:
    """What is queued behind a training; itself where nothing is."""
    found = [attention_pass(model, "train")] if maps else []
    if evaluate:
        found.append(save_evaluation(model))
    return found or [model]


def stop(pipeline: Pipeline) -> None:
    """Ask every step that has not ended to stop (needs lead); what waits before what runs."""
    for run in reversed(pipeline.runs):
        if run.status in STOPPABLE:
            actions.stop(run.id)


def resume(pipeline: Pipeline) -> None:
    """Queue every step again that failed or was stopped, parents first (needs lead); each goes on where it was.

    One that had ended with its parent is queued with it, before its turn comes.
    """
    by, store = session.acting_as("lead"), session.store()
    for run in pipeline.runs:
        if store.runs.fetch(run.id).status in UNFINISHED:
            store.attempts.retry(run.id, by)
    actions.wake_all(store.pipelines.fetch(pipeline.id).runs)


def _started(kind: PipelineKind, ends: Sequence[Run]) -> Pipeline:
    """Keep saved runs, and those they wait for, as a pipeline; and wake workers for all of them."""
    pipeline = session.store().pipelines.create(kind, [end.id for end in ends], session.acting_as("lead"))
    actions.wake_all(pipeline.runs)
    return pipeline


def outdated(dataset: str) -> list[Run]:
    """The newest run of each spec, oldest first, that knows other shapes than there are now."""
    store = session.store()
    newest = store.shapes.newest(dataset) or None
    found: dict[str, Run] = {}
    for kind in SCORED:
        for run in reversed(store.runs.all(kind=kind, dataset=dataset, metrics=False)):
            if run.status not in ("failed", "canceled") and run.spec.get("attention", True):
                found[json.dumps(without_shapes(run.spec), sort_keys=True)] = run
    behind = [run for run in found.values() if run.spec.get("shapes_seq") != newest]
    return sorted((run for run in behind if run.status == "done"), key=lambda run: run.created_at)


def score_again(runs: list[Run]) -> Pipeline:
    """Queue them with the shapes of now (needs lead); their maps are taken over where they were kept.

    Raises:
        QueueUnavailableError: Redis does not answer; all of them are saved, and start when it does.
    """
    return to_scores([(without_shapes(run.spec), run.name) for run in runs])


def without_shapes(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec that is scored against the shapes of now: they are pinned when it is submitted."""
    return {key: value for key, value in spec.items() if key != "shapes_seq"}
