"""Agreement of annotators: beyond chance, with known answers, and where they contradict each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slim_core.annotation.agreement import ALPHA, KAPPA, agreement, annotators, disputes
from slim_core.store import Item


def cast(*columns: list[int | None]) -> list[tuple[int, str, int]]:
    """Votes of annotators a, b, c: a column each, None = not asked."""
    named = zip("abcdef", columns, strict=False)
    return [(item, who, value) for who, column in named for item, value in enumerate(column) if value is not None]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_of_two_is_that_of_scikit_learn(seed):
    from sklearn.metrics import cohen_kappa_score

    a, b = np.random.default_rng(seed).integers(0, 2, (2, 17))
    votes = [(item, who, int(value)) for who, said in (("ann", a), ("ben", b)) for item, value in enumerate(said)]
    assert agreement(votes).value == pytest.approx(cohen_kappa_score(a, b))


def test_kappa_of_two_is_the_textbook_number_with_an_interval_around_it():
    a = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15  # the worked example of Cohen's kappa: 20, 5, 10, 15
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    found = agreement(cast(a, b))
    assert found.measure == KAPPA and found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high and 0.05 < found.low and found.high < 0.75
    assert (found.n_items, found.n_annotators, found.note) == (50, 2, "")
    assert agreement(cast(a, b)) == found
    assert agreement(cast(a, b), seed=1).low != found.low


def test_alpha_of_more_is_that_of_krippendorffs_nominal_example():
    # Krippendorff (2011), reliability data with missing values, reduced to two categories by hand:
    # units (1,1,0), (0,0), (1,1,1), (0,1): coincidences 1-1: 1+3 = 4, 0-0: 2, 1-0: 2 x (1 + 1/2 x 2) = 4
    found = agreement(cast([1, 0, 1, 0], [1, 0, 1, 1], [0, None, 1, None]))
    assert found.measure == ALPHA and found.n_annotators == 3 and found.n_items == 4
    observed = (2 * (1 / 2) * 2 + 2 * 1) / 10  # of 10 pairable values
    n_right, n_wrong = 6, 4
    assert found.value == pytest.approx(1 - observed / (2 * n_right * n_wrong / (10 * 9)))


def test_perfect_agreement_is_one_and_chance_is_about_nothing():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400).tolist()
    assert agreement(cast(truth, truth)).value == pytest.approx(1)
    assert agreement(cast(truth, truth, truth)).value == pytest.approx(1)
    for n in (2, 3):
        found = agreement(cast(*(rng.integers(0, 2, 400).tolist() for _ in range(n))))
        assert found.low < 0 < found.high


def test_unsure_is_no_opinion_and_images_of_one_person_do_not_count():
    found = agreement(cast([1, 0, -1, 1, 1], [1, 0, 1, None, 0]))
    assert found.n_items == 3
    assert agreement([]).note.startswith("No image has")
    assert np.isnan(agreement(cast([1, 1], [-1, None])).value)


def test_where_everybody_always_says_the_same_agreement_is_not_defined():
    for columns in (([1, 1, 1], [1, 1, 1]), ([0, 0], [0, 0], [0, 0])):
        found = agreement(cast(*columns))
        assert np.isnan(found.value) and "undefined" in found.note


def test_two_who_always_contradict_each_other_are_told_so():
    assert agreement(cast([1, 1, 1], [0, 0, 0])).value == pytest.approx(0)
    assert agreement(cast([1, 0, 1, 0], [0, 1, 0, 1])).value == pytest.approx(-1)


def test_disputes_are_items_called_right_and_wrong_the_undecided_first():
    items = [Item(0, 10, 0, 0, decision=1), Item(1, 11, 0, 1), Item(2, 12, 0, 2), Item(3, 13, 0, 3)]
    found = disputes(items, cast([1, 0, 1, 1], [0, 1, 1, -1]))
    assert [one.item.id for one in found] == [1, 0]
    assert found[0].votes == {"a": 0, "b": 1}


def test_each_annotator_is_told_their_work_their_gold_and_their_agreement():
    items = [Item(k, 10 + k, 0, k, gold=1 if k < 2 else None) for k in range(4)]
    votes = cast([1, 0, 1, -1], [1, 1, 0, 1], [None, 1, 0, None])
    row = {"source": "page", "value": 1, "duration_ms": 30_000, "surplus": False}
    audit = [
        row | {"annotator": "a", "item_id": 0, "value": 0},
        row | {"annotator": "a", "item_id": 0},
        row | {"annotator": "a", "item_id": 0, "value": None},
        row | {"annotator": "a", "item_id": 0},
        row | {"annotator": "a", "item_id": 3, "value": None, "source": "skip"},
        row | {"annotator": "b", "item_id": 1, "duration_ms": 10**9},
        row | {"annotator": "lea", "item_id": 1, "source": "decision"},
    ]
    frame = annotators(items, votes, audit).set_index("annotator")
    assert list(frame.index) == ["a", "b", "c"]
    a, c = frame.loc["a"], frame.loc["c"]
    assert (a["answers"], a["right"], a["wrong"], a["unsure"]) == (4, 2, 1, 1)
    assert (a["changed"], a["undone"], a["skipped"]) == (1, 1, 1)
    assert a["minutes"] == pytest.approx(2.5) and a["per_minute"] == pytest.approx(3 / 2.5)
    assert frame.loc["b", "minutes"] == pytest.approx(1.0)  # a pause is cut at a minute
    assert (a["gold_n"], a["gold_agree"]) == (2, 0.5) and (c["gold_n"], c["gold_agree"]) == (1, 1.0)
    assert (a["others_n"], a["others_agree"]) == (3, pytest.approx(1 / 3))
    assert c["minutes"] == 0 and pd.isna(c["per_minute"])


def test_the_simulated_annotator_works_no_minutes():
    items, votes = [Item(k, k, 0, k) for k in range(2)], [(0, "people", 1), (1, "simulated annotator", 1)]
    row = {"item_id": 0, "annotator": "people", "value": 1, "duration_ms": 30_000, "surplus": False, "source": "web"}
    audit = [row, row | {"item_id": 1, "annotator": "simulated annotator", "source": "masks"}]
    minutes = annotators(items, votes, audit).set_index("annotator")["minutes"]
    assert minutes["people"] == 0.5 and pd.isna(minutes["simulated annotator"])


def test_answers_beyond_the_overlap_are_told_and_without_an_answer_there_is_no_pace():
    row = {"source": "page", "value": 1, "duration_ms": 30_000, "surplus": True}
    audit = [
        row | {"annotator": "late", "item_id": 0},
        row | {"annotator": "late", "item_id": 0, "value": 0},
        row | {"annotator": "late", "item_id": 1},
        row | {"annotator": "late", "item_id": 2},
        row | {"annotator": "late", "item_id": 2, "value": None},
        row | {"annotator": "shy", "item_id": 3, "value": None, "source": "skip", "surplus": False},
    ]
    frame = annotators([Item(k, k, 0, k) for k in range(4)], [], audit).set_index("annotator")
    late, shy = frame.loc["late"], frame.loc["shy"]
    assert (late["answers"], late["surplus"], late["per_minute"]) == (0, 2, pytest.approx(4 / 2.5))
    assert shy["surplus"] == 0 and pd.isna(shy["per_minute"])


def test_nobody_who_answered_yet_makes_an_empty_table():
    assert len(annotators([Item(0, 1, 0)], [], [])) == 0


def test_empty_counts_as_wrong_and_is_reported_apart():
    a, b = [1, 2, 0, 2, 1], [1, 0, 2, 1, 0]
    as_wrong = [[0 if value == 2 else value for value in column] for column in (a, b)]
    assert agreement(cast(a, b)) == agreement(cast(*as_wrong))
    items = [Item(id=n, row=n, label=0, position=n, gold=(None, 2, 0, 1, None)[n]) for n in range(5)]
    assert [one.item.id for one in disputes(items, cast(a, b))] == [3, 4], "empty against wrong is no dispute"
    of_a = annotators(items, cast(a, b), []).set_index("annotator").loc["a"]
    assert (of_a["right"], of_a["wrong"], of_a["empty"], of_a["unsure"]) == (2, 1, 2, 0)
    assert of_a["gold_n"] == 3 and of_a["gold_agree"] == pytest.approx(2 / 3)
    assert of_a["others_agree"] == pytest.approx(3 / 5)
