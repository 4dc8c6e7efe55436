"""Patience: a training ends once its worst class has not risen for a fifth of its epochs, also when it was killed."""

from __future__ import annotations

import pytest

from slim_core.data.groups import grouping
from slim_core.metrics import WGA, WORST_CLASS
from slim_core.models.build import build
from slim_core.models.runtime import Runtime
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import has_converged, train
from tests.slim_core.painted import painted_table

CONFIG = TrainConfig(epochs=30, batch_size=16, augmentation="none", patience=2, lr=0.05, seed=3)


def history(*reached):
    return [{"val": None if value is None else {WORST_CLASS: value}} for value in reached]


def test_it_waits_for_at_least_so_many_epochs_and_for_a_fifth_of_those_so_far():
    rising = [0.01 * epoch for epoch in range(1, 41)]  # the last rise is in epoch 40
    ended = next(n for n in range(1, 99) if has_converged(history(*rising, *[0.4] * n), 3))
    assert ended == 10  # 10 of 50 epochs
    assert not has_converged(history(0.5, 0.5, 0.5), 3)
    assert has_converged(history(0.5, 0.5, 0.4, 0.5), 3)  # to reach it again is no rise


def test_without_patience_or_without_validation_it_never_ends():
    assert not has_converged(history(*[0.5] * 50), None)
    assert not has_converged(history(*[None] * 50), 1)
    assert not has_converged([], 1)


def test_a_training_that_is_chosen_by_the_worst_group_waits_for_that_one(table):
    config = CONFIG.model_copy(update={"selection": "worst_group"})
    model = build("small-resnet", table.n_classes, image_size=16, seed=1)
    data = TrainData(table, table.rows("train"), table.rows("val"), grouping(table))
    history = train(model, data, config).history
    ended = len(history)
    assert ended < config.epochs and has_converged(history, 2, WGA) and not has_converged(history[:-1], 2, WGA)
    both = [{"val": {WORST_CLASS: 0.5, WGA: wga}} for wga in (0.1, 0.2, 0.3, 0.4)]
    assert has_converged(both, 2) and not has_converged(both, 2, WGA)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 60, size=16)


class KilledError(Exception):
    """Stands for a process that dies."""


def trained(table, die_in=0, **runtime):
    def on_report(report):
        if report.epoch == die_in and report.phase == "train":
            raise KilledError

    model = build("small-resnet", table.n_classes, image_size=16, seed=1)
    data = TrainData(table, table.rows("train"), table.rows("val"), grouping(table))
    return train(model, data, CONFIG, runtime=Runtime(**runtime), on_report=on_report)


def test_a_training_ends_early_keeps_its_best_and_ends_there_again_after_a_kill(table, tmp_path):
    whole = trained(table)
    worst = [entry["val"][WORST_CLASS] for entry in whole.history]
    n = len(worst)
    assert n < CONFIG.epochs and has_converged(whole.history, 2) and not has_converged(whole.history[:-1], 2)
    assert worst[whole.best_epoch - 1] == max(worst)
    with pytest.raises(KilledError):
        trained(table, die_in=n - 1, checkpoint_dir=tmp_path)
    for _ in range(2):  # the second finds a training that has ended
        resumed = trained(table, checkpoint_dir=tmp_path)
        assert [entry["val"][WORST_CLASS] for entry in resumed.history] == worst
        assert resumed.best_epoch == whole.best_epoch
