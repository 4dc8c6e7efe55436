"""The three texts: what is wrong, why, whether it is better."""

from __future__ import annotations

import pytest

from slim_core.evaluation.report import story

COST = {"answers": 72, "share": 0.03, "minutes": 2.4, "images": 480}


def metrics(average: float, *groups: tuple[str, float, float, float]) -> dict:
    rows = [
        {"group": i, "name": name, "n": 300, "correct": 1, "accuracy": rate, "low": low, "high": high}
        for i, (name, rate, low, high) in enumerate(groups)
    ]
    return {"average": average, "groups": rows, "attention_precision": None}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("**", "")


def test_what_is_wrong_names_the_worst_group_with_its_n_and_interval() -> None:
    told = plain(story.wrong(metrics(0.83, ("a, land", 0.98, 0.95, 0.99), ("b, land", 0.65, 0.59, 0.7))))
    assert told == ("It is right on 83.0 % of all images, but only on 65.0 % of b, land "
                    "(n = 300, 95 % interval 59 % to 70 %).")  # fmt: skip


@pytest.mark.parametrize(
    ("now", "better", "word"),
    [((0.9, 0.86, 0.93), True, "Yes."), ((0.7, 0.65, 0.75), None, "Not for certain"), ((0.4, 0.3, 0.5), False, "No")],
)
def test_better_is_only_said_where_the_intervals_part(now, better, word) -> None:
    before = metrics(0.8, ("b, land", 0.65, 0.59, 0.7))
    verdict = story.better(before, metrics(0.85, ("b, land", *now)), COST)
    assert verdict.better is better
    assert plain(verdict.text).startswith(word)
    assert "72 answers (3.0 % of the training images, 2.4 minutes) and 480 training images" in plain(verdict.text)


def test_why_tells_what_the_class_is_mostly_seen_with_in_training(looped) -> None:
    evaluation = looped.outcomes["erm"].evaluation
    table = looped.loop.table
    rows = table.rows("train")
    label, rare = 1, 0
    usual = table.attributes[rows][table.labels[rows] == label]
    told = plain(story.why(metrics(0.8, (f"1, {table.attribute_names[rare]}", 0.5, 0.4, 0.6)), table))
    assert f"{100 * (usual == 1).mean():.0f} % of the images of 1 come with {table.attribute_names[1]}" in told
    attention = plain(story.why(evaluation.metrics, table))
    assert f"{100 * (1 - evaluation.metrics['attention_precision']):.0f} % of its strong attention" in attention


def test_without_attributes_or_masks_it_says_that_the_data_do_not_tell(plain_folder, looped) -> None:
    from slim_core.data.importing import import_data
    from slim_core.data.report import require

    table = require(import_data(plain_folder))
    assert "no attribute" in story.why(metrics(0.8, ("0", 0.5, 0.4, 0.6)), table)


def test_where_no_group_fails_no_shortcut_is_named(looped) -> None:
    even = metrics(0.9, ("1, china", 0.89, 0.85, 0.93))
    assert "hardly worse on any group" in story.wrong(even)
    assert "shortcut" not in story.why(even, looped.loop.table)
