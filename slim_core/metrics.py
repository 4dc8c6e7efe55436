"""What a result is called and how it is computed (METHOD section 2). Every key is typed here, once.

Rates are fractions in 0..1. A rate over nothing is None in results and NaN in functions, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slim_core.data.groups import Grouping

if TYPE_CHECKING:
    import pandas as pd

WGA = "wga"
AVERAGE = "average"
ADJUSTED = "adjusted_average"
GAP = "gap"
WORST_CLASS = "worst_class"
WORST_GROUP = "worst_group"
ESTIMATED_GROUPS = "estimated_groups"
CLASS_GROUPS = "class_groups"  # of a loop, which keeps no classes: as groups_are_classes
N = "n"
GROUPS = "groups"
CLASSES = "classes"
CONFUSION = "confusion"
AIOU = "aiou"
IOU = "iou"
ATTENTION_PRECISION = "attention_precision"
COVERAGE = "attention_coverage"
NO_EVIDENCE = "no_evidence"  # of an image: whether its map is empty; of a pass: how many are
N_MASKS = "n_masks"  # images whose attention was scored, in all or in a group
RATES = (WGA, AVERAGE, ADJUSTED, WORST_CLASS, ATTENTION_PRECISION, AIOU, COVERAGE)  # of an evaluation
NO_SPREAD = 1e-9  # sd of differences that are equal but for rounding
LEAST = 10  # images of a group, below which it is not judged: its interval spans 30 points and more
LEAST_PAIRS = 3  # for an interval: of two it reaches nine sd to each side, often beyond what rates can differ by

DEFINITIONS: dict[str, str] = {
    WGA: "Worst-group accuracy: the lowest accuracy among the groups. Groups of fewer than 10 images are left out "
    "where others have more; wga in the metrics of a run is of all.",
    AVERAGE: "Average accuracy: the share of all images that are predicted right.",
    ADJUSTED: "Adjusted average: group accuracies weighted by the groups' shares of the training images "
    "(the Waterbirds literature's average); unknown where such a group has no image.",
    GAP: "Gap: average accuracy minus worst-group accuracy.",
    WORST_CLASS: "Worst-class accuracy: the lowest accuracy among the classes; it needs no group labels.",
    WORST_GROUP: "The group with the lowest accuracy; of several the one with most images.",
    ESTIMATED_GROUPS: "The groups are estimated (class x environment cluster), not given by an attribute.",
    GROUPS: "Accuracy per group, with its number of images and its 95 % Wilson interval.",
    CLASSES: "Accuracy, area under the ROC curve (one class against the rest) and F1 per class.",
    CONFUSION: "Images by true class (rows) and predicted class (columns).",
    IOU: "IoU: the sum of the smaller of map and mask, pixel by pixel, over the sum of the larger.",
    AIOU: "AIoU: how much better the true class's map fits the mask than the best map of another class "
    "(0.5 = no better).",
    ATTENTION_PRECISION: "Attention precision: the share of the strong attention (0.8 or more) inside the mask.",
    NO_EVIDENCE: "The map is zero everywhere: the model finds no evidence for this class.",
    COVERAGE: "Scored: the share of the images whose attention was compared with a drawing, mask or box. Empty maps "
    "are among them, and have no attention precision.",
}

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


def classification_metrics(
    labels: np.ndarray, probabilities: np.ndarray, grouping: Grouping, train_counts: np.ndarray | None = None
) -> dict[str, Any]:
    """All accuracies of one set of predictions, as plain JSON values.

    Args:
        labels: (N,) true classes in 0..C-1.
        probabilities: (N, C); the highest is the prediction.
        grouping: of the same N images; images of no known group count in the averages alone.
        train_counts: (G,) training images per group, for the adjusted average; None: no adjusted average.
    """
    labels = np.asarray(labels, np.int64)
    right = probabilities.argmax(axis=1) == labels
    groups = _group_rows(right, grouping)
    classes = _class_rows(labels, probabilities)
    worst = worst_of({GROUPS: groups})
    average = float(right.mean()) if len(right) else math.nan
    wga = float(worst["accuracy"]) if worst else math.nan
    class_accuracies = [c["accuracy"] for c in classes if c["accuracy"] is not None]
    return {
        WGA: _plain(wga),
        AVERAGE: _plain(average),
        ADJUSTED: _plain(adjusted_average([g["accuracy"] for g in groups], train_counts)),
        GAP: _plain(average - wga),
        WORST_CLASS: min(class_accuracies, default=None),
        WORST_GROUP: worst["name"] if worst else None,
        ESTIMATED_GROUPS: grouping.estimated,
        N: len(labels),
        GROUPS: groups,
        CLASSES: classes,
        CONFUSION: confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1]).tolist(),
    }


def worst_of(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The group with the lowest accuracy among those that have images; of several the largest, which is surest."""
    known = [group for group in groups_of(metrics) if group["accuracy"] is not None]
    return min(known, key=lambda group: (float(group["accuracy"]), -int(group["n"])), default=None)


