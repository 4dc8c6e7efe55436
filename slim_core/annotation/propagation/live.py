"""S5 answer by answer: what one answer changes is added to, or taken from, sums that are kept.

The scores equal ``expand`` on the same answers to 1e-9, in any order of giving, changing and taking back.
"""

from __future__ import annotations

import numpy as np

from slim_core.annotation.propagation.grid import Grid
from slim_core.annotation.propagation.kernel_sums import chunks, log_degrees, log_sums, squared_distances
from slim_core.annotation.propagation.series import Series
from slim_core.annotation.propagation.spreading import (
    ALPHA,
    GAMMAS,
    Method,
    check_answers,
    gamma_of,
    on_grid,
    share_of_right,
    standardise,
)
from slim_core.store.campaigns.values import RIGHT, UNSURE, WRONG

ONE_BY_ONE = 24  # changes of a class up to which each is made by itself
EVERY = slice(None)
DOMINATES = 0.5  # share of a sum above which an answer is not subtracted from it (digits would be lost)


class LivePropagation:
    """The propagated scores of N images while answers come in.

    Args:
        points: (N, 2) attention space E; labels: (N,) class of each image; method: as of ``expand``.
    """

    def __init__(self, points: np.ndarray, labels: np.ndarray, method: Method = "auto") -> None:
        self.answers = np.full(len(labels), UNSURE, np.int8)
        check_answers(points, labels, self.answers)
        self._scores = np.full(len(labels), np.nan)
        self._members = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
        self._classes = {
            label: _LiveClass(points[members], gamma_of(label, GAMMAS), method)
            for label, members in self._members.items()
        }

    @property
    def scores(self) -> np.ndarray:
        """(N,) float64 as of ``expand``: 0..1, NaN in a class without a right or wrong answer. Not to be written to."""
        return self._scores

    def set(self, position: int, value: int) -> None:
        """One answer: 1 right, 0 wrong, -1 unsure or taken back."""
        answers = self.answers.copy()
        answers[position] = value
        self.update(answers)

    def update(self, answers: np.ndarray) -> int:
        """Bring the scores to these answers (N,); returns how many differ from before.

        Raises:
            AnswersRefusedError: another number of answers, or one other than 1, 0 and -1.
        """
        check_answers(self.answers, self.answers, answers)
        changed = answers != self.answers
        for label, members in self._members.items():
            at = np.flatnonzero(changed[members])
            if len(at):
                self._classes[label].change(at, answers[members])
                self._scores[members] = self._classes[label].scores()
        self.answers = np.array(answers, np.int8)
        return int(changed.sum())


