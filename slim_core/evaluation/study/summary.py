"""The entries of a study as tables: means over seeds, and the paired difference of one method to each other one.

An entry is what one case came to (slim_core.runs.study.run): set, seed, method, annotator, answers (the share asked
about), status, and the metrics or the sentence on why there are none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from slim_core.data.names import OVER_SETS, of_set
from slim_core.data.sets.demo_set import POOL_SHARES
from slim_core.metrics import CLASS_GROUPS, ESTIMATED_GROUPS, RATES, WGA, difference_by_index, t_interval

if TYPE_CHECKING:
    from slim_core.store import Store

COSTS = ("n_answers", "answers_share", "images", "seconds")
ABOUT = ("set", "seed", "method", "annotator", "answers", "label", "labels_used", "zero_of", "status", "message")
ROW = ["method", "annotator", "answers"]  # what makes one row of a table
CASE = ["seed", "set", *ROW]  # what makes one entry


@dataclass(frozen=True)
class Result:
    """A study and what its cases came to so far."""

    spec: Mapping[str, Any]  # of the study, as plain JSON
    entries: Sequence[Mapping[str, Any]]
    n_cases: int = 0  # that there will be
    code_version: str | None = None  # that computed it last

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row an entry, in the order of the study's sets, methods and annotators; rates 0..1, NaN where none."""
        columns = [*ABOUT, *RATES, *COSTS, "model", "evaluation"]
        frame = pd.DataFrame(self.entries, columns=columns)
        for name in (*RATES, *COSTS):
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
        orders = {"set": self.sets, "method": self._methods, "annotator": ["", *self.annotators]}
        keys = {name: frame[name].map({each: place for place, each in enumerate(o)}) for name, o in orders.items()}
        placed = frame.assign(**{f"_{name}": key for name, key in keys.items()})
        placed = placed.sort_values(["_set", "_method", "_annotator", "answers", "seed"], kind="stable")
        return placed[columns].reset_index(drop=True)

    @property
    def sets(self) -> list[str]:
        """Names of the sets, in the study's order."""
        return [_called(one) for one in self.spec["sets"]]

    @property
    def sets_in_mean(self) -> list[str]:
        """Those that count in the mean over sets."""
        return [_called(one) for one in self.spec["sets"] if one.get("in_mean", True)]

    @property
    def annotators(self) -> list[str]:
        """Names of the annotators, in the study's order."""
        return [one["name"] for one in self.spec["annotators"]]

    @property
    def against(self) -> str:
        """What the rows call the method that is measured against the others; its own name where nothing is computed."""
        own = str(self.spec["against"])
        labels = (str(entry["label"]) for entry in self.entries if entry["method"] == own)
        return next(labels, own)

    @property
    def _methods(self) -> list[str]:
        found = dict.fromkeys([*self.spec["methods"], *(entry["method"] for entry in self.entries)])
        return list(found)

    @cached_property
    def main(self) -> pd.DataFrame:
        """Entries of the table: the study's own share of answers, or none."""
        frame = self.frame
        return frame[frame["method"].isin(self.spec["methods"]) & frame["answers"].isin([0.0, self.spec["answers"]])]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a set and method (with annotator); its columns are TABLE."""
        if self.main.empty:
            return pd.DataFrame(columns=TABLE)
        found = []
        for name, part in self.main.groupby("set", sort=False):
            base = _by_seed(self._rows_against(part))[WGA]
            found += [
                {"set": name, **_row(rows, _by_seed(rows), self._other(rows, base), self._test_over_train([str(name)]))}
                for _, rows in part.groupby(ROW, sort=False)
            ]
        return pd.DataFrame(found, columns=TABLE)

    @cached_property
    def over_sets(self) -> pd.DataFrame:
        """One row a method: its mean over the sets that count, seed by seed, and the paired difference of these.

        A method that has no number on some set and seed has none there; ``n`` is how many seeds are whole.
        """
        counted = self.main[self.main["set"].isin(self.sets_in_mean)]
        if counted.empty:
            return pd.DataFrame(columns=TABLE)
        n_sets, ratio = len(self.sets_in_mean), self._test_over_train(self.sets_in_mean)
        base = _mean_over_sets(self._rows_against(counted), n_sets)[WGA]
        found = [
            {"set": OVER_SETS, **_row(rows, _mean_over_sets(rows, n_sets), self._other(rows, base), ratio)}
            for _, rows in counted.groupby(ROW, sort=False)
        ]
        return pd.DataFrame(found, columns=TABLE)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """Worst-group accuracy against answers: set, method, answers (share), n, wga_mean, wga_sd."""
        named = list(self.spec.get("varied") or [self.spec["against"]])
        first = self.annotators[0]
        frame = self.frame
        asked = frame[frame["method"].isin(named) & (frame["annotator"] == first)]
        nobody = frame.explode("zero_of")
        nobody = nobody[nobody["zero_of"].isin(named)]
        both = pd.concat([asked, nobody.assign(method=nobody["zero_of"])])
        found = both.dropna(subset=[WGA]).groupby(["set", "method", "answers"], sort=False)[WGA]
        return found.agg(n="size", wga_mean="mean", wga_sd="std").reset_index().sort_values("answers", kind="stable")

    @property
    def outside_bands(self) -> list[tuple[str, str, float, float, float]]:
        """(set, method, mean worst-group accuracy, low, high) where a method is not where others found it."""
        bands = self.spec.get("bands") or {}
        rows = self.table[self.table["method"].isin(list(bands)) & (self.table["n"] > 0)]
        plain: list[dict[str, Any]] = rows.to_dict("records")  # type: ignore[assignment]
        found = [(row["set"], row["method"], row["wga_mean"], *bands[row["method"]]) for row in plain]
        return [one for one in found if not one[3] <= one[2] <= one[4]]

    @property
    def sets_estimated(self) -> list[str]:
        """Those without an attribute, whose groups are estimated, in the study's order."""
        return self._sets_where(lambda entry: bool(entry.get(ESTIMATED_GROUPS) and not entry.get(CLASS_GROUPS)))

    @property
    def sets_by_class(self) -> list[str]:
        """Those without an attribute whose groups are the classes: of too few test images none are estimated."""
        return self._sets_where(lambda entry: bool(entry.get(CLASS_GROUPS)))

    def _sets_where(self, is_so: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        found = {entry["set"] for entry in self.entries if is_so(entry)}
        return [name for name in self.sets if name in found]

    @property
    def sets_from_reference(self) -> list[str]:
        """Those whose subsets are retrained from a reference of a fixed number of epochs, where ERM converges."""
        if self.spec.get("converged") or "erm-converged" not in self.spec["methods"]:
            return []
        named = zip(self.sets, self.spec["sets"], strict=True)
        return [name for name, one in named if one.get("retrain") == "reference" and not one.get("frozen")]

    @property
    def failures(self) -> pd.DataFrame:
        """Entries without a number, with their sentences."""
        return self.frame[self.frame["status"] != "done"]

    def _other(self, rows: pd.DataFrame, base: pd.Series) -> pd.Series:
        """What a row is compared with: nothing where it is the method that others are measured against."""
        return base.iloc[:0] if len(self._rows_against(rows)) else base

    def _test_over_train(self, names: Collection[str]) -> float:
        """n_test / n_train of the objects that each seed of a demo set parts anew; NaN where none of the sets is one.

        A folder has one split for all seeds: their intervals need no correction for it.
        """
        pooled = any(one.get("set") and _called(one) in names for one in self.spec["sets"])
        return POOL_SHARES["test"] / POOL_SHARES["train"] if pooled else math.nan

    def _rows_against(self, part: pd.DataFrame) -> pd.DataFrame:
        is_it = (part["method"] == self.spec["against"]) & part["annotator"].isin(["", self.annotators[0]])
        found: pd.DataFrame = part.loc[is_it]
        return found


def result_of(store: Store, study_id: str) -> Result:
    """A study of the store, with what its cases came to so far, in an order that does not hang on which ended first.

    Raises:
        NotFoundError: there is no such study.
    """
    kept = store.studies.fetch(study_id)
    entries = sorted(store.studies.entries(study_id).values(), key=lambda entry: [entry[name] for name in CASE])
    return Result({**kept.spec, "name": kept.name}, entries, kept.n_cases, kept.code_version)


TABLE = [
    "set",
    *ROW,
    "label",
    "labels_used",
    "n",
    *(f"{rate}_mean" for rate in RATES),
    "wga_sd",
    "minus_mean",
    "minus_low",
    "minus_high",
    "minus_corrected_low",
    "minus_corrected_high",
    "pairs",
    *COSTS,
    "failed",
    "message",
]


def _called(one: Mapping[str, Any]) -> str:
    return of_set(one.get("name"), one.get("set"), one.get("data"))


def _row(rows: pd.DataFrame, values: pd.DataFrame, base: pd.Series, test_over_train: float) -> dict[str, Any]:
    """One row of a table: n (seeds with a number), means, sd of worst-group accuracy, and ``minus``: base minus it.

    Args:
        rows: the entries of one method.
        values: the rates and costs, by seed.
        base: worst-group accuracy of the method measured against, by seed.
        test_over_train: for the corrected interval (slim_core.metrics.t_interval); NaN: there is none.
    """
    first, failed = rows.iloc[0], rows[rows["status"] != "done"]
    return {
        **{name: first[name] for name in (*ROW, "label", "labels_used")},
        "n": len(values),
        **{f"{rate}_mean": values[rate].mean() for rate in RATES},
        "wga_sd": values[WGA].std(ddof=1),
        **_minus(base, values[WGA], test_over_train),
        **{cost: values[cost].mean() for cost in COSTS},
        "failed": len(failed),
        "message": failed["message"].iloc[0] if len(failed) else "",
    }


def _by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Seed -> the rates and costs of entries that have a number."""
    return rows.dropna(subset=[WGA]).set_index("seed")[[*RATES, *COSTS]]


def _minus(base: pd.Series, other: pd.Series, test_over_train: float) -> dict[str, Any]:
    found = difference_by_index(base, other)
    low, high = t_interval(found["n"], found["mean"], found["sd"], test_over_train)
    found |= {"corrected_low": low, "corrected_high": high}
    keys = ("mean", "low", "high", "corrected_low", "corrected_high")
    return {f"minus_{key}": found[key] for key in keys} | {"pairs": found["n"]}


def _mean_over_sets(rows: pd.DataFrame, n_sets: int) -> pd.DataFrame:
    """Seed -> mean over the sets of each number; NaN where a set has none."""
    whole = rows.dropna(subset=[WGA]).groupby("seed").filter(lambda part: part["set"].nunique() == n_sets)
    return whole.groupby("seed")[[*RATES, *COSTS]].mean()
