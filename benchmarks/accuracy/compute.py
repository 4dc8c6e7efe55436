"""Computes the cases of a study that are not kept yet, one at a time, by the functions that `slim run` uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.cases import RESULTS, append, read
from benchmarks.accuracy.studies import Case, Study, StudySet
from slim_core import api
from slim_core.data.sets import make_set
from slim_core.data.sets.demo_set import write_set
from slim_core.errors import QueueUnavailableError, RunCanceledError, SlimError
from slim_core.metrics import ATTENTION_PRECISION, AVERAGE, WGA, WORST_CLASS
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import METHODS, Loop, Outcome
from slim_core.runs.trainings import default_model
from slim_core.store import Dataset, StoreUnavailableError
from slim_core.version import code_version

log = logging.getLogger(__name__)


def compute(study: Study, at: Workbench, say: Callable[[str], None], folder: Path = RESULTS) -> int:
    """Compute what is not there; a case that fails is said, and the others go on. Returns how many failed.

    Raises:
        QueueUnavailableError, StoreUnavailableError, RunCanceledError: nothing can be computed or kept now.
    """
    there = {Case(row.set, row.seed, row.method, row.annotator) for row in read(study, folder).itertuples()}
    computed = [case for case in study.cases() if case.method in METHODS]
    left, n_failed = [case for case in computed if case not in there], 0
    for number, case in enumerate(left, start=1):
        about = f"{number}/{len(left)}  {case.set} seed {case.seed}  {case.method} {case.annotator}".rstrip()
        try:
            found = _row(study, case, at)
        except (QueueUnavailableError, StoreUnavailableError, RunCanceledError):
            raise
        except SlimError as error:
            n_failed += 1
            say(f"{about}  failed: {error}")
            continue
        append(study, case, found, folder)
        say(f"{about}  {100 * found[WGA]:.1f}")
    return n_failed


def _row(study: Study, case: Case, at: Workbench) -> dict[str, Any]:
    asked = next(one for one in study.sets if one.name == case.set)
    dataset = _data(asked, case.seed, at)
    n_draws = study.draws if METHODS[case.method].is_drawn else 1
    outcomes = [Loop(at, _config(study, asked, case, dataset, draw)).outcome(case.method) for draw in range(n_draws)]
    return {
        "labels_used": outcomes[0].labels_used,
        "answers": _mean([one.n_answers for one in outcomes]),
        "images": _mean([one.n_images for one in outcomes]),
        WGA: _metric(outcomes, WGA),
        "average": _metric(outcomes, AVERAGE),
        "worst_class": _metric(outcomes, WORST_CLASS),
        "attention": _metric(outcomes, ATTENTION_PRECISION),
        "seconds": _mean([one.seconds for one in outcomes]),
        "code": code_version(),
    }


def _config(study: Study, asked: StudySet, case: Case, dataset: Dataset, draw: int) -> LoopConfig:
    annotator = next((one for one in study.annotators if one.name == case.annotator), None)
    fields = {"model": default_model(dataset), **asked.loop}
    return LoopConfig(
        **fields | {"train": {**fields.get("train", {}), **asked.train_by_method.get(case.method, {})}},
        dataset=dataset.id,
        seed=case.seed,
        draw=draw,
        answers=study.answers,
        flip=annotator.flip if annotator else 0.0,
        unsure=annotator.unsure if annotator else 0.0,
    )


def _data(asked: StudySet, seed: int, at: Workbench) -> Dataset:
    """The registered data set; a demo set is drawn with the seed first."""
    if asked.folder:
        return api.data_set(asked.folder, at=at)
    demo = make_set(asked.demo, **asked.parameters, seed=seed)
    folder = at.store.settings.home / "demo-data" / f"{demo.name}-seed-{seed}-{demo.digest}"
    write_set(folder, demo)
    return api.data_set(folder, at=at)


def _metric(outcomes: Sequence[Outcome], name: str) -> float | None:
    """None: where it was not measured, as attention without maps on test."""
    values = [(one.evaluation.metrics or {}).get(name) for one in outcomes]
    known = [value for value in values if value is not None]
    return _mean(known) if len(known) == len(values) else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
