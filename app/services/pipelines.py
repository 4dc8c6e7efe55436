"""The loop in two presses: to the questions, and from the answers to the comparison. Each press queues all its steps.

They are runs that wait for their parents, so that no browser has to stay open; slim_core.store.runs.pipelines keeps
them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions, campaign_actions, evaluating, retraining, train_defaults
from slim_core.errors import QueueUnavailableError
from slim_core.percent import counted
from slim_core.steps.registry import STEPS
from slim_core.store.runs.states import STOPPABLE, UNFINISHED

if TYPE_CHECKING:
    from slim_core.runs.loop_runs import Retrain
    from slim_core.store import Campaign, Dataset, Pipeline, Run
    from slim_core.store.runs.pipelines import PipelineKind

TITLES: dict[PipelineKind, str] = {
    "questions": "Train, map attention, select candidates",
    "comparison": "Curate, retrain, compare",
    "retraining": "Retrain, compare",
    "training": "Train, evaluate, map attention",
    "spaces": "Map attention, build the space",
    "scores": "Score again",
}


def reference_spec(dataset: Dataset, **fields: Any) -> dict[str, Any]:
    """The training that is proposed here; ``fields``: of TrainSpec, which go before."""
    model = fields.pop("model", None) or train_defaults.proposal(dataset).model
    proposed = {"epochs": train_defaults.epochs(dataset, model)}
    weights = STEPS["train"].spec.model_validate({"dataset": dataset.id, "model": model}).model_dump()["weights"]
    return {"kind": "train", "dataset": dataset.id, "model": model, "weights": weights, **proposed, **fields}


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
        QueueUnavailableError: Redis does not answer; all is saved, and starts once it does. So below.
    """
    model = actions.saved(training, name="Reference model") if isinstance(training, Mapping) else training
    common = {"dataset": dataset.id, "seed": model.spec["seed"]}
    if space is None:
        maps = evaluating.attention_pass(model, "train")
        space = actions.saved({"kind": "space", **common, "attention": maps.id}, name="Attention space of train")
    evaluation = evaluating.saved(model)
    asked = {"kind": "candidates", **common, "space": space.id, "share": share}
    return _kept("questions", [evaluation], lambda: actions.submit(asked, name="Candidates")[0])


def to_comparison(campaign: Campaign) -> Pipeline:
    """Queue the subset by the answers so far, a model retrained on it, and its evaluation (needs lead)."""
    names = {"name": f"Subset from {campaign.name}", "model_name": f"Retrained from {campaign.name}"}
    return to_subset(campaign_actions.subset_spec(campaign), None, seed=0, **names)


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
    chosen = actions.saved(spec, name=name)
    return _kept("comparison", [], lambda: retraining.retrain(chosen, way, seed, name=model_name, fields=fields))


def to_retraining(subset: Run, way: Retrain, seed: int, *, fields: dict[str, Any] | None = None) -> Pipeline:
    """Queue a model retrained on a subset that is there, and its evaluation (needs lead); ``fields``: as above."""
    return _kept("retraining", [], lambda: retraining.retrain(subset, way, seed, fields=fields))


def to_models(
    spec: Mapping[str, Any], seeds: Sequence[int], *, evaluate: bool, maps: bool, name: str | None = None
) -> tuple[Run, bool]:
    """Queue a training with each of the seeds and what follows it (needs lead).

    ``evaluate``, ``maps``: whether each model is evaluated, and its attention maps computed, once it is trained.
    Returns the first training, and whether it is a new one.
    """
    models = [_training({**spec, "seed": seed}, _name(name, seed, seeds)) for seed in seeds]
    ends = [end for model, _ in models for end in _following(model, evaluate=evaluate, maps=maps)]
    _kept("training", ends[:-1], lambda: ends[-1])
    return models[0]


def to_spaces(models: Sequence[Run], split: str) -> Pipeline:
    """Queue the attention maps of each model, where there are none yet, and an attention space of them (needs lead)."""
    spaces = [_space(model, split) for model in models]
    return _kept("spaces", spaces[:-1], lambda: spaces[-1])


def to_scores(specs: Sequence[tuple[Mapping[str, Any], str | None]]) -> Pipeline:
    """Queue steps that were done before, (spec, name) each, against what is drawn by now (needs lead)."""
    *others, (spec, name) = specs
    saved = [actions.saved(one, name=named) for one, named in others]
    return _kept("scores", saved, lambda: actions.submit(spec, name=name)[0])


def _space(model: Run, split: str) -> Run:
    maps = evaluating.attention_pass(model, split)
    spec = {"kind": "space", "dataset": model.dataset_id, "attention": maps.id, "split": split}
    return actions.saved({**spec, "seed": model.spec["seed"]}, name=f"Attention space of {model.name or model.id}")


def _training(spec: Mapping[str, Any], name: str | None) -> tuple[Run, bool]:
    try:
        return actions.submit(spec, name=name)
    except QueueUnavailableError:  # the same again is the run that was saved
        return actions.submit(spec, name=name)[0], True


def _name(name: str | None, seed: int, seeds: Sequence[int]) -> str | None:
    return f"{name}, seed {seed}" if name and len(seeds) > 1 else name


def _following(model: Run, *, evaluate: bool, maps: bool) -> list[Run]:
    """What is queued behind a training; itself where nothing is."""
    found = [evaluating.attention_pass(model, "train")] if maps else []
    if evaluate:
        found.append(evaluating.saved(model))
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
    away: QueueUnavailableError | None = None
    runs = session.store().runs
    for run in pipeline.runs:
        if runs.fetch(run.id).status in UNFINISHED:
            try:
                actions.retry(run.id)
            except QueueUnavailableError as error:
                away = error
    if away is not None:
        raise away


def _kept(kind: PipelineKind, others: Sequence[Run], last: Callable[[], Run]) -> Pipeline:
    """Queue the last step, and keep all as a pipeline."""
    end = actions.although_queue_is_away(last)
    ends = [*(run.id for run in others), end.id]
    pipeline = session.store().pipelines.create(kind, ends, session.acting_as("lead"))
    _require_queue(pipeline)
    return pipeline


def _require_queue(pipeline: Pipeline) -> None:
    """Say where the queue is away, by waking a worker once more: one that is woken twice finds nothing to do."""
    first = pipeline.runs[0]
    if first.status != "queued":
        return
    try:
        session.queue().submit(first)
    except QueueUnavailableError as error:
        steps = counted(len(pipeline.runs), "step")
        raise QueueUnavailableError(
            f"The queue is not reachable. {steps} are saved and start once the queue is back. {error}"
        ) from error
