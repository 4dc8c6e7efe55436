"""The one entrance: a strategy by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slim_core.curation.baselines import class_balanced, oracle, random_subset
from slim_core.curation.data import CurationData, Strategy, Subset
from slim_core.curation.options import SLIM, CurateOptions
from slim_core.curation.slim import has_own_scores, slim
from slim_core.curation.slim_reference import slim_reference
from slim_core.data.labels_used import LabelsUsed
from slim_core.errors import SpecRefusedError

STRATEGIES: dict[str, Strategy] = {
    "slim": slim,
    "slim-reference": slim_reference,
    "random": random_subset,
    "class-balanced": class_balanced,
    "oracle": oracle,
}
LABELS_USED: dict[str, LabelsUsed] = {  # by each strategy, beyond the classes of the images
    "slim": "answers",
    "slim-reference": "answers",
    "random": "none",
    "class-balanced": "none",
    "oracle": "groups in training",
}
ANSWERED = tuple(name for name, used in LABELS_USED.items() if used == "answers")  # what people answered goes into them
NEEDS_ANSWERS = ("slim-reference",)  # strategies that choose among trusted images alone


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
        raise SpecRefusedError(f"The strategy is {strategy!r}: choose one of {', '.join(STRATEGIES)}.")
    known = CurateOptions.model_fields
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SpecRefusedError(f"Curation has no option {unknown[0]!r}: choose from {', '.join(known)}.")
    return CurateOptions(**options)
