"""What to try next where a retrained model is not better, worked out from its runs; each try is one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from app import session
from app.services import actions
from app.services.queueing import pipelines
from app.services.queueing.retraining import trained_by
from slim_core.percent import counted, percent
from slim_core.runs.loop_runs import usual_curation
from slim_core.store.results import training_history

if TYPE_CHECKING:
    from app.services.loop_state import Result
    from slim_core.runs.loop_runs import Retrain
    from slim_core.store import Pipeline, Run

FALLS = 0.05  # of the loss, from the fifth of the epochs before the last to the last one: it still learns
LAST = 5  # the last epochs are this part of all
MOST = 3  # tries that are offered


@dataclass(frozen=True)
class Try:
    """``why``: one sentence, from the runs.

    ``act`` queues all its steps (needs lead); None where people do it, on the Annotate page by ``link``.
    """

    name: str
    label: str
    why: str
    act: Callable[[], Pipeline] | None
    link: Mapping[str, str] = field(default_factory=dict)


def tries(result: Result) -> list[Try]:
    """The first MOST that apply, the likeliest first; none where the result has no retrained model."""
    if result.model is None or result.subset is None:
        return []
    model, subset = map(session.store().runs.fetch, (result.model.id, result.subset.id))
    return list(_all(model, subset))[:MOST]


def _all(model: Run, subset: Run) -> Iterator[Try]:
    """Of both with their metrics."""
    way, fields = _way_of(model), _same_way(model)
    seed, metrics = int(model.spec["seed"]), subset.metrics or {}
    if way != "last-layer":
        yield from _longer(model, subset, way, seed, fields)
    yield from _balanced_twice(subset, way, seed, fields)
    if larger := _larger(subset, metrics):
        repeats = metrics["images"] - metrics["images_unique"]
        are = "is a repeat" if repeats == 1 else "are repeats"
        why = f"{repeats:,} of the {metrics['images']:,} images of the subset {are}."
        asked = subset.spec | {"size": larger}
        act = partial(pipelines.to_subset, asked, way, seed, name=subset.name, fields=fields)
        yield Try("size", f"Curate {larger:,} images", why, act)
    other: Retrain = "scratch" if way == "reference" else "reference"
    how = {"scratch": "from the initial weights", "reference": "from the reference model"}
    why = {
        "scratch": "The model was retrained from the initial weights, and a small subset may not be enough for that.",
        "reference": "The model was retrained from the reference model, and may keep its shortcut.",
        "last-layer": "Only the last layer was retrained: the features are those of the reference model.",
    }[way]
    yield Try("start", f"Retrain {how[other]}", why, partial(pipelines.to_retraining, subset, other, seed))
    yield from _environments(subset, metrics, way, seed, fields)
    if (campaign := subset.spec.get("campaign")) is not None:
        why = _asked_so_far(metrics, _n_train(subset))
        link = {"dataset": subset.dataset_id, "campaign": campaign, "section": "campaign"}
        label = "Ask about more images" if metrics["answers"] else "Ask about images"
        yield Try("answers", label, why, None, link)


def _longer(model: Run, subset: Run, way: Retrain, seed: int, fields: dict[str, Any]) -> Iterator[Try]:
    """More epochs, where the loss still falls and one of the last epochs is the best on validation."""
    epochs = int(model.spec["epochs"])
    history = training_history(session.store().artifacts, model.id)
    fall = still_falls([entry["train_loss"] for entry in history])
    if fall is None or len(history) < epochs:  # its patience ended it, and would end a longer one there
        return
    best = int((model.metrics or {}).get("best_epoch", epochs))
    if epochs - best >= max(1, epochs // LAST):
        return
    why = f"The training loss is still falling after {counted(epochs, 'epoch')}: {fall[0]:.3f} to {fall[1]:.3f}."
    more = {name: value for name, value in fields.items() if name != "milestones"} | {"epochs": 2 * epochs}
    longer = partial(pipelines.to_retraining, subset, way, seed, fields=more)
    yield Try("epochs", f"Retrain for {2 * epochs} epochs", why, longer)


def _asked_so_far(metrics: Mapping[str, Any], n_train: int) -> str:
    if not metrics["answers"]:
        sheets = metrics.get("environment_answers", 0)
        verb = "is" if sheets == 1 else "are"
        return f"{counted(sheets, 'sheet')} {verb} answered, but no image." if sheets else "No answers were used."
    asked = counted(metrics["answers"], "image")
    return f"Answers about {asked} were used, {percent(metrics['answers'] / n_train)} of the training images."


def _balanced_twice(subset: Run, way: Retrain, seed: int, fields: dict[str, Any] | None = None) -> Iterator[Try]:
    """The classes balanced twice in half of the images, by what the answers say: what helped last layers most.

    Whole networks look at the class itself by then, and answers add nothing (docs/decisions/0039, docs/benchmark.md).
    """
    spec = subset.spec
    options = spec.get("options", {})
    usual_size, usual = usual_curation(_n_train(subset), spec["strategy"], of_probe=way == "last-layer")
    if not usual or spec.get("campaign") is None or options.items() >= usual.items():
        return
    size = max(int(spec["size"]), usual_size)
    why = (
        "The classes are balanced over the surroundings only. A small shortcut shows up in what the model looks at "
        "where its attention is wrong."
    )
    twice = spec | {"size": size, "options": {**options, **usual}}
    act = partial(pipelines.to_subset, twice, way, seed, name=subset.name, fields=fields)
    yield Try("twice", f"Balance twice, {size:,} images", why, act)


def _n_train(subset: Run) -> int:
    return len(session.store().datasets.table(subset.dataset_id).rows("train"))


def _way_of(model: Run) -> Retrain:
    """How it was retrained on its subset."""
    way: Retrain = "last-layer" if model.spec["mode"] == "last-layer" else model.spec["start"]
    return way


def _same_way(model: Run) -> dict[str, Any]:
    """Fields of TrainSpec with which another is retrained as it was: from the model that it started from, which in a
    study may be another than the one people judged, and by its hyper-parameters."""
    start = {"reference": model.spec["reference"]} if model.spec.get("reference") else {}
    return start | trained_by(model)


def _larger(subset: Run, metrics: dict[str, Any]) -> int | None:
    """Twice the size, up to all training images; None where nothing is repeated, or all are chosen from already."""
    n, size = _n_train(subset), int(subset.spec["size"])
    return min(n, 2 * size) if metrics.get("images", 0) > metrics.get("images_unique", 0) and size < n else None


def _environments(
    subset: Run, metrics: Mapping[str, Any], way: Retrain, seed: int, fields: dict[str, Any]
) -> Iterator[Try]:
    """The same answers in a space with twice as many environments, where it is those of the space that are balanced,
    and no answer is about these themselves."""
    found_by = subset.spec.get("options", {}).get("environments", "space")
    if found_by != "space" or metrics.get("environment_answers"):
        return
    cells = metrics["report"]["cells"]
    used = len({cell["environment"] for cell in cells if "environment" in cell})
    if used:
        n = min(64, 2 * used)
        why = f"The environments are estimated: {counted(used, 'environment')} may merge different surroundings."
        act = partial(_in_other_environments, subset, way, seed, n, fields)
        yield Try("environments", f"Curate with {n} environments", why, act)


def _in_other_environments(subset: Run, way: Retrain, seed: int, n: int, fields: dict[str, Any]) -> Pipeline:
    space = session.store().runs.fetch(subset.spec["space"])
    other, _ = actions.save({**space.spec, "n_clusters": n}, name=f"Space with {n} environments")
    return pipelines.to_subset(subset.spec | {"space": other.id}, way, seed, name=subset.name, fields=fields)


def beside_random(result: Result) -> Pipeline:
    """Queue a random subset of the same size, a model retrained on it in the same way, and its evaluation (needs lead).

    ``result``: a pair.
    """
    assert result.subset is not None and result.model is not None  # it is a pair
    spec, model, way = result.subset.spec, result.model.spec, _way_of(result.model)
    asked = {"kind": "curate", "dataset": result.subset.dataset_id, "space": spec["space"], "strategy": "random"}
    asked |= {"size": spec["size"], "seed": spec["seed"]}
    fields = _same_way(result.model)
    return pipelines.to_subset(asked, way, int(model["seed"]), name="Random subset", fields=fields)


def still_falls(losses: Sequence[float]) -> tuple[float, float] | None:
    """The mean loss of the fifth of the epochs before the last, and of the last, where it fell by FALLS or more."""
    n = max(1, len(losses) // LAST)
    if len(losses) < 2 * n or len(losses) < LAST:
        return None
    before, last = float(np.mean(losses[-2 * n : -n])), float(np.mean(losses[-n:]))
    return (before, last) if before > 0 and last <= (1 - FALLS) * before else None
