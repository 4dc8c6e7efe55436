"""How much the propagated scores still change with each answer, and when more answers no longer help."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.propagation import LiveCampaign, LivePropagation, live_campaign
from slim_core.formatting import counted, percent
from slim_core.store.campaigns.consensus import DECISION, SKIP, Consensus

if TYPE_CHECKING:
    from slim_core.store import Store

SAMPLE = 4_000  # images the changes are measured on; every answered one is among them
N_STEPS = 60  # points of the curve, or one more, when a long history is read at once
LOOK_BACK = 10  # answers over which the scores' sides are compared
STOP_AT = 0.005  # share of the images whose side changed, up to which one can stop
FEWEST = 20  # answers below which nothing is said
KEPT = 4  # campaigns in memory


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

    @property
    def is_known(self) -> bool:
        """True where there are answers enough to say whether more would help."""
        return self.n_answers >= FEWEST and not np.isnan(self.sides_changed)

    @property
    def can_stop(self) -> bool:
        """True where the last answers hardly changed anything."""
        return self.is_known and self.sides_changed <= STOP_AT

    @property
    def hint(self) -> str:
        """One sentence."""
        if not self.is_known:
            given = counted(self.n_answers, "answer")
            return f"{given} so far. From {FEWEST} on, this line says whether more would help."
        changed = f"The last {LOOK_BACK} answers moved {percent(self.sides_changed)} of the images across 0.5"
        return f"{changed}: you can stop." if self.can_stop else f"{changed}: more answers still help."


class Settling:
    """Measures the changes while answers come in, each answer once.

    Unknown scores (a class without answers) count as 0.5.
    """

    def __init__(self, points: np.ndarray, labels: np.ndarray) -> None:
        self._live, self._steps = LivePropagation(points, labels), list[Step]()
        self._scores = np.full(len(labels), 0.5)
        self._sides: list[tuple[int, np.ndarray]] = [(0, self._side())]  # (answers so far, (n,) -1, 0, 1)
        self._answered: set[int] = set()  # positions

    @property
    def _n_answers(self) -> int:
        return len(self._answered)

    def advance(self, changes: Sequence[tuple[int, int | None]]) -> None:
        """Take in answers, as (position, value) in their order, in about N_STEPS steps; None takes one back.

        An image whose answer changes, or is given again, is still one answer. A step ends where LOOK_BACK answers are
        still to come: what they changed is measured also where many are read at once.
        """
        size = max(1, -(-len(changes) // N_STEPS))
        edges = sorted({*range(0, len(changes), size), self._looked_back_to(changes), len(changes)})
        for start, end in itertools.pairwise(edges):
            block = changes[start:end]
            answers = self._live.answers.copy()
            for position, value in block:
                answers[position] = -1 if value is None else value
                (self._answered.discard if value is None else self._answered.add)(position)
            self._live.update(answers)
            before, self._scores = self._scores, np.nan_to_num(self._live.scores, nan=0.5)
            change = float(np.abs(self._scores - before).mean()) / len(block)
            n = self._n_answers
            self._steps = [*(step for step in self._steps if step.n_answers < n), Step(n, change)]
            self._sides = [*(side for side in self._sides if side[0] < n or not side[0]), (n, self._side())]
        known = [k for k, (n, _) in enumerate(self._sides) if n <= self._n_answers - LOOK_BACK]
        self._sides = self._sides[known[-1] if known else 0 :]

    def _looked_back_to(self, changes: Sequence[tuple[int, int | None]]) -> int:
        """How many of the changes lie before the last LOOK_BACK answers."""
        answered, n_answers = set(self._answered), [len(self._answered)]
        for position, value in changes:
            (answered.discard if value is None else answered.add)(position)
            n_answers.append(len(answered))
        return max((k for k, n in enumerate(n_answers) if n <= n_answers[-1] - LOOK_BACK), default=0)

    @property
    def looks_back(self) -> bool:
        """Whether the sides of LOOK_BACK answers ago are known: those of longer ago are not kept for answers that are
        taken back.
        """
        return self._sides[0][0] <= max(0, self._n_answers - LOOK_BACK)

    def stability(self) -> Stability:
        """What was measured so far."""
        changed = float("nan")
        if self._n_answers >= LOOK_BACK and self.looks_back:
            changed = float((self._sides[0][1] != self._sides[-1][1]).mean())
        return Stability(tuple(self._steps), self._n_answers, changed, len(self._scores))

    def _side(self) -> np.ndarray:
        return np.sign(self._scores - 0.5).astype(np.int8)


class CampaignSettling:
    """The Settling of a campaign, on a seeded sample of its space where that is large."""

    def __init__(self, live: LiveCampaign) -> None:
        self._live, self._lock = live, threading.Lock()
        self._start_anew(np.empty(0, np.int64))

    def refresh(self, store: Store) -> Stability:
        """Bring it up to date with the campaign's answers."""
        with self._lock:
            changes = self._new_changes(store)
            if any(position not in self._place for position, _ in changes):
                changes = self._all_changes(store)
            self._advance(changes)
            if not self._settling.looks_back:
                self._advance(self._all_changes(store))
            return self._settling.stability()

    def _advance(self, changes: Sequence[tuple[int, int | None]]) -> None:
        self._settling.advance([(self._place[position], value) for position, value in changes])

    def _all_changes(self, store: Store) -> list[tuple[int, int | None]]:
        """Those since the first answer, to be measured again on a sample that has every image that is asked about."""
        items = np.array([item.row for item in store.campaigns.items(self._live.campaign_id)], np.int64)
        self._start_anew(np.flatnonzero(np.isin(self._live.rows, items)))
        return self._new_changes(store)

    def _start_anew(self, asked: np.ndarray) -> None:
        n = len(self._live.rows)
        others = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(n), asked))
        chosen = np.sort(np.concatenate([asked, others[: max(0, SAMPLE - len(asked))]]))
        self._place = {int(position): place for place, position in enumerate(chosen)}
        self._settling = Settling(self._live.points[chosen], self._live.labels[chosen])
        self._seq, self._consensus = 0, Consensus()

    def _new_changes(self, store: Store) -> list[tuple[int, int | None]]:
        """(position in the space, what counts now, None for nothing) after each answer behind the last one known."""
        changes: list[tuple[int, int | None]] = []
        for row in store.answers.audit(self._live.campaign_id, after=self._seq):
            self._seq = row["seq"]
            if row["surplus"] or row["source"] == SKIP:
                continue
            if row["source"] == DECISION:
                self._consensus.decide(row["row"], row["value"])
            else:
                self._consensus.push((row["row"], row["annotator"]), row["value"])
            position, value = self._live.position(row["row"]), self._consensus.of_row(row["row"])
            if position is not None:
                changes.append((position, value))
        return changes


_settling: OrderedDict[tuple[str, str], CampaignSettling] = OrderedDict()
_lock = threading.Lock()


def stability(store: Store, campaign_id: str) -> Stability:
    """How settled the scores of a campaign are now; what was measured before is kept in this process.

    Raises:
        NotFoundError, AnswersRefusedError: as ``live_campaign``.
    """
    key = (store.database.redacted_url, campaign_id)
    live = live_campaign(store, campaign_id)
    with _lock:
        if key not in _settling:
            _settling[key] = CampaignSettling(live)
            while len(_settling) > KEPT:
                _settling.popitem(last=False)
        _settling.move_to_end(key)
        found = _settling[key]
    return found.refresh(store)
