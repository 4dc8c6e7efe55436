"""How far an attribute gives the class away: against scipy's own measure, and in the report's words."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association as scipy_association

from slim_core.data.checks.counts import association, check_table, cramers_v
from slim_core.data.importing import import_data
from slim_core.data.report import Findings
from slim_core.data.sets import make_set
from slim_core.data.sets.demo_set import write_set
from slim_core.data.table import COLUMNS, ImageTable


def table_of(labels, attributes, tmp_path, label_names=("a", "b")):
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(len(labels))], "split": "train", "label": labels})
    frame = frame.assign(attribute=attributes, mask="", box_x=np.nan, box_y=np.nan, box_width=np.nan, box_height=np.nan)
    return ImageTable("t", tmp_path, frame[list(COLUMNS)], label_names, "place", ("x", "y", "z"))


@pytest.mark.parametrize("counts", [[[90, 10], [10, 90]], [[5, 5, 1], [2, 9, 30]], [[7, 7], [7, 7]]])
def test_of_many_images_cramers_v_is_scipys(counts):
    many = 1000 * np.array(counts)
    assert cramers_v(many) == pytest.approx(scipy_association(many, method="cramer"), abs=2e-3)


def test_what_few_images_in_many_cells_give_by_chance_is_taken_off():
    """20 classes with 4, 3 and 1 images of three values, in turn: 160 images, by which nothing is known."""
    by_chance = np.array([np.roll([4, 3, 1], k) for k in range(20)])
    assert scipy_association(by_chance, method="cramer") > 0.3 and cramers_v(by_chance) < 0.2
    assert cramers_v(np.eye(2, dtype=int)) == 0 and 0.99 < cramers_v(500 * np.eye(2, dtype=int)) <= 1


def test_an_attribute_that_knows_nothing_of_many_classes_is_no_warning(tmp_path):
    rng = np.random.default_rng(0)
    names = tuple(f"c{k}" for k in range(40))
    table, findings = table_of(np.repeat(np.arange(40), 8), rng.integers(3, size=320), tmp_path, names), Findings()
    check_table(table, {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert found.level == "note" and found.message.startswith("place alone predicts the class of ")


def test_images_without_an_attribute_and_values_that_do_not_occur_count_for_nothing(tmp_path):
    found = association(table_of([0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 2, -1], tmp_path))
    assert found is not None and found.n == 5
    assert found.given_away == pytest.approx(4 / 5) and found.by_chance == pytest.approx(3 / 5)


def test_the_report_says_over_which_images_where_the_attribute_of_some_is_unknown(tmp_path):
    findings = Findings()
    check_table(table_of([0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 2, -1], tmp_path), {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert "gives away the class of 80.0\u00a0% of train, over the 5 images where it is known (60.0" in found.message


def test_where_one_value_alone_goes_with_a_class_it_is_named(tmp_path):
    """Classes are even on x and y, and 40 of the 40 images on z are of b: b is guessed everywhere as before."""
    labels, places = [0, 1] * 20 + [1] * 40, [0] * 20 + [1] * 20 + [2] * 40
    findings = Findings()
    check_table(table_of(labels, places, tmp_path), {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert found.level == "warning" and found.message.startswith(
        "place alone gives away the class of 75.0\u00a0% of train (75.0\u00a0% by always predicting the most frequent "
        "class; Cramér's V 0.56), but 100.0\u00a0% of the images with z are of b, and 75.0\u00a0% of all: "
    )


def test_where_the_attribute_as_a_whole_gives_the_class_away_no_value_is_named(tmp_path):
    findings = Findings()
    check_table(table_of([0] * 9 + [1] * 10, [0] * 9 + [1] * 9 + [0], tmp_path), {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert found.level == "warning" and " of the images with " not in found.message


@pytest.mark.parametrize(("labels", "attributes"), [([0, 0], [0, 1]), ([0, 1], [2, 2]), ([0, 1], [-1, -1]), ([], [])])
def test_of_one_class_or_one_value_nothing_is_said(labels, attributes, tmp_path):
    assert association(table_of(labels, attributes, tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [("hard", "warning", "gives away the class of 98.3"), ("no-shortcut", "note", "predicts the class of 50.0")],
)
def test_the_report_says_before_any_training_how_far_the_attribute_gives_the_class_away(tmp_path, name, level, told):
    write_set(tmp_path / "a", make_set(name, train=120, val=12, test=12))
    (found,) = (finding for finding in import_data(tmp_path / "a").report.findings if finding.code == "shortcut")
    assert found.level == level and f"photograph alone {told}\u00a0% of train" in found.message
