"""The strategies by name: the baselines of every comparison, the published steps literally, and the default one.

slim-reference is S6 to S9 as published, with the reference's mistakes 6 to 10 fixed (METHOD section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from slim_core import removed
from slim_core.curation.cells import (
    Cell,
    Choice,
    allocate,
    build,
    capacities,
    cell_seed,
    choose_all,
    most_repeats,
    spread_weights,
)
from slim_core.curation.data import SLIM, CurateOptions, CurationData, Strategy, Subset
from slim_core.curation.slim import has_own_scores, keep, require_trusted_answers, slim
from slim_core.data.groups import LabelsUsed
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted, is_or_are
from slim_core.space.clustering import davies_bouldin_k, elbow_k, seeded_kmeans

REFERENCE = "slim-reference"
K_ROWS = 2_000  # the number of clusters is chosen on this many kept rows
LABELS_USED: dict[str, LabelsUsed] = {  # by each strategy, beyond the classes of the images
    "slim": "answers",
    "slim-reference": "answers",
    "random": "none",
    "class-balanced": "none",
    "oracle": "groups in training",
}
ANSWERED = tuple(name for name, used in LABELS_USED.items() if used == "answers")  # what people answered goes into them
NEEDS_ANSWERS = ("slim-reference",)  # strategies that choose among trusted images alone


def random_subset(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """``size`` images drawn from all, without repeats unless asked for."""
    cell = Cell("all", None, np.arange(len(data.labels)), len(data.labels), {})
    return draw_equally(data, [cell], size, seed, options, repeats=options.repeats is True)


def class_balanced(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """The same number of random images from each class; smaller classes are repeated unless told otherwise."""
    cells = [_group_cell(data.called(label), label, data.labels == label) for label in range(data.n_classes)]
    return draw_equally(data, cells, size, seed, options, repeats=options.repeats is not False)


def oracle(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """The same number of random images from each true group: what perfect knowledge of the attribute would choose.

    Smaller groups are repeated unless told otherwise.

    Raises:
        SpecRefusedError: the data set has no attribute.
    """
    cells, notes = group_cells(data, "oracle")
    return draw_equally(data, cells, size, seed, options, repeats=options.repeats is not False, notes=notes)


def group_cells(data: CurationData, strategy: str) -> tuple[list[Cell], list[str]]:
    """A cell for each true group that has images, and what to say of those without one.

    Raises:
        SpecRefusedError: the data set has no attribute; ``strategy`` is named.
    """
    attributes = require_attributes(data.attributes, strategy)
    cells = [
        _group_cell(f"{data.called(label)}, {_called(data, a)}", label, (data.labels == label) & (attributes == a))
        for label in range(data.n_classes)
        for a in range(int(attributes.max()) + 1)
    ]
    unknown = int((attributes < 0).sum())
    left_out = f"{counted(unknown, 'image')} with an unknown attribute {is_or_are(unknown)} left out."
    notes = [left_out] if unknown else []
    return [cell for cell in cells if len(cell.members)], notes


def _called(data: CurationData, attribute: int) -> str:
    return data.attribute_names[attribute] if data.attribute_names else f"attribute {attribute}"


def require_attributes(attributes: np.ndarray | None, strategy: str) -> np.ndarray:
    """The attributes (n,) of the images to choose from, for a strategy that balances true groups.

    Raises:
        SpecRefusedError: there are none, or of no image one is known.
    """
    if attributes is None or not (attributes >= 0).any():
        raise SpecRefusedError(
            f"The strategy {strategy} balances true groups, but this data set has no attribute: name its attribute "
            f"column on import, or choose the strategy slim or class-balanced."
        )
    return attributes


def _group_cell(name: str, label: int, mask: np.ndarray) -> Cell:
    members = np.flatnonzero(mask)
    return Cell(name, label, members, len(members), {})


def draw_equally(
    data: CurationData,
    cells: list[Cell],
    size: int,
    seed: int,
    options: CurateOptions,
    *,
    repeats: bool,
    notes: list[str] | None = None,
) -> Subset:
    """Equal budgets, then random images of each cell."""
    cells = [cell for cell in cells if len(cell.members)]
    most = most_repeats(repeats, options)
    budgets = allocate(np.ones(len(cells)), size, capacities(cells, most))
    choices = [_at_random(c, int(n), cell_seed(seed, i)) for i, (c, n) in enumerate(zip(cells, budgets, strict=True))]
    return build(data, choices, size, most=most, notes=notes or ())


def _at_random(cell: Cell, budget: int, seed: int) -> Choice:
    rounds, rest = divmod(budget, len(cell.members))
    counts = np.full(len(cell.members), rounds, np.int64)
    counts[np.random.default_rng(seed).choice(len(counts), rest, replace=False)] += 1
    chosen = counts > 0
    return Choice(cell, budget, cell.members[chosen], counts[chosen])


def slim_reference(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Cluster the kept images in E and in Q over all classes; budgets by spread; diverse picks in Q.

    The keep rule is the better half of each class unless told otherwise; repeats are off unless told otherwise.

    Raises:
        AnswersRefusedError: no usable answers, see ``require_trusted_answers``.
    """
    require_trusted_answers(data.answers, REFERENCE)
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


