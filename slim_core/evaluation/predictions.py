"""What a model said of each image an evaluation judged: the rows behind every number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slim_core.data.groups import UNGROUPED
from slim_core.metrics import AIOU, ATTENTION_PRECISION, GROUPS
from slim_core.store.results import EvaluationResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Run, Store

OPTIONAL = ("loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)


def judgements(store: Store, evaluation: Run) -> pd.DataFrame:
    """One row an image, in the order of the split.

    Returns:
        row, label, label_name, prediction, prediction_name, correct, group (index, UNGROUPED = -1), group_name,
        confidence (0..1), and those of OPTIONAL that the evaluation has kept.

    Raises:
        NotFoundError: the evaluation is not done, or its files were removed.
    """
    import pandas as pd

    kept = EvaluationResult(store.artifacts.folder(evaluation.id)).predictions()
    names = np.asarray(store.datasets.table(evaluation.dataset_id).label_names)
    groups = np.append([group["name"] for group in (evaluation.metrics or {}).get(GROUPS, ())], "unknown")
    index = kept["group"].to_numpy(np.int64)
    told = pd.DataFrame(
        {
            "row": kept["row"],
            "label": kept["label"],
            "label_name": names[kept["label"]],
            "prediction": kept["prediction"],
            "prediction_name": names[kept["prediction"]],
            "correct": kept["prediction"] == kept["label"],
            "group": index,
            "group_name": groups[np.where(index == UNGROUPED, len(groups) - 1, index)],
            "confidence": kept["confidence"],
        }
    )
    return pd.concat([told, kept[[name for name in OPTIONAL if name in kept]]], axis=1)


def wrong_first(found: pd.DataFrame) -> pd.DataFrame:
    """The worst judgements first: wrong and sure of it, then wrong and unsure, right and unsure, right and sure."""
    sureness = found["confidence"].where(found["correct"], -found["confidence"])
    order = np.lexsort((found["row"], sureness, found["correct"]))
    return found.iloc[order]


def telling(before: pd.DataFrame, after: pd.DataFrame, group: int, n: int = 3) -> list[int]:
    """Rows of up to ``n`` images of a group that show best what changed: wrong before and right after.

    Those come first whose attention moved most onto the object (where masks tell), else those the first model was
    surest of. Where fewer turned right, images that both models judge alike fill up, the wrong ones first. It is a
    choice of examples, and has to be called that: the numbers stand beside it.
    """
    both = before.merge(after, on="row", suffixes=("", "_after"))
    both = both[both["group"] == group]
    gain = both["confidence"].astype(float)
    for key in (ATTENTION_PRECISION,):
        if key in both and f"{key}_after" in both:
            gain = (both[f"{key}_after"] - both[key]).fillna(-1.0) + 1e-3 * gain
    turned = (~both["correct"] & both["correct_after"]).to_numpy()
    order = np.lexsort((both["row"], -gain, both["correct"], ~turned))
    return [int(row) for row in both["row"].iloc[order[:n]]]
