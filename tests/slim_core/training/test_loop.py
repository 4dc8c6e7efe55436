"""Training: it learns, selects, resumes exactly, stops when told, and refuses what cannot be trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from slim_core.data.groups import grouping
from slim_core.data.images.codec import ImageTransform
from slim_core.errors import (
    CheckpointRefusedError,
    ImageRefusedError,
    MemoryRefusedError,
    RunCanceledError,
    SpecRefusedError,
)
from slim_core.metrics import ADJUSTED, WGA, WORST_CLASS
from slim_core.models.build import build
from slim_core.models.inference import predict
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import selection_score, train
from slim_core.training.objectives import OBJECTIVES, Erm
from tests.refusals import refusal
from tests.slim_core.painted import painted_table

CONFIG = TrainConfig(epochs=4, batch_size=16, lr=0.05, seed=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 100, size=32)


def train_on(table, config=CONFIG, model=None, rows=None, counts=None, **options):
    model = model or build("small-resnet", table.n_classes, image_size=32, seed=1)
    val_rows = options.pop("val_rows", table.rows("val"))
    rows = table.rows("train") if rows is None else rows
    data = TrainData(table, rows, val_rows, grouping(table), counts)
    on_report = {"on_report": options.pop("on_report")} if "on_report" in options else {}
    return model, train(model, data, config, runtime=Runtime(**options), **on_report)


def replace(config, **changes):
    return TrainConfig(**{**dict(config), **changes})


def weights(model):
    return torch.cat([value.float().flatten() for value in model.net.state_dict().values()])


def without_times(history):
    return [{key: value for key, value in e.items() if key not in ("seconds", "images_per_s")} for e in history]


@pytest.mark.slow
def test_it_learns_and_records_every_epoch(table):
    model, result = train_on(table, replace(CONFIG, epochs=10))
    assert len(result.history) == 10
    entry = result.history[-1]
    assert {"epoch", "lr", "train_loss", "train_accuracy", "val", "images_per_s", "seconds"} <= entry.keys()
    assert {WGA, WORST_CLASS, "average", "groups", "loss"} <= entry["val"].keys()
    assert len(entry["val"]["groups"]) == 4
    assert entry["train_loss"] < result.history[0]["train_loss"]
    test = table.rows("test")
    assert (predict(model, table, test).argmax(1) == table.labels[test]).mean() > 0.9


def test_the_model_keeps_the_weights_of_the_best_epoch(table):
    model, result = train_on(table, replace(CONFIG, epochs=6))
    best = result.history[result.best_epoch - 1]["val"]
    val = table.rows("val")
    probabilities = predict(model, table, val)
    assert -np.log(probabilities[np.arange(len(val)), table.labels[val]]).mean() == pytest.approx(best["loss"], 1e-4)
    assert best[WORST_CLASS] == max(entry["val"][WORST_CLASS] for entry in result.history)


@pytest.mark.parametrize("selection", ["worst_class", "average", "worst_group", "last"])
def test_the_selection_decides_which_epoch_is_best(table, monkeypatch, selection):
    scores = {  # epoch -> (worst class, average, worst group)
        0: (0.9, 0.5, 0.1),
        1: (0.5, 0.9, 0.2),
        2: (0.6, 0.6, 0.9),
        3: (0.1, 0.1, 0.1),
    }
    epochs = iter(range(4))

    def fake_metrics(*args):
        worst_class, average, wga = scores[next(epochs)]
        return {"worst_class": worst_class, "average": average, "wga": wga, "adjusted_average": 0.0, "groups": []}

    monkeypatch.setattr("slim_core.training.loop.classification_metrics", fake_metrics)
    _, result = train_on(table, replace(CONFIG, selection=selection))
    assert result.best_epoch == {"worst_class": 1, "average": 2, "worst_group": 3, "last": 4}[selection]


def test_of_equal_epochs_the_one_of_the_smaller_loss_is_best_and_of_these_the_last(table, monkeypatch):
    vals = iter({"average": average, "loss": loss} for average, loss in ((0.9, 0.5), (0.9, 0.3), (0.9, 0.3), (0.8, 0)))
    monkeypatch.setattr("slim_core.training.loop.validation_metrics", lambda *_args, **_options: next(vals))
    assert train_on(table, replace(CONFIG, selection="average"))[1].best_epoch == 3
    unknown, none_right = ({"average": average, "loss": loss} for average, loss in ((None, 0.1), (0.0, 9.0)))
    assert selection_score("average", 1, unknown) < selection_score("average", 1, none_right)


def test_the_adjusted_average_is_weighted_by_the_data_whatever_subset_is_trained_on(table):
    train, groups = table.rows("train"), grouping(table)
    one_each = np.array([train[groups.index[train] == group][0] for group in range(len(groups.names))])
    _, result = train_on(table, replace(CONFIG, epochs=1), rows=one_each)
    val = result.history[-1]["val"]
    reached = [group["accuracy"] for group in val["groups"]]
    counts = groups.counts(train)
    assert len(set(counts)) > 1 and len(set(reached)) > 1  # else any weights would do
    assert val[ADJUSTED] == pytest.approx(np.average(reached, weights=counts))


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights_whatever_the_global_state(table):
    first, _ = train_on(table)
    torch.manual_seed(99)
    again, _ = train_on(table)
    other, _ = train_on(table, replace(CONFIG, seed=4))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


class KilledError(Exception):
    """Stands for a process that dies."""


def die_in_epoch(epoch):
    def on_progress(report):
        if report.epoch == epoch and report.phase == "train":
            raise KilledError

    return on_progress


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("small-resnet", {"schedule": "step"}),
        ("mobilenet_v2", {"schedule": "step"}),  # which draws dropout masks too
        ("small-resnet", {"optimizer": "adamw", "lr": 1e-3, "schedule": "cosine"}),
        ("small-resnet", {"sampling": "class-balanced"}),
        ("small-resnet", {"objective": "group-dro", "objective_options": {"eta": 0.5}}),  # with weights of its groups
    ],
)
def test_a_killed_training_resumes_from_its_last_epoch_as_if_nothing_had_happened(table, tmp_path, name, how):
    def fresh():
        return build(name, 2, image_size=32, weights="none", seed=1)

    config, few = replace(CONFIG, batch_size=12, **how), table.rows("train")[:24]
    uninterrupted, expected = train_on(table, config, fresh(), few)
    for epoch in (2, 4):
        with pytest.raises(KilledError):
            train_on(table, config, fresh(), few, checkpoint_dir=tmp_path, on_report=die_in_epoch(epoch))
    resumed, result = train_on(table, config, fresh(), few, checkpoint_dir=tmp_path)
    assert (weights(resumed) - weights(uninterrupted)).abs().max() < 1e-6
    assert result.best_epoch == expected.best_epoch
    assert without_times(result.history) == without_times(expected.history)


def test_a_finished_training_is_not_done_again(table, tmp_path):
    done, first = train_on(table, checkpoint_dir=tmp_path)
    reports = []
    again, second = train_on(table, checkpoint_dir=tmp_path, on_report=reports.append)
    assert not reports and second == first
    assert torch.equal(weights(done), weights(again))


@pytest.mark.slow
def test_only_the_last_state_the_history_and_the_best_weights_stay_on_disk(table, tmp_path):
    _, result = train_on(table, replace(CONFIG, epochs=6), checkpoint_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"best-{result.best_epoch:05d}.safetensors",
        "history.json",
        "state.pt",
    ]


def test_the_checkpoint_of_another_training_is_refused(table, tmp_path):
    train_on(table, replace(CONFIG, epochs=1), checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointRefusedError, match="another training.*delete that folder"):
        train_on(table, replace(CONFIG, epochs=1, lr=0.01), checkpoint_dir=tmp_path)


def test_a_network_whose_code_was_changed_does_not_resume_from_its_checkpoint(table, tmp_path):
    def model(width):
        net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2)
        )
        return Model("own", net, 2, ImageTransform(size=32))

    train_on(table, replace(CONFIG, epochs=1), model(4), checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointRefusedError, match="another network .0.weight .*put it back .*"):
        train_on(table, replace(CONFIG, epochs=1), model(6), checkpoint_dir=tmp_path)


def test_progress_is_told_and_stop_is_asked_at_each_batch(table):
    reports, asked = [], []
    train_on(table, replace(CONFIG, epochs=2), on_report=reports.append, check_stop=lambda: asked.append(1))
    n = len(table.rows("train"))
    training = [report for report in reports if report.phase == "train"]
    assert [report.done for report in training[:4]] == [16, 32, 48, 60]
    assert training[-1].done == training[-1].total == 2 * n
    assert len(asked) == len(training) + 2  # and once for each epoch's one validation batch
    assert reports[-1].val is not None and reports[-1].images_per_s > 0


def test_a_stop_ends_the_training_at_the_next_batch(table):
    def stop():
        raise RunCanceledError("stopped")

    with pytest.raises(RunCanceledError):
        train_on(table, check_stop=stop)


def test_counts_repeat_an_image_within_an_epoch(table):
    rows, seen = table.rows("train")[:4], []

    class Spy(Erm):
        def loss(self, batch):
            seen.extend(batch.rows.tolist())
            return super().loss(batch)

    OBJECTIVES["spy"] = Spy
    try:
        train_on(table, replace(CONFIG, epochs=1, objective="spy"), rows=rows, counts=np.array([3, 1, 2, 0]))
    finally:
        del OBJECTIVES["spy"]
    assert sorted(seen) == sorted([rows[0]] * 3 + [rows[1]] + [rows[2]] * 2)


def test_a_layer_that_its_owner_has_frozen_is_frozen_when_the_training_ends(table):
    model = build("small-resnet", 2, image_size=32, seed=1)
    model.net.stem.requires_grad_(False)
    stem = model.net.stem[0].weight.clone()
    train_on(table, replace(CONFIG, epochs=1), model)
    assert not any(parameter.requires_grad for parameter in model.net.stem.parameters())
    assert all(parameter.requires_grad for parameter in model.net.stages.parameters())
    assert torch.equal(model.net.stem[0].weight, stem)


def test_a_network_whose_layers_are_all_frozen_is_refused(table):
    model = build("small-resnet", table.n_classes, image_size=32)
    model.net.requires_grad_(False)
    with pytest.raises(SpecRefusedError, match="weights to train .*: leave its last"):
        train_on(table, model=model)


def test_three_classes_without_attributes_or_validation_train_too(tmp_path):
    table = painted_table(tmp_path, 45, size=32, n_classes=3)
    table = dataclasses.replace(table, frame=table.frame.assign(attribute=-1), attribute_name=None, attribute_names=())
    _, result = train_on(table, replace(CONFIG, epochs=2), val_rows=np.empty(0, np.int64))
    assert result.best_epoch == 2 and result.history[0]["val"] is None
    _, result = train_on(table, replace(CONFIG, epochs=1))
    assert [group["name"] for group in result.history[0]["val"]["groups"]] == ["level 0", "level 1", "level 2"]


def test_rows_without_a_class_are_refused(table):
    rows = table.rows("train")
    with pytest.raises(SpecRefusedError, match="of the class level 1"):
        train_on(table, rows=rows[table.labels[rows] == 0])
    with pytest.raises(SpecRefusedError, match="The 0 training images"):
        train_on(table, rows=rows[:0])


def test_a_model_of_another_number_of_classes_is_refused(table):
    with pytest.raises(SpecRefusedError, match="has 3 classes and painted has 2"):
        train_on(table, model=build("small-resnet", 3, image_size=32))


def test_a_diverging_training_asks_for_a_smaller_rate(table):
    diverging = replace(CONFIG, lr=1_000, weight_decay=1)  # each step makes every weight 999 times as large
    with pytest.raises(SpecRefusedError, match=r"loss became (nan|inf) in epoch \d+ at learning rate 1000"):
        train_on(table, diverging)


@pytest.mark.parametrize("selection", ["worst_class", "last"])
def test_a_training_whose_last_step_diverges_leaves_no_network_without_numbers(table, selection):
    one_step = replace(CONFIG, epochs=1, batch_size=1_000, lr=1_000, weight_decay=1e36, selection=selection)
    with pytest.raises(SpecRefusedError, match="The validation loss became nan in epoch 1 at learning rate 1000"):
        train_on(table, one_step)


@pytest.mark.parametrize("in_training", [True, False])
def test_a_batch_that_does_not_fit_into_memory_names_the_next_to_try(table, in_training):
    """Validation looks at twice the batch, so that both must fit."""
    model = build("small-resnet", 2, image_size=32)

    def burst(module, inputs):
        if module.training == in_training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    model.net.register_forward_pre_hook(burst)
    with refusal(MemoryRefusedError, 16, "batch_size 8"):
        train_on(table, model=model)


def test_a_broken_image_ends_the_training_with_its_path(tmp_path):
    table = painted_table(tmp_path, 20, size=32)
    path = table.image_path(int(table.rows("train")[3]))
    path.write_bytes(b"\x89PNG")
    with pytest.raises(ImageRefusedError, match=str(path)):
        train_on(table)


class NormalisedAtTheEnd(nn.Module):
    """Conv, mean, batch normalisation of the one value that an image has there, linear."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.norm(self.conv(images).mean((2, 3))))


