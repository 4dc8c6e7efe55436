"""Evaluations as frames: one row a run for the table and the costs, one row a run and group for the bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from slim_core.evaluation.ancestry import Ancestry
from slim_core.evaluation.comparison import (
    COSTS,
    ELSEWHERE,
    WORST_HIGH,
    WORST_LOW,
    names_among,
    rows,
    titled,
    unique_labels,
)
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    RATES,
    WGA,
    WORST_CLASS,
    WORST_GROUP,
    listed_groups,
)

if TYPE_CHECKING:
    from slim_core.store import Run, Store

HEADLINE = {WGA: "worst group", AVERAGE: "average", ADJUSTED: "adjusted average"}
ATTENTION = {ATTENTION_PRECISION: "attention precision", AIOU: "AIoU"}
# Of the columns of a table of runs: on the Compare page, in the report and in the terminal.
TITLES = {
    WGA: "worst group",
    "change": "change",
    WORST_GROUP: "which",
    AVERAGE: "average",
    ADJUSTED: "adjusted",
    WORST_CLASS: "worst class",
    ATTENTION_PRECISION: "attention",
    AIOU: "AIoU",
    COVERAGE: "scored",
    "labels_used": "labels used",
    "answers": "answers",
    "answered_by": "answered by",
    "share": "share",
    "minutes": "minutes",
    "images": "images",
    "seconds": "seconds",
    "lineage_seconds": "all seconds",
    "gpu_hours": "GPU hours",
}
OTHER_GROUPS = " (other groups)"  # behind the name of a group that is not one of the baseline's
NOT_COMPARABLE = "other estimated groups: not comparable group by group"
OTHER_SPLIT = "evaluated on another split"
_WORDS = (
    "model", "method", "labels_used", "identity", "grouping", "split", "seed", WORST_GROUP, "answered_by", "spent",
    "name", "lineage_names", "lineage_models",
)  # fmt: skip
GROUP_COLUMNS = ["run", "group", "accuracy", "low", "high", "n", "key"]


def table(store: Store, evaluations: Sequence[Run], ancestry: Ancestry | None = None) -> pd.DataFrame:
    """One row an evaluation of one data set, by its id.

    Returns:
        model (id), method, labels_used, identity, grouping, split, seed, worst_group (name), RATES and the worst
        group's interval (0..1), COSTS, answered_by, share (images asked about, of their split), spent (in words), name
        (that somebody gave the model; its network where there are several; or ""), lineage_names (of the run and all it
        rests on), lineage_models (ids of the models among these) and label (a name that no other run has).
    """
    ancestry = ancestry or Ancestry.read(store, evaluations[0].dataset_id)
    found = pd.DataFrame(rows(store, evaluations, ancestry)).set_index("evaluation")
    dataset = store.datasets.fetch(evaluations[0].dataset_id)
    found["name"] = names_among([ancestry.runs.get(model) for model in found["model"]], dataset, store.notes)
    rests_on = [ancestry.lineage(one) for one in evaluations]
    found["lineage_names"] = [" ".join(each.name for each in lineage) for lineage in rests_on]
    found["lineage_models"] = [" ".join(each.id for each in lineage if each.kind == "train") for lineage in rests_on]
    numbers = found[[*RATES, WORST_LOW, WORST_HIGH, *COSTS, "share"]].astype(float)
    words = found[[*_WORDS]]
    return pd.concat([words, numbers], axis=1).assign(label=labels(found))


def labels(rows: pd.DataFrame) -> list[str]:
    """A name a run that no other has: its given name, method and seed; the split and the end of its id where needed."""
    made = [one if one == ELSEWHERE else f"{one}, seed {seed}" for one, seed in rows[["method", "seed"]].to_numpy()]
    names = [titled(str(name), what) for name, what in zip(rows["name"], made, strict=True)]
    if rows["split"].nunique() > 1:
        names = [f"{name}, {split}" for name, split in zip(names, rows["split"], strict=True)]
    return unique_labels(names, rows.index.tolist())


def with_change(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The rows with change: worst-group accuracy minus the baseline's (0..1; NaN for the baseline itself, and for runs
    that are not comparable with it)."""
    change = rows[WGA] - float(rows[WGA].get(baseline, math.nan))
    return rows.assign(change=change.where((rows.index != baseline) & ~not_comparable(rows, baseline)))


def not_comparable(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row that counts other groups than the baseline, or other images."""
    return has_other_groups(rows, baseline) | has_other_split(rows, baseline)


def has_other_groups(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row whose groups are not those of the baseline; of the first row where that is not among them."""
    return _differs(rows["grouping"], baseline)


def evaluated_again(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row of other groups than the baseline's whose model has a row with those, too.

    ``rows``: of one split.
    """
    apart = has_other_groups(rows, baseline)
    return apart & rows["model"].isin(rows.loc[~apart, "model"])


def has_other_split(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row that was evaluated on another split than the baseline, or than the first row."""
    return _differs(rows["split"], baseline)


def _differs(values: pd.Series, baseline: str) -> pd.Series:
    return values.ne(values.get(baseline, values.iloc[0]))


def worst_groups(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """The name of each row's worst group, marked where it is one of other groups: a name of both is not one group."""
    apart = has_other_groups(rows, baseline)
    pairs = zip(rows[WORST_GROUP], apart, strict=True)
    names = [name + OTHER_GROUPS if isinstance(name, str) and other else name for name, other in pairs]
    return pd.Series(names, index=rows.index, dtype=object)


def groups(evaluations: Sequence[Run], names: Mapping[Any, str]) -> pd.DataFrame:
    """GROUP_COLUMNS: one row an evaluation and group (rates 0..1); ``key`` names both, for links to the images.

    ``names``: label of each evaluation, by its id.
    """
    found = [
        (
            names[one.id],
            group["name"],
            *(group[key] for key in ("accuracy", "low", "high", "n")),
            f"{one.id}.group.{group['group']}",
        )
        for one in evaluations
        for group in listed_groups(one.metrics or {})
    ]
    frame = pd.DataFrame(found, columns=GROUP_COLUMNS)
    return frame.astype({"accuracy": float, "low": float, "high": float})


def seeds_text(seeds: Sequence[int]) -> str:
    """0, 1, 5; a run of more than three as 0 to 39."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    ranges = [f"{part[0]} to {part[-1]}" if len(part) > 3 else ", ".join(map(str, part)) for part in parts]
    return ", ".join(ranges)


def select_runs(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of these runs (by ``run``), in the order of the names."""
    place = {name: position for position, name in enumerate(names)}
    return frame[frame["run"].isin(names)].sort_values("run", key=lambda runs: runs.map(place), kind="stable")
