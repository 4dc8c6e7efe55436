"""How much the propagated scores still change with each answer, and when more answers no longer help."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.agreement import disputes_of, n_tied
from slim_core.annotation.answered_space import AnsweredSpace, answered_space, positions_of
from slim_core.annotation.propagation import expand
from slim_core.formatting import counted, is_or_are, percent
from slim_core.store.campaigns.consensus import DECISION, SKIP, UNSURE, Consensus

if TYPE_CHECKING:
    from slim_core.store import Store

SAMPLE = 2_000  # images the changes are measured on; answered ones first
N_STEPS = 20  # points of the curve, or one more
LOOK_BACK = 10  # answers over which the scores' sides are compared
STOP_AT = 0.005  # share of the images whose side changed, up to which one can stop
FEWEST = 20  # answers below which nothing is said

Change = tuple[int, int | None]  # an image, and what is said of it from then on; None: nothing any more


@dataclass(frozen=True)
class Step:
    """What some answers changed."""

    n_answers: int  # so far
    change: float  # mean absolute change of the scores per answer, 0..1


@dataclass(frozen=True)
class Stability:
    """The curve, and what to make of it."""

    steps: tuple[Step, ...]
    n_answers: int
    sides_changed: float  # share of the images on another side of 0.5 than LOOK_BACK answers ago, 0..1; NaN: too few
    n_measured: int  # images the changes are measured on
    n_tied: int = 0  # images about which as many say right as wrong, and nobody has decided

    @property
    def is_known(self) -> bool:
        """True where there are answers enough to say whether more would help."""
        return self.n_answers >= FEWEST and not np.isnan(self.sides_changed)

    @property
    def can_stop(self) -> bool:
        """True where the last answers hardly changed anything, and none are set against each other."""
        return self.is_known and self.sides_changed <= STOP_AT and not self.n_tied

    @property
    def hint(self) -> str:
        """One sentence."""
        if not self.is_known:
            given = counted(self.n_answers, "answer")
            return f"{given} so far. From {FEWEST} on, this line says whether more would help."
        part = f"{percent(self.sides_changed)} of the images" if self.sides_changed else "nothing"
        changed = f"The last {LOOK_BACK} answers changed {part}"
        if self.n_tied:
            return f"{changed}, but {counted(self.n_tied, 'image')} {is_or_are(self.n_tied)} tied: decide them first."
        return f"{changed}: you can stop." if self.can_stop else f"{changed}: more answers still help."


def stability(store: Store, campaign_id: str) -> Stability:
    """How settled the scores of a campaign are now; on a seeded sample of its space where that is large.

    Raises:
        NotFoundError, AnswersRefusedError: as ``answered_space``.
    """
    return _stability(store, campaign_id, answered_space(store, campaign_id).seq)


@lru_cache(maxsize=16)
def _stability(store: Store, campaign_id: str, seq: int) -> Stability:  # noqa: ARG001  # a new answer is a new entry
    space, changes = answered_space(store, campaign_id), _changes(store, campaign_id)
    sample = _sample(space, [row for row, _ in changes])
    found = measured(space.points[sample], space.labels[sample], space.rows[sample], changes)
    return replace(found, n_tied=n_tied(disputes_of(store, campaign_id)))


def _sample(space: AnsweredSpace, answered: Sequence[int]) -> np.ndarray:
    """Positions of at most SAMPLE images; those that are not answered only where these are fewer."""
    order = np.random.default_rng(0).permutation(len(space.rows))
    is_answered = np.isin(space.rows[order], answered)
    return np.sort(np.concatenate([order[is_answered], order[~is_answered]])[:SAMPLE])


def _changes(store: Store, campaign_id: str) -> list[Change]:
    """Row and what counts of it, after each answer of the campaign."""
    changes, consensus, absent = list[Change](), Consensus(), store.campaigns.fetch(campaign_id).absent
    for given in store.answers.audit(campaign_id):
        if given["surplus"] or given["source"] == SKIP:
            continue
        if given["label"] in absent:
            consensus.absences.add(given["row"])
        if given["source"] == DECISION:
            consensus.decide(given["row"], given["value"])
        else:
            consensus.push((given["row"], given["annotator"]), given["value"])
        changes.append((given["row"], consensus.of_row(given["row"])))
    return changes


def measured(points: np.ndarray, labels: np.ndarray, rows: np.ndarray, changes: Sequence[Change]) -> Stability:
    """What the changes, in their order, made of the scores; unknown ones (a class without answers) count as 0.5.

    In about N_STEPS steps. An image whose answer changes, or is given again, is still one answer.

    Args:
        points: (n, 2); labels, rows: (n,) of the images it is measured on; changes may be about others, too.
    """
    n_answers = _counted_up(changes)
    looked_back_to = max(k for k, n in enumerate(n_answers) if n <= max(0, n_answers[-1] - LOOK_BACK))
    size = max(1, -(-len(changes) // N_STEPS))
    edges = sorted({*range(0, len(changes), size), looked_back_to, len(changes)})
    places = positions_of(rows, np.array([row for row, _ in changes], np.int64))
    answers, scores = np.full(len(rows), UNSURE, np.int8), np.full(len(rows), 0.5)
    earlier, steps = scores, list[Step]()
    for start, end in itertools.pairwise(edges):
        for k in range(start, end):
            value = changes[k][1]
            if places[k] >= 0:
                answers[places[k]] = UNSURE if value is None else value
        before, scores = scores, np.nan_to_num(expand(points, labels, answers), nan=0.5)
        change = float(np.abs(scores - before).mean()) / (end - start)
        steps = [*(step for step in steps if step.n_answers < n_answers[end]), Step(n_answers[end], change)]
        earlier = scores if end == looked_back_to else earlier
    crossed = float((_side(earlier) != _side(scores)).mean())
    is_known = n_answers[-1] >= LOOK_BACK
    return Stability(tuple(steps), n_answers[-1], crossed if is_known else float("nan"), len(rows))


def _counted_up(changes: Sequence[Change]) -> list[int]:
    """How many images have an answer before the first change, and after each."""
    answered, n_answers = set[int](), [0]
    for row, value in changes:
        (answered.discard if value is None else answered.add)(row)
        n_answers.append(len(answered))
    return n_answers


def _side(scores: np.ndarray) -> np.ndarray:
    return np.sign(scores - 0.5)
