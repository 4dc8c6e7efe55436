"""SLIM with answers that enter the training: the loss, the choice of the epoch, or both (docs/decisions/0013)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slim_core.errors import SlimError
from slim_core.metrics import WORST_CLASS, WORST_CLASS_AND_WRONG_ATTENTION
from slim_core.runs.baselines import best_on_validation, the_best
from slim_core.runs.loop_runs import LoopRuns, Trained
from slim_core.runs.retraining import WITH_ANSWERS
from slim_core.training.config import BY_ANSWERS
from slim_core.training.objectives.answered_attention import AnsweredAttention

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

log = logging.getLogger(__name__)

WEIGHTS = (0.1, 1.0, 10.0)  # of an answer in the loss, beside 0; validation chooses


def attention_loss(loop: LoopRuns, strategy: str = "slim") -> Trained:
    """The model retrained on a strategy's subset with the answers in the loss; of a last layer, in its fit."""
    if loop.config.frozen:
        subset = loop.subset(strategy)
        return Trained(loop.retrained(subset, refit=WITH_ANSWERS, refit_options=_of(loop, loop.campaign)), subset)
    return _tuned(loop, loop.subset(strategy), loop.campaign, {}, WORST_CLASS)


def as_many_trainings(loop: LoopRuns) -> Trained:
    """What trying is worth by itself: as many trainings as ``attention_loss`` makes, none with answers in the loss.

    They differ by their seed, and the worst class on validation chooses among them, too.
    """
    subset, first = loop.subset("slim"), loop.config.drawn_seed
    every = [loop.retrained(subset, seed=seed) for seed in range(first, first + 1 + 2 * len(WEIGHTS))]
    return the_best(every, subset)


def val_answers(loop: LoopRuns) -> Trained:
    """SLIM with half of the answers; the other half, about validation images, chooses the epoch."""
    subset = loop.subset("slim", campaign=_half(loop))
    return Trained(loop.retrained(subset, **_chosen_by_answers(loop)), subset)


def attention_loss_and_val_answers(loop: LoopRuns) -> Trained:
    """Half of the answers in the subset and the loss; the other half chooses the weights and the epoch."""
    campaign = _half(loop)
    subset = loop.subset("slim", campaign=campaign)
    return _tuned(loop, subset, campaign, _chosen_by_answers(loop), WORST_CLASS_AND_WRONG_ATTENTION)


def _half(loop: LoopRuns) -> Campaign:
    return loop.answered_campaign(loop.space, loop.config.answers / 2)


def _chosen_by_answers(loop: LoopRuns) -> dict[str, Any]:
    """Fields of TrainSpec: the selection by half of the answers, about val, spread over its classes."""
    n_train, n_val = (len(loop.table.rows(split)) for split in ("train", "val"))
    campaign = loop.answered_campaign(loop.val_space, min(1.0, loop.config.answers / 2 * n_train / n_val))
    return {"selection": BY_ANSWERS, "selection_options": _of(loop, campaign)}


def _of(loop: LoopRuns, campaign: Campaign) -> dict[str, Any]:
    """The answers of a campaign, as they stand now."""
    seq = loop.store.answers.last_seq(campaign.id)
    return {"campaign": campaign.id, "answers_seq": seq, "space": campaign.space_run_id}


def _tuned(loop: LoopRuns, subset: Run, campaign: Campaign, fields: Mapping[str, Any], metric: str) -> Trained:
    """The weight of right answers that ``metric`` prefers on validation, then that of wrong ones beside it.

    One weight after the other rather than every pair: the "right" term carries it (METHOD section 4).
    """

    def trained(pairs: Iterable[tuple[float, float]]) -> list[tuple[Run, tuple[float, float]]]:
        found = [(_retrained(loop, subset, campaign, pair, fields), pair) for pair in pairs]
        return [(run, pair) for run, pair in found if run is not None]

    first = trained([(0.0, 0.0), *((right, 0.0) for right in WEIGHTS)])
    best = best_on_validation([run for run, _ in first], metric)
    right = next(pair[0] for run, pair in first if run.id == best.id)
    every = [run for run, _ in first + trained((right, wrong) for wrong in WEIGHTS)]
    return the_best(every, subset, metric)


def _retrained(
    loop: LoopRuns, subset: Run, campaign: Campaign, weights: tuple[float, float], fields: Mapping[str, Any]
) -> Run | None:
    """The model with these weights of right and wrong answers; None where they are too large for it to converge."""
    if weights == (0.0, 0.0):
        return loop.retrained(subset, **fields)
    right, wrong = weights
    options = {**_of(loop, campaign), "right_weight": right, "wrong_weight": wrong}
    try:
        return loop.retrained(subset, **fields, objective="answered-attention", objective_options=options)
    except SlimError as error:
        if AnsweredAttention.if_it_diverges not in str(error):
            raise
        log.warning("The weights %g of right and %g of wrong answers are left out: %s", right, wrong, error)
        return None
