"""Which runs are compared, in which order, against which, in columns how wide."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app import session
from app.compare.view import WIDE, WIDTHS, column_widths, filtered, first_baseline, pinned, row_height, seeds_table
from app.ui import tables
from slim_core.data.groups import UNGROUPED, Grouping
from slim_core.evaluation.comparison import over_seeds
from slim_core.metrics import classification_metrics
from slim_core.steps.specs import parse_spec
from tests.app.conftest import finish

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


def test_evaluations_of_images_whose_attribute_is_never_known_are_compared_without_a_group(show, dataset) -> None:
    """As of a table whose test images have no attribute."""
    runs, labels = session.store().runs, np.array([0, 1])
    metrics = classification_metrics(labels, np.eye(2), Grouping(labels * 0 + UNGROUPED, ("0, china", "0, flower")))
    model, _ = runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    finish(model.id, {})
    evaluation, _ = runs.submit(
        parse_spec({"kind": "evaluate", "dataset": dataset.id, "model": model.id, "split": "test"})
    )
    finish(evaluation.id, metrics)
    app = show("compare")
    assert app.dataframe[0].value["average"].tolist() == [100] and app.dataframe[0].value["wga"].isna().all()
    assert len(app.get("plotly_chart")) == 2


def test_rows_are_higher_where_one_line_would_show_two_runs_by_the_same_words() -> None:
    def height(*labels: str) -> int:
        return row_height(pd.DataFrame({"label": labels}), {"label": 181})

    assert height("⚑ erm, seed 0", "erm, seed 1") == tables.ROW_PX
    assert height("random, from reference, seed 0", "slim, from reference, seed 0") == tables.ROW_PX
    alike = "slim by environments, from reference, seed"
    assert height(f"⚑ {alike} 0", f"{alike} 1") == tables.LINES_PX


@pytest.mark.parametrize(
    ("of_two", "more"),
    [
        ({}, set()),
        ({"labels_used": ["none", "none"], "answers": [0, 0], "answered_by": None}, set()),
        ({"labels_used": ["none", "groups in training"]}, {"labels_used"}),
        ({"labels_used": ["none", "none"]}, {"labels_used"}),
        ({"attention_coverage": [100, 30]}, {"attention_coverage"}),
        ({"attention_coverage": [np.nan, np.nan], "attention_precision": [np.nan, np.nan]}, set()),
    ],
)
def test_the_usual_comparison_fits_a_page_of_1024_pixels_and_lacks_no_number(
    of_two: dict[str, object], more: set[str]
) -> None:
    usual = {
        "label": ["erm, seed 0", "slim by environments, from reference, seed 0"],
        "worst_group": ["1, china", "0, flower"],
        "attention_coverage": [100.0, 100.0],
        "labels_used": ["none", "answers"],
        "attention_precision": [50, 60],
        "answers": [0, 24],
        "answered_by": [None, "simulated"],
    }
    found = column_widths(pd.DataFrame(usual | of_two))
    assert set(WIDTHS) - set(found) == {"labels_used", "attention_coverage"} - more
    assert more or sum(found.values()) <= 690
    long = column_widths(pd.DataFrame(usual | of_two | {"worst_group": ["waterbird, land", "x" * 80]}))
    assert long["worst_group"] > found["worst_group"], "a long name takes what there is"
    assert max(sum(found.values()), sum(long.values())) <= WIDE
