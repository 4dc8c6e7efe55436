"""Which runs are compared, in which order, against which."""

from __future__ import annotations

import pandas as pd

from app.compare.view import filtered, first_baseline, pinned, seeds_table
from slim_core.evaluation.comparison import over_seeds

ROWS = pd.DataFrame(
    {
        "label": ["slim, seed 1", "random, seed 0", "erm, seed 0"],
        "model": ["r-m3", "r-m2", "r-m1"],
        "name": "",
        "lineage_names": ["Bild short", "", ""],
        "lineage_models": ["r-m3 r-m1", "r-m2 r-m1", "r-m1"],
        "method": ["slim, from reference", "random, from reference", "erm"],
        "identity": ["s", "r", "e"],
        "grouping": ["attributes", "attributes", "attributes"],
        "seed": [0, 0, 0],
        "split": ["test", "test", "test"],
        "wga": [0.9, float("nan"), 0.6],
        "average": [0.9, 0.8, 0.7],
        "answers": [70.0, 0.0, 0.0],
    },
    index=["r-3", "r-2", "r-1"],
)


def test_filters_look_at_names_ids_models_methods_and_the_split() -> None:
    assert filtered(ROWS, "SEED 1", [], "test").index.tolist() == ["r-3"]
    assert filtered(ROWS, "r-m2", [], "test").index.tolist() == ["r-2"]
    assert filtered(ROWS, "", ["erm"], "test").index.tolist() == ["r-1"]
    assert filtered(ROWS, "Short", [], "test").index.tolist() == ["r-3"], "a name of what is above it"
    assert filtered(ROWS, "(", [], "test").empty, "a text, not a pattern"
    assert filtered(ROWS, "", [], "val").empty


def test_the_baseline_is_pinned_to_the_top() -> None:
    assert pinned(ROWS, "r-1").index.tolist() == ["r-1", "r-3", "r-2"]
    assert pinned(ROWS, "gone").index.tolist() == ["r-3", "r-2", "r-1"]


def test_the_first_baseline_is_the_oldest_run_of_no_subset() -> None:
    assert first_baseline(ROWS) == "r-1"
    assert first_baseline(ROWS[:2]) == "r-2"
    assert first_baseline(ROWS.assign(grouping=["space a", "space a", "space b"])) == "r-2", "of the same groups"


def test_the_first_baseline_is_a_model_that_others_rest_on_before_an_older_one_that_was_only_tried() -> None:
    tried = ROWS.tail(1).assign(model="r-m0", lineage_models="r-m0").set_axis(["r-0"])
    assert first_baseline(pd.concat([ROWS, tried])) == "r-1"
    assert first_baseline(pd.concat([ROWS.tail(1), tried])) == "r-0", "nothing rests on either"


def test_two_methods_of_one_name_are_told_apart() -> None:
    rows = ROWS.assign(method="erm", name=["short", "", ""])
    assert sorted(over_seeds(rows, "r-1")["method"]) == ["erm (r-1)", "erm (r-2)", "short · erm"]


def test_the_table_of_seeds_speaks_in_percent_and_points() -> None:
    table = seeds_table(over_seeds(ROWS, "r-1")).set_index("method")
    assert table.at["erm", "wga"] == 60
    assert round(table.at["slim, from reference", "change"], 6) == 30
    assert table.at["slim, from reference", "interval"] == "–"
