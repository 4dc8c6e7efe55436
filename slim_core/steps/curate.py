"""Propagate the answers of a campaign and choose the subset to retrain on (METHOD.md S5 to S9)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.annotation.answered_space import curation_data, views_of
from slim_core.annotation.propagation import expand
from slim_core.curation import CurationData, Subset, check_options, curate, needs_scores
from slim_core.curation.data import UNANSWERED
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.space.environments import ClusterConfig, Views
from slim_core.steps.answers import Answers, aligned, given_answers, require_head_on_map
from slim_core.steps.context import StepContext
from slim_core.steps.specs import CurateSpec
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Run


def run(spec: CurateSpec, context: StepContext) -> dict[str, Any]:
    """Leave subset.parquet (row, count, cell, score, label), scores.npy (aligned with the space) and report.json.

    Returns:
        images (repeats included), images_unique, answers, answers_share (of the images of the split), the strategy's
        report, and where classes are balanced twice attention_wrong, the images whose attention is assumed wrong.

    Raises:
        AnswersRefusedError: answers belong to images outside the space, or the strategy cannot do with these.
        SpecRefusedError: the strategy is unknown or cannot choose so many images, or the space is not of train.
    """
    of_train = context.store.runs.fetch(spec.space)
    require_train(of_train)
    table = context.table(spec.dataset)
    space = SpaceResult(context.parent(spec.space))
    rows = space.rows
    answers, n_given = answers_of(spec, rows, context)
    context.progress(0, 2, "propagation")
    unscored = np.full(len(rows), np.nan)
    views = _views(spec, space, of_train, context)
    data = _scored(spec, curation_data(table, space, unscored, answers, views))
    context.check_stop()
    context.progress(1, 2, "curation")
    subset = curate(data, strategy=spec.strategy, size=spec.size, seed=spec.seed, **spec.options)
    np.save(context.out / result_files.PROPAGATED, subset.scores)
    _table(subset, rows, table).to_parquet(context.out / result_files.SUBSET, index=False)
    (context.out / result_files.REPORT).write_text(json.dumps(subset.report, indent=1))
    context.progress(2, 2, "curation")
    return _metrics(subset, answers, n_given)


def require_train(space: Run) -> None:
    """Refuse a space whose images must not be trained on.

    Raises:
        SpecRefusedError: the space is of another split than train.
    """
    if space.spec["split"] != "train":
        raise SpecRefusedError(
            f"Space {space.id} is of {space.spec['split']}, but a subset is trained on: take a space of train "
            f"(slim space --split train), or a campaign about one."
        )


def answers_of(spec: CurateSpec, rows: NDArray[np.int64], context: StepContext) -> tuple[Answers, int]:
    """(n,) 1 right, 0 wrong, -1 unsure or not asked, aligned with the space's rows; and how many were given."""
    if spec.campaign is None:
        return np.full(len(rows), UNANSWERED, np.int8), 0
    answered, values = given_answers(context.store, spec.campaign, spec.answers_seq)
    return aligned(spec.campaign, answered, values, spec.space, rows), len(answered)


def _views(spec: CurateSpec, space: SpaceResult, of_train: Run, context: StepContext) -> Views | None:
    """What environments are found in, where they are not those of the space."""
    found_by = check_options(spec.strategy, spec.options).environments
    if found_by == "space":
        return None
    if found_by == "answers":
        require_head_on_map(of_train, context.store)
    seen = AttentionResult(context.parent(of_train.spec["attention"]))
    return views_of(space, seen, found_by, ClusterConfig.of(of_train.spec))


def _scored(spec: CurateSpec, data: CurationData) -> CurationData:
    """The data with the score of each image that its attention is right, 0..1, where answers are given and it counts.

    NaN for a class that nobody has answered.
    """
    is_needed = needs_scores(data, spec.strategy, check_options(spec.strategy, spec.options))
    if not is_needed or not (data.answers >= 0).any():
        return data
    scores = expand(data.attention_space, data.labels, data.answers, gammas=spec.gammas)
    return replace(data, scores=scores)


def _table(subset: Subset, rows: NDArray[np.int64], table: ImageTable) -> pd.DataFrame:
    positions = np.asarray(subset.positions)
    if not len(positions):
        raise SpecRefusedError("The strategy keeps no image: lower the threshold, or give more answers.")
    return pd.DataFrame(
        {
            "row": rows[positions],
            "count": subset.counts,
            "cell": [str(cell) for cell in subset.cells],
            "score": subset.scores[positions],
            "label": table.labels[rows[positions]],
        }
    )


def _metrics(subset: Subset, answers: Answers, n_given: int) -> dict[str, Any]:
    right, wrong = int((answers == 1).sum()), int((answers == 0).sum())
    presumed = subset.report.get("clusters", {}).get("images_wrong")
    return ({} if presumed is None else {"attention_wrong": presumed}) | {
        "images": int(np.sum(subset.counts)),
        "images_unique": len(subset.positions),
        "answers": n_given,
        "answers_share": n_given / len(answers),
        "right": right,
        "wrong": wrong,
        "unsure": n_given - right - wrong,
        "report": subset.report,
    }