STRATEGIES: dict[str, Strategy] = {
    "slim": slim,
    "slim-reference": slim_reference,
    "random": random_subset,
    "class-balanced": class_balanced,
    "oracle": oracle,
}


def curate(data: CurationData, *, strategy: str = "slim", size: int, seed: int, **options: Any) -> Subset:
    """Choose at most ``size`` images (repeats counted) of a split by a named strategy.

    Args:
        data: the split, see CurationData.
        strategy: a key of STRATEGIES.
        size: images of the subset, repeats counted.
        seed: the same data, size, seed and options give the same subset.
        options: fields of CurateOptions.

    Raises:
        SpecRefusedError: an unknown strategy or option, a size below the number of classes, the oracle without
            attributes.
        AnswersRefusedError: the strategy is among NEEDS_ANSWERS, and there are none, or none of them is "right".
    """
    checked = _with_defaults(strategy, check_options(strategy, options))
    require_size(size, data.n_classes)
    subset = STRATEGIES[strategy](data, size, seed, checked)
    asked = {"strategy": strategy, "size": size, "seed": seed, "options": checked.to_json()}
    return replace(subset, report=asked | subset.report)


def needs_scores(data: CurationData, strategy: str, options: CurateOptions) -> bool:
    """Whether the subset, or the scores that are kept with it, hang on ``data.scores``: else any will do.

    They are costly (S5), so whoever computes them asks before. The views of the data decide it.
    """
    return strategy != SLIM or not has_own_scores(data, options)


def _with_defaults(strategy: str, options: CurateOptions) -> CurateOptions:
    """What is left to the strategy, as it takes it."""
    left = {name: value for name, value in options.proposed(strategy).items() if getattr(options, name) is None}
    return options.model_copy(update=left)


def require_size(size: int, n_classes: int) -> None:
    """Refuse a subset that cannot hold every class.

    Raises:
        SpecRefusedError: it is smaller than one image per class.
    """
    if size < n_classes:
        raise SpecRefusedError(f"The subset's size is {size}: give at least {n_classes}, one image per class.")


def check_options(strategy: str, options: Mapping[str, Any]) -> CurateOptions:
    """The options as a strategy reads them.

    Raises:
        SpecRefusedError: an unknown strategy or option, or a value that makes no sense.
    """
    if strategy not in STRATEGIES:
        served = removed.VALUES.get(("strategy", strategy), f"Choose one of {', '.join(STRATEGIES)}.")
        raise SpecRefusedError(f"There is no strategy {strategy!r}. {served}")
    known = CurateOptions.model_fields
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SpecRefusedError(f"Curation has no option {unknown[0]!r}: choose from {', '.join(known)}.")
    return CurateOptions(**options)
