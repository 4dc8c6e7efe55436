"""How long steps take, before they are queued and while they wait: by what such steps took here before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

from app import session
from app.services.queueing import train_defaults
from slim_core.store.queue.estimates import step_of
from slim_core.store.runs.states import ACTIVE

if TYPE_CHECKING:
    from slim_core.store import Dataset, Pipeline, Run
    from slim_core.store.queue.estimates import Durations


@dataclass(frozen=True)
class Expected:
    """``seconds``: of the steps whose time is known; ``unknown``: kinds of the others, which never ran here."""

    seconds: float
    unknown: tuple[str, ...] = ()


def left_of(pipeline: Pipeline) -> Expected:
    """What is left of a pipeline; of scores from kept maps, which take seconds, by such runs before."""
    if pipeline.kind != "scores":
        return left(pipeline.runs)
    takes = _scores_take(pipeline.dataset_id, pipeline.id, sum(run.status == "done" for run in pipeline.runs))
    return _sum((run.kind, _rest(run, takes.get(run.kind))) for run in pipeline.runs if run.status in ACTIVE)


@lru_cache(maxsize=64)
def _scores_take(dataset: str, pipeline: str, n_done: int) -> Mapping[str, float]:  # noqa: ARG001
    """Kind -> seconds of a run of such pipelines; read anew once one more of this pipeline's runs is done.

    Its page asks every second, and all pipelines of the data set would be read for it.
    """
    taken: dict[str, list[float]] = {}
    for one in session.store().pipelines.all(dataset):
        for run in one.runs if one.kind == "scores" else ():
            if run.status == "done":
                taken.setdefault(run.kind, []).append(run.seconds)
    return {kind: median(seconds) for kind, seconds in taken.items()}


def left(runs: Iterable[Run]) -> Expected:
    """What is left of runs of one data set, done one after the other, that have not ended."""
    active = [run for run in runs if run.status in ACTIVE]
    if not active:
        return Expected(0.0)
    store = session.store()
    dataset, known = store.datasets.fetch(active[0].dataset_id), store.queue.durations()
    return _sum((run.kind, _left(run, dataset, known)) for run in active)


def before(
    dataset: Dataset, kinds: Iterable[str], training: Mapping[str, Any], n_images: int | None = None
) -> Expected:
    """What steps take that are not there yet.

    ``training``: its spec; ``n_images``: of an epoch, where not all of train.
    """
    known = session.store().queue.durations()
    of_training = _of_training(training, dataset, known, n_images)
    return _sum((kind, of_training if kind == "train" else known.of_step(kind, dataset.id)) for kind in kinds)


def _sum(steps: Iterable[tuple[str, float | None]]) -> Expected:
    known = list(steps)
    unknown = tuple(dict.fromkeys(kind for kind, seconds in known if seconds is None))
    return Expected(sum(seconds for _, seconds in known if seconds is not None), unknown)


def _left(run: Run, dataset: Dataset, known: Durations) -> float | None:
    return _rest(run, _whole(run, dataset, known))


def _rest(run: Run, takes: float | None) -> float | None:
    """What is left of a run: as it says itself, else of the seconds that it ``takes``."""
    says = run.progress.get("seconds_left")
    if says is not None and run.shown_status != "queued":
        return float(says)
    if takes is None or run.status == "queued" or run.started_at is None:
        return takes
    return max(0.0, takes - (datetime.now(UTC) - run.started_at).total_seconds())


def _whole(run: Run, dataset: Dataset, known: Durations) -> float | None:
    if run.kind != "train":
        return known.of_step(run.kind, run.dataset_id)
    subset = session.store().runs.find(run.spec["subset"]) if run.spec["subset"] else None
    return _of_training(run.spec, dataset, known, int(subset.spec["size"]) if subset else None)


def _of_training(spec: Mapping[str, Any], dataset: Dataset, known: Durations, n_images: int | None) -> float | None:
    """Seconds of the epochs of a network by the pace of its model; a last layer has none."""
    if spec.get("mode", "full") != "full":
        return known.of_step(step_of("train", spec["mode"]), dataset.id)
    return train_defaults.seconds(dataset, spec["model"], spec["epochs"], n_images)
