"""The methods whose answers enter the training: which runs they try, and which model they keep."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slim_core.errors import SlimError
from slim_core.runs import answers_in_training
from slim_core.runs.answers_in_training import as_many_trainings, attention_loss, val_answers


class Retrainings:
    """A loop of which only the retrainings are real: worst-class accuracy on val is a function of both weights."""

    def __init__(self, accuracy):
        self.accuracy, self.tried = accuracy, []
        self.campaign = SimpleNamespace(id="c", space_run_id="s")
        self.config = SimpleNamespace(frozen=False)
        self.store = SimpleNamespace(answers=SimpleNamespace(last_seq=lambda _campaign: 9))

    def subset(self, strategy):
        return strategy

    def retrained(self, _subset, objective="erm", objective_options=None):
        options = objective_options or {}
        weights = options.get("right_weight", 0.0), options.get("wrong_weight", 0.0)
        self.tried.append(weights)
        assert (objective == "erm") == (weights == (0.0, 0.0))
        metrics = {"val": {"worst_class": self.accuracy(*weights)}}
        return SimpleNamespace(id=f"{weights}", metrics=metrics, weights=weights)


def test_the_weights_are_chosen_one_after_the_other_by_the_worst_class():
    loop = Retrainings(lambda right, wrong: 0.9 - abs(right - 1) / 100 - abs(wrong - 0.1) / 100)
    found = attention_loss(loop)
    assert found.model.weights == (1.0, 0.1)
    assert loop.tried == [(0.0, 0.0), (0.1, 0.0), (1.0, 0.0), (10.0, 0.0), (1.0, 0.1), (1.0, 1.0), (1.0, 10.0)]
    assert len(found.tried) == 6 and found.model.id not in [run.id for run in found.tried]


def test_answers_that_help_nothing_on_val_stay_out_of_the_loss():
    assert attention_loss(Retrainings(lambda *_weights: 0.9)).model.weights == (0.0, 0.0)


def test_a_weight_with_which_training_diverges_is_left_out_and_another_failure_is_not():
    def diverges(right, wrong):
        if right == 10:
            raise SlimError(
                "The training loss became nan: take a smaller rate, or smaller right_weight and wrong_weight."
            )
        return right / 10

    assert attention_loss(Retrainings(diverges)).model.weights == (1.0, 0.0)

    def fails(right, wrong):
        if right == 10:
            raise SlimError("The disk is full.")
        return right

    with pytest.raises(SlimError, match="The disk is full"):
        attention_loss(Retrainings(fails))


@pytest.mark.slow
def test_as_many_trainings_without_answers_in_the_loss_are_chosen_among_in_the_same_way(looped, monkeypatch):
    monkeypatch.setattr(answers_in_training, "WEIGHTS", (1.0,))
    outcome = looped.loop.outcome("slim-best-of-seven")
    found = as_many_trainings(looped.loop)
    every = [found.model, *found.tried]
    assert sorted(run.spec["seed"] for run in every) == [0, 1, 2] and outcome.model.id == found.model.id
    assert all(run.spec["subset"] == looped.loop.subset("slim").id for run in every)
    assert all(run.spec.get("objective", "erm") == "erm" for run in every)
    assert found.model.metrics["val"]["worst_class"] == max(run.metrics["val"]["worst_class"] for run in every)
    assert outcome.seconds > looped.outcomes["slim"].seconds, "what was tried counts as cost"


@pytest.mark.slow
def test_half_of_the_answers_are_about_val_and_choose_the_epoch(looped):
    store, n_train = looped.at.store, len(looped.loop.table.rows("train"))
    found = val_answers(looped.loop)
    about_train, about_val = found.subset.spec["campaign"], found.model.spec["selection_options"]["campaign"]
    items = {split: store.campaigns.items(campaign) for split, campaign in (("train", about_train), ("val", about_val))}
    assert {split: store.campaigns.fetch(c).split for split, c in (("train", about_train), ("val", about_val))} == {
        "train": "train",
        "val": "val",
    }
    assert 2 <= len(items["train"]) + len(items["val"]) <= 0.03 * n_train
    assert {item.label for item in items["val"]} == {0, 1}
    assert found.model.spec["selection"] == "wrong_attention"


@pytest.mark.slow
def test_the_loss_is_one_of_the_ablations_rows(looped, monkeypatch):
    monkeypatch.setattr(answers_in_training, "WEIGHTS", (1.0,))
    outcome = looped.loop.outcome("slim-attention-loss")
    assert outcome.labels_used == "answers" and outcome.n_answers == looped.outcomes["slim"].n_answers
    assert outcome.seconds > looped.outcomes["slim"].seconds
