"""The loop in two presses: to the questions, and from the answers to the comparison. Each press queues all its steps.

They are runs that wait for their parents, so that no browser has to stay open; slim_core.store.runs.pipelines keeps
them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions, campaign_actions
from app.services.queueing import evaluating, retraining, train_defaults, unasked
from slim_core.data.table import require_for_space
from slim_core.runs.trainings import first_training
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import TrainSpec
from slim_core.steps.train.recipes import usual_name
from slim_core.store.runs.states import STOPPABLE, UNFINISHED

if TYPE_CHECKING:
    from app.services.loop_state import Result
    from slim_core.runs.trainings import Retrain
    from slim_core.steps.specs import Spec
    from slim_core.store import Campaign, Dataset, Pipeline, Run
    from slim_core.store.runs.pipelines import PipelineKind

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
    model = fields.pop("model", None) or train_defaults.proposal(dataset).model
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
        maps = evaluating.attention_pass(model, "train")
        space, _ = actions.save({"kind": "space", **common, "attention": maps.id}, name="Attention space of train")
    evaluation = evaluating.save(model)
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
    return _started("comparison", [retraining.save(chosen, way, seed, name=model_name, fields=fields)])


def to_retraining(subset: Run, way: Retrain, seed: int, *, fields: dict[str, Any] | None = None) -> Pipeline:
    """Queue a model retrained on a subset that is there, and its evaluation (needs lead); ``fields``: as above."""
    return _started("retraining", [retraining.save(subset, way, seed, fields=fields)])


def to_unasked(result: Result) -> Pipeline:
    """Queue what asks nobody beside a result, a pair, and its evaluation (needs lead)."""
    return _started("unasked", unasked.save(result))


def to_models(
    spec: Mapping[str, Any], seeds: Sequence[int], *, evaluate: bool, maps: bool, name: str | None = None
) -> tuple[Run, bool]:
    """Queue a training with each of the seeds and what follows it (needs lead).

    ``evaluate``, ``maps``: whether each model is evaluated, and its attention maps computed, once it is trained.
    Returns the first training, and whether it is a new one.
    """
    specs = [parse_spec({**spec, "seed": seed}) for seed in seeds]  # one that is refused is so before any is saved
    name = name or _usual_name(specs[0])
    models = [actions.save(one, name=_name(name, one.seed, seeds)) for one in specs]
    _started("training", [end for model, _ in models for end in _following(model, evaluate=evaluate, maps=maps)])
    return models[0]


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
    maps = evaluating.attention_pass(model, split)
    spec = {"kind": "space", "dataset": model.dataset_id, "attention": maps.id, "split": split}
    return actions.save({**spec, "seed": model.spec["seed"]}, name=f"Attention space of {model.name or model.id}")[0]


def _usual_name(training: Spec) -> str | None:
    """As a command calls a new model that nobody names; None for one that rests on another."""
    if not isinstance(training, TrainSpec) or training.subset is not None or training.reference is not None:
        return None
    return usual_name(training.model, session.store().datasets.fetch(training.dataset))


def _name(name: str | None, seed: int, seeds: Sequence[int]) -> str | None:
    return f"{name}, seed {seed}" if name and len(seeds) > 1 else name


def _following(model: Run, *, evaluate: bool, maps: bool) -> list[Run]:
    """What is queued behind a training; itself where nothing is."""
    found = [evaluating.attention_pass(model, "train")] if maps else []
    if evaluate:
        found.append(evaluating.save(model))
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