@pytest.mark.parametrize(("n", "batch_size"), [(9, 8), (9, 4), (9, 2)])
def test_an_image_that_is_left_over_is_trained_on_though_a_layer_needs_two(table, n, batch_size):
    model, seen = Model("normalised", NormalisedAtTheEnd(), 2, ImageTransform(size=32)), []
    config = replace(CONFIG, epochs=2, batch_size=batch_size)
    _, result = train_on(table, config, model, table.rows("train")[:n], on_report=seen.append)
    assert len(result.history) == 2 and [one.done for one in seen][-1] == 2 * n, "every image in every epoch"


def test_batches_of_one_image_are_refused_where_a_layer_needs_two(table):
    model = Model("normalised", NormalisedAtTheEnd(), 2, ImageTransform(size=32))
    with pytest.raises(SpecRefusedError, match="normalised normalises over .* batch_size is 1: take"):
        train_on(table, replace(CONFIG, batch_size=1), model)
    _, result = train_on(table, replace(CONFIG, epochs=1, batch_size=1), rows=table.rows("train")[:4])
    assert len(result.history) == 1, "a network that can is trained so"


class OfTwoHeads(NormalisedAtTheEnd):
    """With a second head, which only training sees."""

    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


def test_a_network_that_gives_more_than_logits_in_training_is_refused(table):
    model = Model("two-heads", OfTwoHeads(), 2, ImageTransform(size=32))
    with pytest.raises(SpecRefusedError, match="two-heads gives a tuple while it is"):
        train_on(table, CONFIG, model)


def test_a_state_that_is_damaged_is_named_with_the_folder_to_delete(table, tmp_path):
    (tmp_path / "state.pt").write_bytes(b"no state")
    with pytest.raises(CheckpointRefusedError, match="state.pt is damaged: delete"):
        train_on(table, checkpoint_dir=tmp_path)
