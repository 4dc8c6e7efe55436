"""The published steps S6 to S9 literally, with the reference's mistakes 6 to 10 fixed (METHOD section 3)."""

from __future__ import annotations

import numpy as np

from slim_core.curation.budgets import allocate, spread_weights
from slim_core.curation.cells import Cell, build, capacities, choose_all, most_repeats
from slim_core.curation.data import CurationData, Subset
from slim_core.curation.keep import keep, require_trusted_answers
from slim_core.curation.options import CurateOptions
from slim_core.space.clustering import davies_bouldin_k, elbow_k, seeded_kmeans

NAME = "slim-reference"
K_ROWS = 2_000  # the number of clusters is chosen on this many kept rows


def slim_reference(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Cluster the kept images in E and in Q over all classes; budgets by spread; diverse picks in Q.

    The keep rule is the better half of each class unless told otherwise; repeats are off unless told otherwise.

    Raises:
        AnswersRefusedError: no usable answers, see ``require_trusted_answers``.
    """
    require_trusted_answers(data.answers, NAME)
    kept = keep(data.scores, data.labels, options, data.class_names)
    positions = np.flatnonzero(kept.mask)
    a, b = joint_clusters(data.attention_space[positions], data.environment_space[positions], options, seed)
    weights = joint_weights(data.attention_space[positions], data.environment_space[positions], a, b)
    cells, cell_weights = _cells(positions, a, b, weights)
    most = most_repeats(options.repeats is True, options)
    budgets = allocate(cell_weights, size, capacities(cells, most))
    choices = choose_all(cells, budgets, data.environment_space, seed)
    k1, k2 = weights.shape
    return build(
        data,
        choices,
        size,
        most=most,
        kept=kept.mask,
        extra={"keep": kept.report, "k_attention": k1, "k_environment": k2},
        notes=kept.notes,
    )


def joint_clusters(
    attention: np.ndarray, environment: np.ndarray, options: CurateOptions, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """S7: the cluster a in E (n,) and b in Q (n,) of each kept image; K1 by the elbow, K2 by Davies-Bouldin."""
    k1 = options.k_attention or elbow_k(_sample(attention, seed), options.k_max, seed)
    k2 = options.k_environment or davies_bouldin_k(_sample(environment, seed), options.k_max, seed)
    return seeded_kmeans(attention, k1, seed)[0], seeded_kmeans(environment, k2, seed)[0]


def _sample(points: np.ndarray, seed: int) -> np.ndarray:
    if len(points) <= K_ROWS:
        return points
    return points[np.random.default_rng(seed).choice(len(points), K_ROWS, replace=False)]


def joint_weights(attention: np.ndarray, environment: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """S8: p(a, b) = w_a * w_(b|a), (K1, K2), sums to 1; K1 and K2 may differ."""
    k1, k2 = int(a.max()) + 1, int(b.max()) + 1
    w_a = spread_weights(attention, a, k1)
    given_a = [spread_weights(environment[a == i], b[a == i], k2) for i in range(k1)]
    return np.asarray(w_a[:, None] * np.array(given_a))


def _cells(positions: np.ndarray, a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> tuple[list[Cell], np.ndarray]:
    """The joint cells that have images, and their weights."""
    cells, own = [], []
    for i, j in np.ndindex(*weights.shape):
        members = positions[(a == i) & (b == j)]
        if len(members):
            weight = float(weights[i, j])
            name = f"attention {i}, environment {j}"
            cells.append(Cell(name, None, members, len(members), {"weight": round(weight, 4)}))
            own.append(weight)
    return cells, np.array(own)