class _LiveClass:
    """One class: n points, and for each the logarithm of its kernel sum over the wrong and over the right answers."""

    def __init__(self, points: np.ndarray, gamma: float, method: Method) -> None:
        self._x, self._gamma, self._method = standardise(points), gamma, method
        self._values: dict[int, int] = {}  # position -> RIGHT or WRONG
        self._log_root: dict[int, float] = {}  # half the logarithm of its degree
        self._log_sums = np.full((2, len(points)), -np.inf)  # by WRONG, RIGHT
        self._links = np.zeros((2, len(points)))  # at answered points: their similarity to other answered ones
        self._smoother: Grid | _Exact | None = None  # made at the first need

    def change(self, at: np.ndarray, answers: np.ndarray) -> None:
        """Take over the answers (n,) that differ at these positions."""
        if len(at) > ONE_BY_ONE:
            if any(position in self._values for position in at.tolist()):
                self._forget()
                at = np.flatnonzero(answers != UNSURE)
            self._give_many(at, answers[at])
            return
        for position in at.tolist():
            if position in self._values:
                self._take(position)
            if answers[position] != UNSURE:
                self._give(position, int(answers[position]))

    def scores(self) -> np.ndarray:
        """(n,) as of ``expand_class``."""
        given = set(self._values.values())
        if len(given) < 2:
            return np.full(len(self._x), float(given.pop()) if given else np.nan)
        first = share_of_right(self._log_sums[WRONG], self._log_sums[RIGHT])
        known = np.fromiter(self._values, np.int64, len(self._values))
        right = np.fromiter(self._values.values(), np.int64, len(known)) == RIGHT
        own = (1 - ALPHA) * right + ALPHA * self._links[RIGHT, known]
        first[known] = own / (1 - ALPHA + ALPHA * self._links[:, known].sum(axis=0))
        if self._smoother is None:
            exact = not on_grid(len(self._x), self._method)
            self._smoother = _Exact(self._x, self._gamma) if exact else Grid(self._x, self._gamma)
        return np.asarray(np.clip(self._smoother.smooth(first), 0.0, 1.0))

    def _log_kernel(self, position: int) -> np.ndarray:
        return np.asarray(-self._gamma * ((self._x - self._x[position]) ** 2).sum(axis=1))

    def _give(self, position: int, value: int) -> None:
        log_w = self._log_kernel(position)
        root = self._log_root.get(position)
        if root is None:
            root = self._log_root[position] = _half_log_degree(log_w, position)
        self._log_sums[value] = np.logaddexp(self._log_sums[value], log_w - root)
        self._links[:, position] = 0.0
        for other, similarity in self._similar(position, log_w, root):
            self._links[self._values[other], position] += similarity
            self._links[value, other] += similarity
        self._values[position] = value

    def _take(self, position: int) -> None:
        value = self._values.pop(position)
        log_w, root = self._log_kernel(position), self._log_root[position]
        for other, similarity in self._similar(position, log_w, root):
            self._links[value, other] -= similarity
        sums = self._log_sums[value]
        share = np.exp(np.minimum(log_w - root - sums, 0.0))
        large = np.flatnonzero(share > DOMINATES)
        share[large] = 0.0
        self._log_sums[value] = sums + np.log1p(-share)
        self._log_sums[value, large] = self._sum_at(large, value)

    def _similar(self, position: int, log_w: np.ndarray, root: float) -> list[tuple[int, float]]:
        """(answered position, W / sqrt(D D)) of each answered point but this one."""
        others = [other for other in self._values if other != position]
        roots = np.array([self._log_root[other] for other in others])
        return list(zip(others, np.exp(log_w[others] - root - roots).tolist(), strict=True)) if others else []

    def _sum_at(self, rows: np.ndarray, value: int) -> np.ndarray:
        """(rows,) the logarithm of the kernel sum over all answers of a value, from the answers themselves."""
        given = [position for position, said in self._values.items() if said == value]
        return self._sums_of(np.array(given, np.int64), rows)

    def _sums_of(self, given: np.ndarray, rows: np.ndarray | slice = EVERY) -> np.ndarray:
        log_weights = -np.array([self._log_root[position] for position in given.tolist()])
        return log_sums(self._x[rows], self._x[given], log_weights, self._gamma)

    def _forget(self) -> None:
        self._values.clear()
        self._log_sums[:] = -np.inf

    def _give_many(self, new: np.ndarray, values: np.ndarray) -> None:
        """Right and wrong answers (k,) at positions (k,) that have none: no earlier one is gone through again."""
        old = np.fromiter(self._values, np.int64, len(self._values))
        unknown = np.array([position for position in new.tolist() if position not in self._log_root], np.int64)
        degrees = log_degrees(self._x, unknown, self._gamma)
        self._log_root |= dict(zip(unknown.tolist(), (0.5 * degrees).tolist(), strict=True))
        self._values |= dict(zip(new.tolist(), values.tolist(), strict=True))
        for value in (WRONG, RIGHT):
            added = self._sums_of(new[values == value])
            self._log_sums[value] = np.logaddexp(self._log_sums[value], added)
        self._link(new, old)

    def _link(self, new: np.ndarray, old: np.ndarray) -> None:
        """Add what new answers (k,) and all others, the old ones (l,) among them, are to each other."""
        every = np.concatenate([old, new])
        roots = np.array([self._log_root[position] for position in every.tolist()])
        values = np.array([self._values[position] for position in every.tolist()])
        is_of = np.stack([values == WRONG, values == RIGHT], axis=1).astype(float)  # (l + k, 2)
        for part in chunks(len(new), len(every)):
            at = len(old) + np.arange(len(new))[part]
            log_w = -self._gamma * squared_distances(self._x[every[at]], self._x[every])
            similarity = np.exp(log_w - roots[at, None] - roots)
            similarity[np.arange(len(at)), at] = 0.0
            self._links[:, every[at]] = (similarity @ is_of).T
            self._links[:, old] += is_of[at].T @ similarity[:, : len(old)]


def _half_log_degree(log_w: np.ndarray, position: int) -> float:
    """log sqrt(sum over others of W); 0 for a point that is alone."""
    others = np.delete(log_w, position)
    if not len(others):
        return 0.0
    highest = others.max()
    return 0.5 * float(highest + np.log(np.exp(others - highest).sum()))


class _Exact:
    """The smoothing over all pairs, for classes that are small enough; its denominators are kept."""

    def __init__(self, x: np.ndarray, gamma: float) -> None:
        self._x, self._gamma, self._series = x, gamma, Series(x, gamma)
        self._total = self._sums(np.ones(len(x)))

    def smooth(self, values: np.ndarray) -> np.ndarray:
        """sum_m W_im values_m / sum_m W_im (n,)."""
        return np.asarray(self._sums(values) / self._total)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        if self._series.is_quicker(len(self._x), len(self._x)):  # each sum is divided by one of at least 1
            return self._series.sums(self._x, self._x, values)
        sums = np.empty(len(self._x))
        for rows in chunks(len(self._x), len(self._x)):
            sums[rows] = np.exp(-self._gamma * squared_distances(self._x[rows], self._x)) @ values
        return sums
