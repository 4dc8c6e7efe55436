"""Worst slices without attributes, and the images behind numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slim_core.data.groups import Grouping
from slim_core.errors import NotFoundError
from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.predictions import (
    examples_of_change,
    mostly,
    paired,
    predictions,
    predictions_of_pass,
    slices_of,
    worst_slices,
    wrong_first,
)


def test_slices_are_ranked_by_accuracy_and_small_ones_left_out() -> None:
    index = np.array([0] * 10 + [1] * 10 + [2] * 3 + [-1] * 5)
    grouping = Grouping(index, ("a", "b", "tiny", "empty"), estimated=True)
    correct = np.array([True] * 9 + [False] + [True] * 4 + [False] * 6 + [False] * 3 + [False] * 5)
    found = worst_slices(correct, grouping, min_n=5)
    assert found["name"].tolist() == ["b", "a"]
    assert found["accuracy"].tolist() == [0.4, 0.9]
    assert (found["low"] < found["accuracy"]).all() and (found["accuracy"] < found["high"]).all()
    for min_n in (0, 3):
        assert worst_slices(correct, grouping, min_n=min_n)["name"].tolist() == ["tiny", "b", "a"]
    none_right = worst_slices(np.zeros(28, bool), grouping, min_n=1)
    assert none_right["name"].tolist() == ["a", "b", "tiny"] and none_right.index.tolist() == [0, 1, 2]
    assert worst_slices(np.zeros(28, bool), replace(grouping, index=2 - index.clip(0)), 1)["n"].tolist() == [15, 10, 3]


def test_a_slice_is_called_after_the_attribute_most_of_its_images_have() -> None:
    attributes, inside = np.array([0, 1, 1, -1, 0]), np.array([True, True, True, True, False])
    assert mostly(attributes, inside) == (1, pytest.approx(2 / 3))
    assert mostly(attributes, np.array([False, False, False, True, False]))[0] == -1


def test_the_slices_of_an_evaluation_are_classes_in_environments_of_its_images(looped) -> None:
    store, evaluation = looped.at.store, looped.outcomes["erm"].evaluation
    found = slices_of(store, evaluation, Ancestry.read(store, evaluation.dataset_id))
    rows = predictions(store, evaluation)["row"].to_numpy()
    assert found.source == looped.loop.attention.id
    assert found.grouping.estimated and set(np.unique(found.grouping.index)) <= set(range(len(found.grouping.names)))
    assert len(found.grouping.index) == len(rows)
    assert all(", environment " in name for name in found.grouping.names)


def test_a_retrained_model_is_judged_on_the_slices_of_its_reference(looped) -> None:
    store = looped.at.store
    ancestry = Ancestry.read(store, looped.loop.config.dataset)
    first, second = (slices_of(store, looped.outcomes[name].evaluation, ancestry) for name in ("erm", "slim"))
    assert first.source == second.source
    assert np.array_equal(first.grouping.index, second.grouping.index)


def test_without_features_of_the_split_it_says_what_to_run(looped) -> None:
    store, evaluation = looped.at.store, looped.outcomes["erm"].evaluation
    with pytest.raises(NotFoundError, match="map the attention"):
        slices_of(store, evaluation, Ancestry([evaluation]))


def frame(**columns) -> pd.DataFrame:
    n = len(columns["correct"])
    return pd.DataFrame({"row": range(n), "group": 0, "confidence": 0.8, **columns})


def test_the_surest_mistakes_come_first_and_the_surest_hits_last() -> None:
    found = wrong_first(frame(correct=[True, False, True, False], confidence=[0.9, 0.6, 0.5, 0.99]))
    assert found["row"].tolist() == [3, 1, 2, 0]


def test_examples_turned_right_come_first_by_how_far_their_attention_moved() -> None:
    before = frame(correct=[False, False, True, False], attention_precision=[0.1, 0.2, 0.9, 0.0], group=[0, 0, 0, 1])
    after = frame(correct=[True, True, True, True], attention_precision=[0.3, 0.9, 0.9, 1.0], group=[0, 0, 0, 1])
    assert examples_of_change(before, after, group=0, n=3) == [1, 0, 2]
    assert examples_of_change(before, after, group=1, n=3) == [3]


def test_an_evaluation_whose_files_are_gone_says_to_evaluate_again(looped, tmp_path, monkeypatch) -> None:
    store = looped.at.store
    monkeypatch.setattr(store.artifacts, "folder", lambda _run: tmp_path)
    with pytest.raises(NotFoundError, match="predictions of .* are missing .* evaluate its model"):
        predictions(store, looped.outcomes["erm"].evaluation)


def test_two_models_are_set_beside_each_other_on_the_images_both_have_predicted() -> None:
    before = frame(correct=[True, False], label_name=["a", "b"])
    after = frame(correct=[True, True, True], label_name=["a", "b", "c"], loss=[0.1, 0.2, 0.3]).iloc[[1, 2]]
    both = paired(before, after)
    assert both["row"].tolist() == [1] and both["label_name"].tolist() == ["b"]
    assert both["correct"].tolist() == [False] and both["correct_after"].tolist() == [True]
    assert both["loss_after"].tolist() == [0.2] and "group_after" not in both


def test_an_evaluation_and_an_attention_pass_give_the_same_table(looped) -> None:
    store, evaluation = looped.at.store, looped.outcomes["erm"].evaluation
    of_evaluation = predictions(store, evaluation)
    of_pass = predictions_of_pass(store, looped.loop.attention).set_index("row")
    shared = of_evaluation[of_evaluation["row"].isin(of_pass.index)]
    for one in (of_evaluation, of_pass.reset_index()):
        assert {"row", "split", "label_name", "prediction_name", "correct", "group_name", "confidence"} <= set(one)
    for name in ("label_name", "group_name", "split"):
        assert shared[name].tolist() == of_pass.loc[shared["row"], name].tolist()