def worst_judged(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The worst of the groups with LEAST images, which say enough to be judged; None where there is none."""
    return worst_of({GROUPS: [group for group in groups_of(metrics) if group["n"] >= LEAST]})


def worst_shown(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The group that pages, tables and sentences call the worst: of those that can be judged, else of all."""
    return worst_judged(metrics) or worst_of(metrics)


def worst_rates(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The accuracies of ``worst_shown`` before and after; None where no image is of a known group."""
    was, now = ((worst_shown(each) or {}).get("accuracy") for each in (before, after))
    return was, now


def groups_of(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups of an evaluation; none before it has ended."""
    return list(metrics.get(GROUPS, ()))


def groups_are_classes(metrics: Mapping[str, Any]) -> bool:
    """Whether the groups are only the classes: no attribute is known, and no environments of the evaluated images."""
    groups, classes = ({one["name"] for one in metrics.get(key, ())} for key in (GROUPS, CLASSES))
    return bool(metrics.get(ESTIMATED_GROUPS) and groups) and groups <= classes


def of_environments(metrics: Mapping[str, Any]) -> bool:
    """Whether the groups are estimated: class x environment."""
    return bool(metrics.get(ESTIMATED_GROUPS)) and not groups_are_classes(metrics)


def listed_groups(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups that a table or a chart has a row for: of estimated ones, which are every class in every environment,
    those that have images. That a group of the data has none is worth a row."""
    are_environments = of_environments(metrics)
    return [group for group in groups_of(metrics) if group["n"] or not are_environments]


def ungrouped(metrics: Mapping[str, Any]) -> str:
    """How many of the evaluated images are of no known group, in a sentence; "" where none is, or N is not there."""
    n_images = int(metrics.get(N, 0))
    left = n_images - sum(int(group["n"]) for group in metrics.get(GROUPS, ()))
    belong = "belongs to no known group: it counts" if left == 1 else "belong to no known group: they count"
    return f"{left:,} of {n_images:,} images {belong} in the averages only." * (left > 0)


def _plain(value: float) -> float | None:
    """A number for JSON: NaN becomes None."""
    return float(value) if math.isfinite(value) else None


def _group_rows(right: np.ndarray, grouping: Grouping) -> list[dict[str, Any]]:
    n, correct = grouping.counts(), grouping.counts(np.flatnonzero(right))
    low, high = wilson(correct, n)
    return [
        {
            "group": g,
            "name": name,
            "n": int(n[g]),
            "correct": int(correct[g]),
            "accuracy": int(correct[g]) / int(n[g]) if n[g] else None,
            "low": _plain(low[g]),
            "high": _plain(high[g]),
        }
        for g, name in enumerate(grouping.names)
    ]


def _class_rows(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    predictions = probabilities.argmax(axis=1)
    f1_scores = f1(labels, predictions, probabilities.shape[1])
    total = probabilities.sum(axis=1, dtype=np.float64)
    rows = []
    for c, score in enumerate(f1_scores):
        mine = labels == c
        n = int(mine.sum())
        rows.append(
            {
                "class": c,
                "name": str(c),
                "n": n,
                "accuracy": float((predictions[mine] == c).mean()) if n else None,
                "auroc": _plain(auroc(mine, _odds(probabilities[:, c], total))),
                "f1": _plain(score) if n else None,
            }
        )
    return rows


def _odds(probability: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(N,) in the order of the probabilities of a class, of which those of sure images are 1 in float32, all alike.

    ``total`` (N,): of all classes; what is left to the others tells such images apart.
    """
    wide = np.asarray(probability, np.float64)
    return wide / np.maximum(total - wide, np.finfo(np.float64).eps)


def name_classes(metrics: dict[str, Any], label_names: Sequence[str]) -> dict[str, Any]:
    """The same metrics with the classes called by their names instead of their numbers."""
    named = [{**row, "name": label_names[row["class"]]} for row in metrics[CLASSES]]
    return {**metrics, CLASSES: named}


def adjusted_average(accuracies: Sequence[float | None], train_counts: np.ndarray | None) -> float:
    """Group accuracies weighted by training shares; NaN without counts or where a weighted group has no accuracy.

    Groups that the training set lacks weigh nothing. Groups that it has but the evaluated images lack make the
    average unknown: leaving them out would compare different things.
    """
    if train_counts is None or not np.sum(train_counts):
        return math.nan
    weights = np.asarray(train_counts, np.float64) / np.sum(train_counts)
    values = np.array([math.nan if a is None else a for a in accuracies])
    return float(np.sum(weights[weights > 0] * values[weights > 0]))


def confusion(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """(C, C) int64: true classes in rows, predicted ones in columns."""
    from sklearn.metrics import confusion_matrix

    if not len(labels):  # scikit-learn refuses to count nothing
        return np.zeros((n_classes, n_classes), np.int64)
    return np.asarray(confusion_matrix(labels, predictions, labels=np.arange(n_classes)), np.int64)


def wilson(correct: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends of the 95 % Wilson score intervals of many rates at once; NaN over nothing.

    The same numbers as ``scipy.stats.binomtest(correct, n).proportion_ci(method="wilson")``, which takes one rate a
    call, and half a second to import in the process that draws the pages.
    """
    correct, n = np.asarray(correct, np.float64), np.asarray(n, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, z2_n = correct / n, Z_95**2 / n
        centre = (rate + z2_n / 2) / (1 + z2_n)
        half = Z_95 * np.sqrt(rate * (1 - rate) / n + z2_n / (4 * n)) / (1 + z2_n)
    # None and all are ends of their own intervals, which the difference of two rounded numbers may miss by 1e-17.
    low, high = np.where(rate == 0, 0, centre - half), np.where(rate == 1, 1, centre + half)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def auroc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where one side is empty or a score is NaN."""
    from sklearn.metrics import roc_auc_score

    positive = np.asarray(positive, bool)
    if positive.all() or not positive.any() or np.isnan(scores).any():
        return math.nan
    return float(roc_auc_score(positive, scores))


def f1(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """(C,) harmonic mean of precision and recall; NaN for a class that neither occurs nor is predicted."""
    from sklearn.metrics import f1_score

    if not len(labels):
        return np.full(n_classes, math.nan)
    return np.asarray(
        f1_score(labels, predictions, labels=np.arange(n_classes), average=None, zero_division=math.nan), np.float64
    )


def iou(m: np.ndarray, g: np.ndarray) -> float:
    """sum min(M, G) / sum max(M, G) of a map and a mask in 0..1 of one shape; NaN where both are empty."""
    larger = float(np.maximum(m, g).sum(dtype=np.float64))
    return float(np.minimum(m, g).sum(dtype=np.float64)) / larger if larger > 0 else math.nan


def aiou(maps: np.ndarray, mask: np.ndarray, label: int) -> float:
    """IoU of the true class's map, over itself plus the best of the other classes' (METHOD section 2).

    ``maps`` (C, H, W) in 0..1, ``mask`` (H, W) in {0, 1}, ``label`` the true class, whatever was predicted.
    NaN for 0/0. 0.5: the true class's map is no better than another's.
    """
    return aiou_of([iou(m, mask) for m in maps], label)


def aiou_of(ious: Sequence[float], label: int) -> float:
    """``aiou`` from the IoU of each class's map."""
    best_other = max((value for c, value in enumerate(ious) if c != label), default=math.nan)
    total = ious[label] + best_other
    return ious[label] / total if total > 0 else math.nan


def attention_precision(m: np.ndarray, g: np.ndarray, delta: float = 0.8) -> float:
    """sum(M G [M >= delta]) / sum(M [M >= delta]): the share of strong attention inside the mask; NaN for 0/0.

    The arrays of the caller stay as they are.
    """
    strong = np.where(m >= delta, m, 0.0)
    total = float(strong.sum(dtype=np.float64))
    return float((strong * g).sum(dtype=np.float64)) / total if total > 0 else math.nan


def paired_difference(a: Sequence[float], b: Sequence[float]) -> dict[str, Any]:
    """Mean of a - b over pairs (seeds) with its sd and 95 % t interval; None for what the pairs do not tell.

    The sd needs two pairs, the interval as many as ``t_interval`` does.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need as many values on both sides, not {len(a)} and {len(b)}")
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n < 2:
        return {"n": n, "mean": float(differences[0]) if n else None, "sd": None, "low": None, "high": None}
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    low, high = (None if math.isnan(bound) else bound for bound in t_interval(n, mean, sd))
    return {"n": n, "mean": mean, "sd": sd, "low": low, "high": high}


def t_interval(n: int, mean: float, sd: float, test_over_train: float = 0.0) -> tuple[float, float]:
    """95 % t interval of the mean of n values with this sd; NaN of too few (LEAST_PAIRS), and where all are one but 0.

    Accuracies of a small group are shares of few images, and a few seeds often change by the same: an interval without
    width would call any rise sure. Of two methods that make the same models each difference is 0, and the interval too.

    ``test_over_train``: n_test / n_train where each value comes of parting the same objects anew. Such values are not
    independent, and the variance of their mean is sd^2 (1/n + n_test / n_train) in place of sd^2 / n: the corrected
    resampled t-test of Nadeau and Bengio (2003, Inference for the Generalization Error). 0: they are independent.
    """
    from scipy.special import stdtrit

    if n < LEAST_PAIRS or sd <= NO_SPREAD < abs(mean):
        return math.nan, math.nan
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n) * math.sqrt(1 + n * test_over_train)
    return mean - half, mean + half


def difference_by_index(a: pd.Series, b: pd.Series) -> dict[str, Any]:
    """``paired_difference`` of the values (of seeds) that both have by their index; NaN in place of None."""
    shared = a.index.intersection(b.index)
    found = paired_difference(a.loc[shared].tolist(), b.loc[shared].tolist())
    return {key: math.nan if value is None else value for key, value in found.items()}
