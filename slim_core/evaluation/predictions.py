"""What a model predicts for each image: one table, of an evaluation or of an attention pass, and of two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.groups import NO_GROUP, grouping
from slim_core.metrics import AIOU, ATTENTION_PRECISION, groups_of
from slim_core.store.results import AttentionResult, EvaluationResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store

OPTIONAL = ("loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)
OF_THE_IMAGE = ("split", "label", "label_name", "group", "group_name")  # the same whatever the model


def predictions(store: Store, evaluation: Run) -> pd.DataFrame:
    """One row an image, in the order of the split, with the groups of the evaluation.

    Returns:
        row, split, label, label_name, prediction, prediction_name, correct, group (index, UNGROUPED = -1), group_name,
        confidence (0..1), and those of OPTIONAL that the run has kept. The names are categoricals in the order of the
        data (``slim_core.data.groups.in_order``).

    Raises:
        NotFoundError: the evaluation is not done, or its files were removed.
    """
    kept = EvaluationResult(store.artifacts.folder(evaluation.id)).predictions()
    names = [group["name"] for group in groups_of(evaluation.metrics or {})]
    return _table(store.datasets.table(evaluation.dataset_id), kept, kept["group"].to_numpy(np.int64), names)


def predictions_of_pass(store: Store, run: Run) -> pd.DataFrame:
    """``predictions`` of a gradcam, features or evaluate run: the groups of its data set, in the order of its rows.

    Raises:
        NotFoundError: the run is not done, or its files were removed.
    """
    folder, table = store.artifacts.folder(run.id), store.datasets.table(run.dataset_id)
    seen = AttentionResult(folder)
    kept = seen.scores() if seen.has_scores else EvaluationResult(folder).predictions()
    groups = grouping(table)
    return _table(table, kept, groups.index[kept["row"].to_numpy(np.int64)], groups.names)


def _table(table: ImageTable, kept: pd.DataFrame, group: NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """``kept``: row, prediction, confidence and some of OPTIONAL; ``group`` (n,): index in ``names``, or -1."""
    import pandas as pd

    rows, prediction = kept["row"].to_numpy(np.int64), kept["prediction"].to_numpy(np.int64)
    found = pd.DataFrame(
        {
            "row": rows,
            "split": table.splits[rows],
            "label": table.labels[rows],
            "label_name": categorical(table.labels[rows], table.label_names),
            "prediction": prediction,
            "prediction_name": categorical(prediction, table.label_names),
            "correct": prediction == table.labels[rows],
            "group": group,
            "group_name": categorical(group, [*names, NO_GROUP]),  # UNGROUPED is -1, the last
        }
    )
    return pd.concat([found, kept[[name for name in ("confidence", *OPTIONAL) if name in kept]]], axis=1)


def categorical(index: NDArray[np.int64], names: Sequence[str]) -> pd.Categorical:
    """The name of each (n,) index. A group may be called as one that is not known: that is one category."""
    import pandas as pd

    return pd.Categorical(np.asarray(names, object)[index], list(dict.fromkeys(names)))


def paired(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The images that both models have predicted: columns of ``before``, and those of the second model as ..._after."""
    other = after.drop(columns=[name for name in OF_THE_IMAGE if name in after])
    return before.merge(other.rename(columns={name: f"{name}_after" for name in other if name != "row"}), on="row")


def wrong_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The worst predictions first: wrong and sure of it, then wrong and unsure, right and unsure, right and sure."""
    sureness = frame["confidence"].where(frame["correct"], -frame["confidence"])
    order = np.lexsort((frame["row"], sureness, frame["correct"]))
    return frame.iloc[order]


def examples_of_change(before: pd.DataFrame, after: pd.DataFrame, group: int, n: int = 3) -> list[int]:
    """Rows of up to ``n`` images of a group that show best what changed: wrong before and right after.

    Those come first whose attention moved most onto the object (where there are masks), else those the first model was
    surest of. Where fewer turned right, images that both models predict alike fill up, the wrong ones first. It is a
    choice of examples, and has to be called that: the metrics are beside it.
    """
    both = paired(before, after)
    both = both[both["group"] == group]
    gain = both["confidence"].astype(float)
    after_key = f"{ATTENTION_PRECISION}_after"
    if ATTENTION_PRECISION in both and after_key in both:
        gain = (both[after_key] - both[ATTENTION_PRECISION]).fillna(-1.0) + 1e-3 * gain
    turned = (~both["correct"] & both["correct_after"]).to_numpy()
    order = np.lexsort((both["row"], -gain, both["correct"], ~turned))
    return [int(row) for row in both["row"].iloc[order[:n]]]


def typical_mistakes(before: pd.DataFrame, after: pd.DataFrame, group: int, n: int = 3) -> list[int]:
    """Rows of up to ``n`` images of a group that both models get wrong: those nearest to the median confidence after.

    Neither the most striking mistakes nor the narrowest ones.
    """
    both = paired(before, after)
    wrong = both[(both["group"] == group) & ~both["correct"] & ~both["correct_after"]]
    distance = (wrong["confidence_after"] - wrong["confidence_after"].median()).abs()
    order = np.lexsort((wrong["row"], distance))
    return [int(row) for row in wrong["row"].iloc[order[:n]]]
