"""The three texts: what is wrong, why, whether it is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slim_core.data.table import COLUMNS, ImageTable
from slim_core.evaluation import diagnosis, two_models

COST = {"answers": 72, "spent": "69 images (3.0 %), 138 votes, 3 environments, 2.4 min", "images": 480}


def metrics(average: float, *groups: tuple[str, float, float, float]) -> dict:
    rows = [
        {"group": i, "name": name, "n": 300, "correct": 1, "accuracy": rate, "low": low, "high": high}
        for i, (name, rate, low, high) in enumerate(groups)
    ]
    return {"average": average, "groups": rows, "attention_precision": None}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("**", "")


def test_what_is_wrong_names_the_worst_group_with_its_n_and_interval() -> None:
    told = plain(diagnosis.wrong(metrics(0.83, ("a, land", 0.98, 0.95, 0.99), ("b, land", 0.65, 0.59, 0.7)), "val"))
    assert told == ("It is right on 83.0 % of the val images, but only on 65.0 % of b, land "
                    "(n = 300, 95 % interval 59 % to 70 %).")  # fmt: skip


def test_beside_a_worst_group_of_a_few_images_stands_the_worst_of_enough() -> None:
    found = metrics(0.8, ("a, land", 0.0, 0.0, 0.4), ("b, land", 0.4, 0.3, 0.5), ("c, land", 0.9, 0.8, 1.0))
    assert "or more" not in diagnosis.wrong(found, "test")
    found["groups"][0]["n"] = 5
    told = plain(diagnosis.wrong(found, "test"))
    assert told.endswith("Of the groups with 10 images or more, the worst is b, land (40.0 %, n = 300).")
    for group in found["groups"][1:]:
        group["accuracy"] = 1.0
    right = plain(diagnosis.wrong(found, "test"))
    assert right.endswith("It is right on every image of the groups with 10 images or more."), "none is the worst"
    alone = plain(diagnosis.wrong(metrics(0.8, ("a", 0.0, 0.0, 0.4)), "test"))
    assert alone.count(".") == 3, "nothing where there is no other"


def test_a_class_that_is_never_right_is_named() -> None:
    def told(confusion: list[list[int]]) -> str:
        right = [row[c] / sum(row) if sum(row) else None for c, row in enumerate(confusion)]
        classes = [{"class": c, "name": f"class {c}", "n": sum(row), "accuracy": right[c]}
                   for c, row in enumerate(confusion)]  # fmt: skip
        found = metrics(0.8, ("a", 0.5, 0.4, 0.6)) | {"classes": classes, "confusion": confusion}
        return plain(diagnosis.wrong(found, "test"))

    assert told([[9, 0], [15, 0]]).endswith("It never predicts class 1 (15 images).")
    assert told([[9, 2], [15, 0]]).endswith("It is right on none of the 15 images of class 1.")
    assert "class 1" not in told([[9, 0], [1, 3]])
    assert "On 3 of the 4 classes it is right on no image." in told([[9, 0, 0, 0], *[[1, 0, 0, 0]] * 3])
    absent = [[9, 0, 0, 0, 0], *[[1, 0, 0, 0, 0]] * 3, [0] * 5]
    assert "On 3 of the 4 classes it is right on no image." in told(absent), "of one without images nothing is known"


BEFORE = metrics(0.8, ("b, land", 0.65, 0.59, 0.7))


@pytest.mark.parametrize(
    ("now", "better", "word"),
    [
        ((0.9, 0.86, 0.93), True, "Yes."),
        ((0.7, 0.65, 0.75), None, "Not shown: the intervals overlap"),
        ((0.65, 0.59, 0.7), False, "No. "),
        ((0.6, 0.54, 0.66), False, "No. "),
        ((0.4, 0.3, 0.5), False, "No, it is worse."),
    ],
)
def test_better_is_only_said_where_the_intervals_part_and_no_where_nothing_rose(now, better, word) -> None:
    verdict = two_models.better(BEFORE, metrics(0.85, ("b, land", *now)), COST)
    assert verdict.better is better
    assert plain(verdict.text).startswith(word)
    spent = (
        "Annotation took 69 images (3.0 %), 138 votes, 3 environments, 2.4 min. The model was trained on 480 images."
    )
    assert spent in plain(verdict.text)
    assert "b, land: 1 of 300 right before, 1 after" in plain(verdict.text)


STAYS = [[20, 0], [0, 280]]


@pytest.mark.parametrize(
    ("turned", "better", "word"),
    [
        ([[103, 32], [12, 153]], True, "Yes. Worst-group accuracy went from 55.0 % to 61.7 % (+6.7 points; b, land: "
         "165 of 300 right before, 185 after; 32 turned right, 12 wrong)."),
        ([[75, 60], [55, 110]], None, "Not shown: with 300 images, such a rise may be chance."),
        ([[130, 5], [35, 130]], False, "No, it is worse."),
        ([[105, 30], [32, 133]], False, "No. "),
    ],
)  # fmt: skip
def test_on_the_same_images_those_that_turned_decide(turned, better, word) -> None:
    counts = np.array([turned, STAYS])
    before, after = (
        metrics(0.8, ("b, land", rate[0], rate[0] - 0.06, rate[0] + 0.06), ("a, land", rate[1], 0.9, 1.0))
        for rate in (counts[:, 1, :].sum(axis=1) / 300, counts[:, :, 1].sum(axis=1) / 300)
    )
    for found, right in ((before, counts[0, 1, :].sum()), (after, counts[0, :, 1].sum())):
        found["groups"][0]["correct"] = int(right)
    verdict = two_models.better(before, after, COST, outcomes=counts)
    assert verdict.better is better
    assert plain(verdict.text).startswith(word)
    assert ('Significant changes: "b, land" rose.' in verdict.text) == bool(better)
    assert two_models.better(before, after, COST).better is (False if better is False else None), (
        "the intervals overlap"
    )


def test_where_the_worst_group_rose_and_another_fell_as_low_both_are_named() -> None:
    counts = np.array([[[103, 32], [12, 153]], [[20, 0], [95, 185]], STAYS])
    names = ("b, land", "a, land", "a, sea")
    before, after = (
        metrics(0.8, *((name, right / 300, right / 300 - 0.06, right / 300 + 0.06)
                       for name, right in zip(names, correct, strict=True)))
        for correct in (counts[:, 1, :].sum(axis=1), counts[:, :, 1].sum(axis=1))
    )  # fmt: skip
    verdict = two_models.better(before, after, COST, outcomes=counts, named=lambda name: f"<{name}>")
    assert verdict.better is None
    assert plain(verdict.text).startswith(
        'Not shown: "<b, land>" rose, but "<a, land>" (300 images) may be no better than it was.'
    )
    assert 'Significant changes: "<b, land>" rose; "<a, land>" fell.' in verdict.text


def test_a_group_of_some_images_may_leave_a_rise_in_doubt_and_one_of_a_few_does_not() -> None:
    """All of its images are right by both models, and its accuracy may still be the lowest."""
    for n, better in ((12, None), (3, True)):
        counts = np.array([[[30, 45], [0, 225]], [[0, 0], [0, n]]])
        before, after = metrics(0.8, ("b, land", 0.75, 0.7, 0.79)), metrics(0.9, ("b, land", 0.9, 0.86, 0.93))
        for found in (before, after):
            found["groups"].append({"group": 1, "name": "a, sea", "n": n, "correct": n, "accuracy": 1.0, "low": 0.4,
                                    "high": 1.0})  # fmt: skip
        told = two_models.better(before, after, COST, outcomes=counts)
        assert told.better is better
        doubt = 'Not shown: "b, land" rose, but "a, sea" (12 images) may be no better than it was.'
        assert plain(told.text).startswith("Yes." if better else doubt)


def test_a_worst_group_of_a_few_images_decides_nothing() -> None:
    few = metrics(0.8, ("b, land", 0.0, 0.0, 0.66))
    few["groups"][0]["n"] = 2
    for before, after in ((few, few), (BEFORE, few), (few, BEFORE)):
        verdict = two_models.better(before, after, COST)
        assert verdict.better is None
        assert plain(verdict.text).startswith("Not known: b, land has 2 images, too few to decide.")
        seeds = two_models.better(before, after, COST, pairs=[(0.0, 0.5), (0.0, 0.5)])
        assert seeds.better is None and plain(seeds.text).startswith("Not known: b, land has 2 images")


def test_beside_a_worst_group_of_a_few_images_stands_how_the_worst_of_enough_changed() -> None:
    before = metrics(0.8, ("a, land", 0.0, 0.0, 0.79), ("b, land", 0.65, 0.59, 0.7), ("c, land", 0.9, 0.8, 1.0))
    after = metrics(0.9, ("a, land", 0.0, 0.0, 0.79), ("b, land", 0.95, 0.9, 0.98), ("c, land", 0.9, 0.8, 1.0))
    assert "or more" not in two_models.better(before, after, COST).text
    for found in (before, after):
        found["groups"][0]["n"] = 1
    told = plain(two_models.better(before, after, COST).text)
    assert "The worst group with 10 images or more went from 65.0 % (b, land) to 90.0 % (c, land)." in told
    assert "or more" not in two_models.better(before, after, COST, pairs=[(0.0, 0.5), (0.0, 0.6)]).text, (
        "it is of one seed"
    )


def test_several_seeds_decide_by_the_interval_of_their_mean_change() -> None:
    after = metrics(0.85, ("b, land", 0.9, 0.86, 0.93))
    rising = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.8), (0.65, 0.84), (0.62, 0.83)])
    assert rising.better and "Over 3 seeds" in rising.text and "95 % interval" in rising.text
    assert "For the seed shown: average accuracy went from" in rising.text, "the average is of one training"
    assert "For the seed shown" not in two_models.better(BEFORE, after, COST).text
    apart = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.9), (0.65, 0.5), (0.62, 0.66)])
    assert apart.better is None and "includes 0" in apart.text
    falling = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.5), (0.65, 0.64)])
    assert falling.better is False


def test_a_rise_of_two_seeds_is_not_shown_however_alike_they_are() -> None:
    after = metrics(0.85, ("b, land", 0.9, 0.86, 0.93))
    rising = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.8), (0.65, 0.851)])
    assert rising.better is None
    assert plain(rising.text).startswith(
        "Not shown: 2 seeds are too few for an interval: train with a third. Over 2 seeds, worst-group accuracy went "
        "from 62.5 % to 82.5 % on average (+20.1 points, too few for an interval)."
    )


def test_seeds_that_changed_by_the_same_share_of_few_images_show_nothing() -> None:
    after = metrics(0.85, ("b, land", 0.9, 0.86, 0.93))
    alike = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.7), (0.65, 0.75), (0.7, 0.8)])
    assert alike.better is None and plain(alike.text).startswith("Not shown: every seed changed by the same")
    assert "(+10.0 points, the same for each)" in alike.text
    assert two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.5), (0.65, 0.55), (0.7, 0.6)]).better is False
    unchanged = two_models.better(BEFORE, after, COST, pairs=[(0.6, 0.6), (0.65, 0.65), (0.7, 0.7)])
    assert unchanged.better is False and "95 % interval +0.0 to +0.0" in unchanged.text


BEFORE_BOTH = metrics(0.8, ("b, land", 0.65, 0.59, 0.7), ("a, land", 0.9, 0.88, 0.92))


def test_groups_that_fell_are_named_also_where_the_worst_one_rose() -> None:
    before = metrics(0.8, ("b, land", 0.65, 0.59, 0.7), ("a, land", 0.99, 0.98, 1.0))
    after = metrics(0.8, ("b, land", 0.9, 0.86, 0.93), ("a, land", 0.92, 0.9, 0.94))
    assert 'Significant changes: "b, land" rose; "a, land" fell.' in two_models.better(before, after, COST).text
    both = metrics(0.9, ("b, land", 0.9, 0.86, 0.93), ("a, land", 1.0, 1.0, 1.0))
    assert 'changes: "b, land" and "a, land" rose.' in two_models.better(BEFORE_BOTH, both, COST).text


def test_what_is_simpler_stands_beside_it() -> None:
    after = metrics(0.85, ("b, land", 0.9, 0.86, 0.93))
    beside = {"A random subset": [0.71], "JTT, which asks nobody,": [0.91, 0.93]}
    told = plain(two_models.better(BEFORE, after, COST, beside=beside).text)
    assert "A random subset reaches 71.0 %." in told
    assert "JTT, which asks nobody, does as well or better: 92.0 %, mean of 2 seeds." in told


def test_several_seeds_of_what_is_simpler_are_compared_with_the_mean_over_seeds() -> None:
    after, pairs = metrics(0.85, ("b, land", 0.9, 0.86, 0.93)), [(0.6, 0.9), (0.6, 0.7)]
    beside = {"A random subset": [0.85], "JTT": [0.83, 0.87], "ERM": [0.7, 0.8]}
    told = plain(two_models.better(BEFORE, after, COST, pairs=pairs, beside=beside).text)
    assert "JTT does as well or better: 85.0 %, mean of 2 seeds." in told, "80 % on average is less"
    assert "ERM reaches 75.0 %, mean of 2 seeds." in told
    assert "A random subset reaches 85.0 %." in told, "one of the seed shown, whose worst group is at 90 %"


def test_why_tells_what_the_class_is_mostly_seen_with_in_training(looped) -> None:
    evaluation = looped.outcomes["erm"].evaluation
    table = looped.loop.table
    rows = table.rows("train")
    label, rare = 1, 0
    usual = table.attributes[rows][table.labels[rows] == label]
    told = plain(diagnosis.why(metrics(0.8, (f"1, {table.attribute_names[rare]}", 0.5, 0.4, 0.6)), table))
    assert f"{100 * (usual == 1).mean():.0f} % of the images of 1 come with {table.attribute_names[1]}" in told
    attention = plain(diagnosis.why(evaluation.metrics, table))
    assert f"{100 * (1 - evaluation.metrics['attention_precision']):.0f} % of its strong attention" in attention
    assert "Scored on" not in attention  # on all of them
    few = plain(diagnosis.why(evaluation.metrics | {"attention_coverage": 0.25}, table))
    assert few.endswith("Scored on 25.0 % of the images.")


def test_the_attention_of_a_group_is_said_only_where_enough_of_its_images_are_scored() -> None:
    """As where people drew on three images of each group."""
    found = metrics(0.8, ("square, red", 0.5, 0.4, 0.6), ("ball, red", 0.9, 0.8, 0.95))
    found |= {"attention_precision": 0.7, "attention_coverage": 0.05}
    for group, precision in zip(found["groups"], (0.4, 0.9), strict=True):
        group |= {"attention_precision": precision, "n_masks": 30}
    assert "lies beside the object, and 60 % for square, red." in plain(diagnosis.why(found, skewed()))
    found["groups"][0]["n_masks"] = 3
    told = plain(diagnosis.why(found, skewed()))
    assert "30 % of its strong attention lies beside the object." in told and "60 %" not in told


def skewed() -> ImageTable:
    """120 training images: 100 squares, of which 90 on black; 15 balls, all but one on red; and 5 rings, all on red."""
    places = [0] * 90 + [1] * 10 + [1] * 14 + [0] + [1] * 5
    frame = pd.DataFrame({"label": [0] * 100 + [1] * 15 + [2] * 5, "attribute": places, "split": "train"})
    frame = frame.assign(path="", mask="", box_x=None, box_y=None, box_width=None, box_height=None)
    return ImageTable("shapes", Path(), frame[list(COLUMNS)], ("square", "ball", "ring"), "ground", ("black", "red"))


@pytest.mark.parametrize("accuracy", [0.0, 0.8])
def test_groups_by_answers_on_data_with_an_attribute_are_not_said_to_be_for_want_of_one(accuracy: float) -> None:
    found = metrics(0.8, ("ball, environment 1", accuracy, 0.0, 1.0)) | {"estimated_groups": True}
    told = plain(diagnosis.why(found, skewed()))
    assert "groups are estimated" in told and "no attribute" not in told


def test_why_names_a_class_that_is_rare_in_training_and_a_group_that_fails_as_much_by_its_attribute() -> None:
    found = metrics(0.8, ("ring, red", 0.0, 0.0, 0.1), ("square, red", 0.0, 0.0, 0.1), ("ball, red", 0.9, 0.8, 1.0))
    told = plain(diagnosis.why(found, skewed()))
    assert told.startswith("Only 5 of the 120 training images are of ring, and 100 of square: a class so rare is ")
    assert "It does no better on square, red. In training, 90 % of the images of square come with black" in told
    ball = plain(diagnosis.why(metrics(0.8, ("ball, red", 0.5, 0.4, 0.6)), skewed()))
    assert ball == "No attribute of the data explains it."


def test_why_says_where_a_share_is_of_the_images_whose_attribute_is_known() -> None:
    """Of the 100 squares, the attribute of 40 that lie on black is not known."""
    table = skewed()
    attributes = table.frame["attribute"].where(table.frame.index >= 40, -1)
    table = replace(table, frame=table.frame.assign(attribute=attributes))
    square = plain(diagnosis.why(metrics(0.8, ("square, red", 0.5, 0.4, 0.6)), table))
    assert "In training, 83 % of the images of square whose ground is known come with black and only 17 %" in square
    ring = plain(diagnosis.why(metrics(0.8, ("ring, black", 0.5, 0.4, 0.6)), table))
    assert "no image of ring comes with black" in ring, "all rings are known"


def test_a_group_that_training_does_not_have_is_said_to_be_missing_and_not_to_be_0_percent() -> None:
    told = plain(diagnosis.why(metrics(0.8, ("ring, black", 0.5, 0.4, 0.6)), skewed()))
    assert "In training, no image of ring comes with black: the ground nearly gives the class away" in told
    assert "0 %" not in told.split("In training")[1]


def test_an_attribute_that_is_as_rare_in_every_class_is_not_called_a_shortcut() -> None:
    """90 of 100 squares and 90 of 100 balls lie on black: red is rare, and tells neither class."""
    table = skewed()
    labels, places = [0] * 100 + [1] * 100, ([0] * 90 + [1] * 10) * 2
    frame = pd.concat([table.frame.head(1)] * 200, ignore_index=True).assign(label=labels, attribute=places)
    found = metrics(0.8, ("ball, red", 0.5, 0.4, 0.6))
    told = plain(diagnosis.why(found, replace(table, frame=frame, label_names=("square", "ball"))))
    assert "In training, 90 % of the images of ball come with black and only 10 % with red" in told
    assert told.endswith("the model has seen 10 images of this group.")
    assert "shortcut" not in told
    of_three = replace(table, frame=frame)  # rings have no image, and no class has one on a third ground
    third = replace(of_three, attribute_names=("black", "red", "blue"))
    unseen = plain(diagnosis.why(metrics(0.8, ("ball, blue", 0.0, 0.0, 0.1)), third))
    assert unseen.endswith("no image of ball comes with blue: the model has seen 0 images of this group.")


def test_a_ground_that_several_classes_share_is_not_said_to_give_one_away() -> None:
    """Nine of ten rings lie on black, as do all balls and half of the squares: of the images on black, a third."""
    table = skewed()
    labels = [0] * 60 + [1] * 30 + [2] * 30
    places = [0] * 30 + [1] * 15 + [2] * 15 + [0] * 30 + [0] * 27 + [1] * 3
    frame = pd.concat([table.frame.head(1)] * 120, ignore_index=True).assign(label=labels, attribute=places)
    rings = replace(table, frame=frame, attribute_names=("black", "red", "blue"))
    told = plain(diagnosis.why(metrics(0.8, ("ring, blue", 0.0, 0.0, 0.3)), rings))
    assert "the ground nearly gives the class away" in told, "all images on blue are of squares"
    frame.loc[(frame["label"] == 0) & (frame["attribute"] == 2), "label"] = [0, 1, 1] * 5
    told = plain(diagnosis.why(metrics(0.8, ("ring, blue", 0.0, 0.0, 0.3)), replace(rings, frame=frame)))
    assert "no image of ring comes with blue: the ground nearly" in told, "two of three on blue are of balls"
    frame.loc[frame.index[frame["attribute"] == 2][:6], "label"] = 0
    told = plain(diagnosis.why(metrics(0.8, ("ring, blue", 0.0, 0.0, 0.3)), replace(rings, frame=frame)))
    assert told == (
        "In training, no image of ring comes with blue: there the ground speaks against the class, a shortcut that "
        "fails where the two disagree."
    )


def test_why_names_a_shortcut_of_one_value_where_the_class_itself_is_seen_with_many() -> None:
    """Cats and dogs lie on four grounds equally often, but of 40 images on red 38 are dogs."""
    table = skewed()
    labels = [0, 1] * 120 + [1] * 38 + [0] * 2
    places = [place for place in (1, 2, 3) for _ in range(80)] + [0] * 40
    frame = pd.concat([table.frame.head(1)] * 280, ignore_index=True).assign(label=labels, attribute=places)
    names = ("red", "black", "blue", "green")
    animals = replace(table, frame=frame, label_names=("cat", "dog"), attribute_names=names)
    told = plain(diagnosis.why(metrics(0.9, ("cat, red", 0.4, 0.2, 0.7)), animals))
    assert told == (
        "In training, 95 % of the images with red are of dog and only 5 % of cat: there the ground nearly gives the "
        "class away, a shortcut that fails where the two disagree."
    )
    for other in ("cat, black", "dog, red"):
        told = plain(diagnosis.why(metrics(0.9, (other, 0.4, 0.2, 0.7)), animals))
        assert told == "No attribute of the data explains it."


def test_where_every_group_is_right_afterwards_none_is_called_the_worst() -> None:
    before = metrics(0.95, ("cat, red", 0.43, 0.21, 0.67), ("dog, red", 1.0, 0.9, 1.0))
    after = metrics(1.0, ("dog, red", 1.0, 0.9, 1.0), ("cat, red", 1.0, 0.8, 1.0))
    told = plain(two_models.better(before, after, COST).text)
    assert "from 43.0 % to 100.0 % (+57.0 points; no group has a mistake left)." in told


def test_without_attributes_or_masks_it_says_that_the_data_do_not_tell(plain_folder, looped) -> None:
    from slim_core.data.importing import import_data
    from slim_core.data.report import require

    table = require(import_data(plain_folder))
    assert diagnosis.why(metrics(0.8, ("0", 0.5, 0.4, 0.6)), table) == "No attribute of the data explains it."
    estimated = {"estimated_groups": True}
    name = f"{table.label_names[0]}, environment 2"
    told = plain(diagnosis.why(metrics(0.8, (name, 0.5, 0.4, 0.6)) | estimated, table))
    shared = f"It fails on what the images of {name} have in common in their surroundings: look at them."
    assert "class x environment" in told and told.endswith(shared)
    few = metrics(0.8, (name, 0.0, 0.0, 0.79)) | estimated
    few["groups"][0]["n"] = 1
    assert plain(diagnosis.why(few, table)).endswith(f"{name} has 1 image, too few to show what it fails on.")
    estimated |= {"classes": [{"name": one} for one in table.label_names]}
    for average in (0.8, 0.5):
        by_class = plain(diagnosis.why(metrics(average, (table.label_names[0], 0.5, 0.4, 0.6)) | estimated, table))
        assert "only the classes" in by_class and "estimated" not in by_class
    in_part = metrics(0.8, (table.label_names[0], 0.5, 0.4, 0.6), (f"{table.label_names[1]}, land", 0.9, 0.8, 1.0))
    assert "only the classes" not in plain(diagnosis.why(in_part | estimated, table))


def test_where_no_group_fails_no_shortcut_is_named(looped) -> None:
    even = metrics(0.9, ("1, china", 0.89, 0.85, 0.93))
    assert plain(diagnosis.wrong(even, "test")).endswith(
        "right on 90.0 % of the test images, and hardly worse on any group: the lowest is 89.0 %, of 1, china "
        "(n = 300, 95 % interval 85 % to 93 %)."
    )
    none = metrics(1.0, ("1, china", 1.0, 0.98, 1.0))
    assert plain(diagnosis.wrong(none, "test")).endswith("of the test images, and makes no mistake in any group.")
    assert "shortcut" not in diagnosis.why(even, looped.loop.table)
