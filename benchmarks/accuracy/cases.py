"""The rows of a study: what each case came to, one line each, appended as soon as it is known.

Rates are from 0 to 1. Of several draws a row has their means.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.accuracy.studies import Case, Study

RESULTS = Path(__file__).parents[1] / "results" / "accuracy"
OF_CASE = ("set", "seed", "method", "annotator")
RATES = ("wga", "average", "worst_class", "attention")  # attention: its precision on test, where it was measured
COLUMNS = ("study", *OF_CASE, "labels_used", "answers", "images", *RATES, "seconds", "code")


def read(study: Study, folder: Path = RESULTS) -> pd.DataFrame:
    """One row a case that is there, in the order of the study's sets, methods and annotators."""
    file = file_of(study, folder)
    if not file.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.read_csv(file, keep_default_na=False, na_values={name: [""] for name in RATES})
    place = {case: number for number, case in enumerate(study.cases())}
    cases = [Case(**dict(zip(OF_CASE, row, strict=True))) for row in frame[list(OF_CASE)].itertuples(index=False)]
    order = pd.Series([place.get(case) for case in cases], index=frame.index)
    return frame.loc[order.dropna().sort_values().index].reset_index(drop=True)


def append(study: Study, case: Case, found: Mapping[str, Any], folder: Path = RESULTS) -> None:
    """Keep what a case came to; ``found``: the columns that are not the case's own."""
    file = file_of(study, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    row = {"study": study.name, **{name: getattr(case, name) for name in OF_CASE}, **found}
    with file.open("a", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def file_of(study: Study, folder: Path = RESULTS) -> Path:
    """Where its rows are."""
    return folder / f"{study.name}.csv"
