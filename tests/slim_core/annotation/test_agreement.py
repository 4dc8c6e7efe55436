"""Agreement of annotators: beyond chance, with known answers, and where they contradict each other; and Krippendorff's
alpha: his own worked examples, its definition pair by pair, and what must not change it."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from slim_core.annotation.agreement import ALPHA, KAPPA, agreement, annotators, disputes, n_tied, nominal_alpha
from slim_core.store import Item
from slim_core.store.campaigns.consensus import PARTLY, Consensus


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


TRUTH = np.random.default_rng(0).integers(0, 2, 400).tolist()


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        ((TRUTH, TRUTH), 1),
        ((TRUTH, TRUTH, TRUTH), 1),
        (([1, 1, 1], [0, 0, 0]), np.nan),  # of two, each of whom always says one thing
        (([1, 1, 1, 1], [1, 1, 1, 0]), np.nan),
        (([1, 0, 1, 0], [0, 1, 0, 1]), -1),
        (([1, 1, 1], [1, 1, 1]), np.nan),  # everybody always says the same
        (([0, 0], [0, 0], [0, 0]), np.nan),
    ],
)
def test_agreement_of_clear_cases(columns, value):
    found = agreement(cast(*columns))
    assert found.value == pytest.approx(value, nan_ok=True)
    assert bool(found.note) == np.isnan(value)


@pytest.mark.parametrize(("n", "measure"), [(2, KAPPA), (3, ALPHA)])
def test_agreement_by_chance_is_about_nothing(n, measure):
    said = np.random.default_rng(n).integers(0, 2, (n, 400))
    found = agreement(cast(*said.tolist()))
    assert (found.measure, found.n_annotators, found.n_items) == (measure, n, 400)
    assert found.low < 0 < found.high
    by_item = np.stack([(said == 0).sum(axis=0), (said == 1).sum(axis=0)], axis=1)
    assert measure == KAPPA or found.value == pytest.approx(nominal_alpha(by_item))


def test_unsure_is_no_opinion_and_images_of_one_person_do_not_count():
    found = agreement(cast([1, 0, -1, 1, 1], [1, 0, 1, None, 0]))
    assert found.n_items == 3
    assert agreement([]).note.startswith("No image has")
    assert np.isnan(agreement(cast([1, 1], [-1, None])).value)


def test_of_two_one_of_whom_always_says_the_same_the_share_is_told_and_no_kappa():
    found = agreement(cast([1, 1, 1, 1], [1, 1, 1, 0]))
    assert np.isnan(found.value) and "75\u00a0%" in found.note and "4 images" in found.note


def test_disputes_are_items_called_right_and_wrong_the_undecided_first():
    items = [Item(0, 10, 0, 0, decision=1), Item(1, 11, 0, 1), Item(2, 12, 0, 2), Item(3, 13, 0, 3)]
    found = disputes(items, cast([1, 0, 1, 1], [0, 1, 1, -1]))
    assert [one.item.id for one in found] == [1, 0]
    assert found[0].votes == {"a": 0, "b": 1}
    assert n_tied(found) == 1, "not what is decided"
    assert n_tied(disputes(items, cast([1, 0, 1, 1], [0, 1, 1, -1], [0, 0, 0, 0]))) == 1, "of three two outvote one"


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
    items = [Item(k, k, 0, k) for k in range(4)]
    frame = annotators(items, [], audit).set_index("annotator")
    late, shy = frame.loc["late"], frame.loc["shy"]
    assert (late["answers"], late["surplus"], late["per_minute"]) == (0, 2, pytest.approx(4 / 2.5))
    assert shy["surplus"] == 0 and pd.isna(shy["per_minute"])
    assert len(annotators(items, [], [])) == 0


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


COUNTS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.integers(0, 4))


def counted(*observers: str) -> np.ndarray:
    """(units, values) of a line of values for each observer; "*" is missing."""
    lines = [line.split() for line in observers]
    values = sorted({value for line in lines for value in line} - {"*"})
    return np.array([[unit.count(value) for value in values] for unit in zip(*lines, strict=True)])


@pytest.mark.parametrize(("observers", "alpha"), [
    (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),  # section A: binary, two observers
    (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),  # section B: nominal, two observers
    (("1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *", "1 2 3 3 2 4 4 1 2 5 1 *"),
     0.743),  # section C: four observers, missing data
])  # fmt: skip
def test_krippendorffs_own_examples_come_out_as_he_printed_them(observers: tuple[str, ...], alpha: float) -> None:
    assert round(nominal_alpha(counted(*observers)), 3) == alpha


def by_pairs(counts: np.ndarray) -> float:
    """1 - D_o / D_e by walking every ordered pair of values, as the definition says."""
    units = [[value for value, n in enumerate(unit) for _ in range(n)] for unit in counts]
    units = [unit for unit in units if len(unit) >= 2]
    pooled = [value for unit in units for value in unit]
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(a != b for a, b in permutations(pooled, 2)) / (len(pooled) - 1) if len(pooled) > 1 else 0
    return 1 - observed / expected if expected else float("nan")


@given(COUNTS)
def test_it_is_what_its_definition_says(counts: np.ndarray) -> None:
    assert nominal_alpha(counts) == pytest.approx(by_pairs(counts), nan_ok=True)


@given(COUNTS, st.randoms(use_true_random=False))
def test_neither_the_order_of_units_nor_the_names_of_values_matter(counts: np.ndarray, random) -> None:
    units, values = list(range(counts.shape[0])), list(range(counts.shape[1]))
    random.shuffle(units)
    random.shuffle(values)
    assert nominal_alpha(counts[units][:, values]) == pytest.approx(nominal_alpha(counts), nan_ok=True)


@given(COUNTS)
def test_units_of_one_observer_or_none_do_not_matter(counts: np.ndarray) -> None:
    lonely = np.eye(counts.shape[1], dtype=np.int64)
    more = np.concatenate([counts, lonely, np.zeros_like(counts[:1])])
    assert nominal_alpha(more) == pytest.approx(nominal_alpha(counts), nan_ok=True)


@given(COUNTS)
def test_it_is_one_only_where_no_two_observers_differ(counts: np.ndarray) -> None:
    alpha = nominal_alpha(counts)
    assume(not math.isnan(alpha))
    unanimous = all((unit > 0).sum() == 1 for unit in counts if unit.sum() >= 2)
    assert alpha <= 1 and (alpha == 1) == unanimous


@pytest.mark.parametrize("counts", [[[3, 0], [2, 0]], [[1, 0], [0, 1]], [[0, 0]]])
def test_where_there_is_nothing_to_disagree_about_it_is_not_defined(counts: list[list[int]]) -> None:
    assert math.isnan(nominal_alpha(np.array(counts)))


def test_partly_is_no_opinion_and_neither_right_nor_wrong():
    with_partly = cast([1, 0, PARTLY, 1, 0], [1, 1, 0, PARTLY, 0])
    without = [vote for vote in with_partly if vote[2] != PARTLY]
    assert agreement(with_partly) == agreement(without) and agreement(with_partly).n_items == 3
    items = [Item(item, item, 0, item) for item in range(5)]
    assert [one.item.id for one in disputes(items, with_partly)] == [1]
    assert annotators(items, with_partly, [])[["partly", "others_n"]].to_numpy().tolist() == [[1, 3], [1, 3]]
    consensus = Consensus()
    for item, who, value in with_partly:
        consensus.push((item, who), value)
    assert consensus.by_row() == {0: 1, 1: -1, 2: 0, 3: 1, 4: 0}
