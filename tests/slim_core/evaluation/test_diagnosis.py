"""What is wrong, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slim_core.data.table import COLUMNS, ImageTable
from slim_core.evaluation import diagnosis
from tests.refusals import missing
from tests.slim_core.evaluation.verdicts import metrics, plain

UNEXPLAINED = "explains it."
SHORTCUT = "a shortcut"


def wrong(found: dict, split: str = "test") -> str:
    return plain(diagnosis.wrong(found, split))


def why(table: ImageTable, *groups: tuple[str, float], average: float = 0.8, **more: object) -> str:
    """Of groups with these names and accuracies."""
    found = metrics(average, *((name, rate, max(0.0, rate - 0.1), min(1.0, rate + 0.1)) for name, rate in groups))
    return plain(diagnosis.why(found | more, table))


def test_what_is_wrong_names_the_worst_group_with_its_n_and_interval() -> None:
    told = wrong(metrics(0.83, ("a, land", 0.98, 0.95, 0.99), ("b, land", 0.65, 0.59, 0.7)), "val")
    assert not missing(told, "83.0 %", "val", "65.0 % of b, land", "n = 300", "59 % to 70 %")
    even = wrong(metrics(0.9, ("a, land", 0.89, 0.85, 0.93)))
    assert not missing(even, "90.0 %", "hardly worse", "89.0 %", "a, land", "n = 300", "85 % to 93 %")
    assert not missing(wrong(metrics(1.0, ("a, land", 1.0, 0.98, 1.0))), "100.0 %", "no mistake")


def test_a_group_of_a_few_images_is_the_worst_only_where_no_other_has_more() -> None:
    found = metrics(0.8, ("a, land", 0.0, 0.0, 0.4), ("b, land", 0.4, 0.3, 0.5), ("c, land", 0.9, 0.8, 1.0))
    assert "a, land" in wrong(found)
    found["groups"][0]["n"] = 5
    assert not missing(wrong(found), "40.0 %", "b, land", "n = 300") and "a, land" not in wrong(found)
    for group in found["groups"]:
        group["n"] = 5
    assert not missing(wrong(found), "0.0 %", "a, land", "n = 5")


@pytest.mark.parametrize(
    ("confusion", "named"),
    [
        ([[9, 0], [15, 0]], "never predicts class 1 (15 images)."),
        ([[9, 2], [15, 0]], "none of the 15 images of class 1."),
        ([[9, 0], [1, 3]], ""),
        ([[9, 0, 0, 0], *[[1, 0, 0, 0]] * 3], "On 3 of the 4 classes"),
        ([[9, 0, 0, 0, 0], *[[1, 0, 0, 0, 0]] * 3, [0] * 5], "On 3 of the 4 classes"),  # one has no images
    ],
)
def test_a_class_that_is_never_right_is_named(confusion: list[list[int]], named: str) -> None:
    classes = [
        {"class": c, "name": f"class {c}", "n": sum(row), "accuracy": row[c] / sum(row) if sum(row) else None}
        for c, row in enumerate(confusion)
    ]
    told = wrong(metrics(0.8, ("a", 0.5, 0.4, 0.6)) | {"classes": classes, "confusion": confusion})
    assert named in told and ("class" in told) == bool(named)


def test_why_tells_what_the_class_is_mostly_seen_with_in_training(looped) -> None:
    evaluation, table = looped.outcomes["erm"].evaluation, looped.loop.table
    rows = table.rows("train")
    usual = table.attributes[rows][table.labels[rows] == 1]
    told = why(table, (f"1, {table.attribute_names[0]}", 0.5))
    assert not missing(told, f"{100 * (usual == 1).mean():.0f} %", f"of 1 come with {table.attribute_names[1]}")
    attention = plain(diagnosis.why(evaluation.metrics, table))
    assert f"{100 * (1 - evaluation.metrics['attention_precision']):.0f} % of its strong" in attention
    assert "Scored on" not in attention  # on all of them
    few = plain(diagnosis.why(evaluation.metrics | {"attention_coverage": 0.25}, table))
    assert "Scored on 25.0 %" in few


def test_where_no_group_fails_no_shortcut_is_named(looped) -> None:
    assert "shortcut" not in why(looped.loop.table, ("1, china", 0.89), average=0.9)


def test_the_attention_of_a_group_is_said_only_where_enough_of_its_images_are_scored() -> None:
    """As where people drew on three images of each group."""
    found = metrics(0.8, ("square, red", 0.5, 0.4, 0.6), ("ball, red", 0.9, 0.8, 0.95))
    found |= {"attention_precision": 0.7, "attention_coverage": 0.05}
    for group, precision in zip(found["groups"], (0.4, 0.9), strict=True):
        group |= {"attention_precision": precision, "n_masks": 30}
    assert "60 % for square, red." in plain(diagnosis.why(found, skewed()))
    found["groups"][0]["n_masks"] = 3
    told = plain(diagnosis.why(found, skewed()))
    assert "30 % of its strong" in told and "60 %" not in told


def skewed() -> ImageTable:
    """120 training images: 100 squares, of which 90 on black; 15 balls, all but one on red; and 5 rings, all on red."""
    places = [0] * 90 + [1] * 10 + [1] * 14 + [0] + [1] * 5
    frame = pd.DataFrame({"label": [0] * 100 + [1] * 15 + [2] * 5, "attribute": places, "split": "train"})
    frame = frame.assign(path="", mask="", box_x=None, box_y=None, box_width=None, box_height=None)
    return ImageTable("shapes", Path(), frame[list(COLUMNS)], ("square", "ball", "ring"), "ground", ("black", "red"))


def laid_out(labels: list[int], places: list[int], **named: tuple[str, ...]) -> ImageTable:
    """Training images with these labels and grounds."""
    table = skewed()
    frame = pd.concat([table.frame.head(1)] * len(labels), ignore_index=True).assign(label=labels, attribute=places)
    return replace(table, frame=frame, **named)


@pytest.mark.parametrize("accuracy", [0.0, 0.8])
def test_groups_by_answers_on_data_with_an_attribute_are_not_said_to_be_for_want_of_one(accuracy: float) -> None:
    told = why(skewed(), ("ball, environment 1", accuracy), estimated_groups=True)
    assert "groups are estimated" in told and "no attribute" not in told


def test_why_names_a_class_that_is_rare_in_training_and_a_group_that_fails_as_much_by_its_attribute() -> None:
    told = why(skewed(), ("ring, red", 0.0), ("square, red", 0.0), ("ball, red", 0.9))
    assert not missing(told, "5 of the 120", "of ring", "100 of square", "better on square, red.", "90 % of the images")
    assert UNEXPLAINED in why(skewed(), ("ball, red", 0.5))


def test_why_says_where_a_share_is_of_the_images_whose_attribute_is_known() -> None:
    """Of the 100 squares, the attribute of 40 that lie on black is not known."""
    table = skewed()
    attributes = table.frame["attribute"].where(table.frame.index >= 40, -1)
    table = replace(table, frame=table.frame.assign(attribute=attributes))
    assert not missing(why(table, ("square, red", 0.5)), "83 %", "ground is known", "17 %")
    assert "is known" not in why(table, ("ring, black", 0.5)), "that of all rings is"


def test_a_group_that_training_does_not_have_is_said_to_be_missing_and_not_to_be_0_percent() -> None:
    told = why(skewed(), ("ring, black", 0.5))
    assert not missing(told, "no image of ring", "with black", "almost determines")
    assert "0 %" not in told.split("In training")[1]


def test_an_attribute_that_is_as_rare_in_every_class_is_not_called_a_shortcut() -> None:
    """90 of 100 squares and 90 of 100 balls lie on black: red is rare, and tells neither class."""
    both = [0] * 100 + [1] * 100, ([0] * 90 + [1] * 10) * 2
    told = why(laid_out(*both, label_names=("square", "ball")), ("ball, red", 0.5))
    assert not missing(told, "90 %", "only 10 %", "10 images of this group") and "shortcut" not in told
    third = laid_out(*both, attribute_names=("black", "red", "blue"))  # no class has an image on blue
    assert not missing(why(third, ("ball, blue", 0.0)), "no image of ball", "0 images of this group")


def test_a_ground_that_several_classes_share_is_not_said_to_give_one_away() -> None:
    """Nine of ten rings lie on black, as do all balls and half of the squares: of the images on black, a third."""
    places = [0] * 30 + [1] * 15 + [2] * 15 + [0] * 30 + [0] * 27 + [1] * 3
    table = laid_out([0] * 60 + [1] * 30 + [2] * 30, places, attribute_names=("black", "red", "blue"))
    frame = table.frame
    assert "almost determines" in why(table, ("ring, blue", 0.0)), "all images on blue are of squares"
    frame.loc[(frame["label"] == 0) & (frame["attribute"] == 2), "label"] = [0, 1, 1] * 5
    table = replace(table, frame=frame.copy())
    assert "almost determines" in why(table, ("ring, blue", 0.0)), "two of three on blue are of balls"
    frame.loc[frame.index[frame["attribute"] == 2][:6], "label"] = 0
    told = why(replace(table, frame=frame.copy()), ("ring, blue", 0.0))
    assert not missing(told, "no image of ring", "with blue", "the other class", SHORTCUT)


def test_why_names_a_shortcut_of_one_value_where_the_class_itself_is_seen_with_many() -> None:
    """Cats and dogs lie on four grounds equally often, but of 40 images on red 38 are dogs."""
    places = [place for place in (1, 2, 3) for _ in range(80)] + [0] * 40
    names = {"label_names": ("cat", "dog"), "attribute_names": ("red", "black", "blue", "green")}
    animals = laid_out([0, 1] * 120 + [1] * 38 + [0] * 2, places, **names)
    told = why(animals, ("cat, red", 0.4), average=0.9)
    assert not missing(told, "95 % of the images", "with red", "of dog", "only 5 % of cat", SHORTCUT)
    for other in ("cat, black", "dog, red"):
        assert UNEXPLAINED in why(animals, (other, 0.4), average=0.9)


def test_without_attributes_or_masks_it_says_that_the_data_do_not_tell(plain_folder) -> None:
    from slim_core.data.importing import import_data
    from slim_core.data.report import require

    table = require(import_data(plain_folder))
    first, second = table.label_names[:2]
    assert UNEXPLAINED in why(table, ("0", 0.5))
    name, estimated = f"{first}, environment 2", {"estimated_groups": True}
    told = why(table, (name, 0.5), **estimated)
    assert not missing(told, "class x environment", f"images of {name}", "look at them")
    few = metrics(0.8, (name, 0.0, 0.0, 0.79)) | estimated
    few["groups"][0]["n"] = 1
    assert f"{name} has 1 image, too few" in plain(diagnosis.why(few, table))
    estimated |= {"classes": [{"name": one} for one in table.label_names]}
    for average in (0.8, 0.5):
        by_class = why(table, (first, 0.5), average=average, **estimated)
        assert "only the classes" in by_class and "estimated" not in by_class
    assert "only the classes" not in why(table, (first, 0.5), (f"{second}, land", 0.9), **estimated)


def test_one_without_groups_says_nothing() -> None:
    none = metrics(0.8)
    assert "known group" in wrong(none) and diagnosis.why(none, skewed()) == "" and not np.isnan(none["average"])
