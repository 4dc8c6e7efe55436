"""Answers in the loss: its two terms by hand, what a step sees of the answers, and that attention follows them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from slim_core.attention.maps import open_mapper
from slim_core.data.groups import grouping
from slim_core.data.images.transform import ImageTransform
from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.models.forward_maps import forward_maps
from slim_core.models.model import Model
from slim_core.models.pixels import Pixels, to_input
from slim_core.models.runtime import Runtime
from slim_core.training.answers import AnsweredImages
from slim_core.training.config import TrainConfig
from slim_core.training.loop import TrainData, train
from slim_core.training.objectives import TrainContext
from slim_core.training.objectives.answered_attention import AnsweredAttention, inside, mean_over, outside, scaled
from tests.slim_core.painted import painted_table

NAME = "answered-attention"
OPTIONS = {"campaign": "c", "right_weight": 1.0, "wrong_weight": 1.0, "images_a_step": 2}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 100, size=32)


@pytest.fixture(scope="module")
def reference(table):
    """A model that has learned something to look at."""
    model = build("small-resnet", 2, image_size=32, seed=1)
    train(model, TrainData(table, table.rows("train"), table.rows("val"), grouping(table)), config(epochs=4))
    return model


def config(epochs=2, **fields):
    given = {"batch_size": 16, "lr": 0.05, "seed": 3, "selection": "last", **fields}
    return TrainConfig(epochs=epochs, **given)


def answering(**options):
    return {"objective": NAME, "objective_options": OPTIONS | options}


def copy_of(model):
    twin = build(model.name, model.n_classes, image_size=model.transform.size, weights="none")
    twin.net.load_state_dict(model.net.state_dict())
    return twin


def answered(table, reference, answer, n=12, twin=None):
    """The first n training images have this answer, the others none."""
    rows = table.rows("train")
    answers = np.full(len(rows), -1, np.int8)
    answers[:n] = answer
    return AnsweredImages(rows, answers, np.full(len(rows), np.nan), twin or copy_of(reference))


def retrained(table, reference, chosen, answers=None, on_report=lambda _report: None, **runtime):
    """The reference, trained further on a half of its images that holds none of the answered ones."""
    model, rows = copy_of(reference), table.rows("train")[20:]
    data = TrainData(table, rows, table.rows("val"), grouping(table), answered=answers)
    result = train(model, data, chosen, on_report=on_report, runtime=Runtime(**runtime))
    return model, [(entry["train_loss"], entry["val"]["loss"]) for entry in result.history]


def maps_of(model, table, rows):
    with Pixels(table, model.transform, cache_bytes=0) as pixels, torch.no_grad():
        images = to_input(pixels.read(rows), model.transform, torch.device("cpu"))
        return scaled(forward_maps(model, images, torch.from_numpy(table.labels[rows])))


def weights(model):
    return torch.cat([value.float().flatten() for value in model.net.state_dict().values()])


def test_both_terms_by_hand():
    E0 = torch.tensor([[[1.0, 0.5], [0.0, 0.0]]])
    E = torch.tensor([[[0.5, 0.0], [1.0, 0.0]]])
    assert outside(E, E0).tolist() == pytest.approx([(0.5 * 0 + 0 + 1 * 1 + 0) / (0 + 0.5 + 1 + 1)])
    assert inside(E, E0).tolist() == pytest.approx([0.5 * 1 / 1.5])
    assert scaled(torch.tensor([[[2.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])).tolist() == [
        [[1.0, 0.5], [0.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
    ]
    assert mean_over(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True])).item() == 2.0
    assert mean_over(torch.tensor([1.0]), torch.tensor([False])).item() == 0.0


def test_a_map_without_evidence_leaves_every_gradient_finite():
    S = torch.zeros(1, 2, 2, requires_grad=True)
    E0 = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    (outside(scaled(S.relu()), E0) + inside(scaled(S.relu()), E0)).sum().backward()
    assert torch.isfinite(S.grad).all()


def test_maps_with_a_gradient_are_those_of_the_attention_pass(table, reference):
    rows = table.rows("train")[:6]
    classes = torch.from_numpy(table.labels[rows])
    with Pixels(table, reference.transform, cache_bytes=0) as pixels:
        images = to_input(pixels.read(rows), reference.transform, torch.device("cpu"))
    reference.net.train()
    S = forward_maps(reference, images, classes)
    assert reference.net.training and S.requires_grad
    with open_mapper(reference) as mapper:
        mapper.forward(images)
        torch.testing.assert_close(S.detach(), mapper.maps(classes))


class Norm(nn.LayerNorm):
    """Over the channels of a map, which leaves as one, flattened, with the channels last, or as tokens."""

    def __init__(self, width, form):
        super().__init__(width)
        self.form = form

    def forward(self, maps):
        normed = super().forward(maps.permute(0, 2, 3, 1))  # (N, U, V, K)
        maps, tokens = normed.permute(0, 3, 1, 2), normed.flatten(1, 2)
        return {
            "map": maps,
            "flattened": maps.flatten(2),
            "channels-last": normed,
            "tokens": tokens,
            "batch-second": tokens.transpose(0, 1),
        }[self.form]


class Patches(nn.Module):
    """Patches, norm, mean over the positions, linear: as transformers without a class token end."""

    def __init__(self, form):
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 8, 8, stride=8), Norm(8, form), nn.Linear(8, 2)
        axes = {"map": (2, 3), "flattened": 2, "channels-last": (1, 2), "tokens": 1, "batch-second": 0}
        self.positions = axes[form]

    def forward(self, images):
        return self.head(self.norm(self.patches(images)).mean(self.positions))


def of_patches(form):
    torch.manual_seed(0)
    return Model("patches", Patches(form), 2, ImageTransform(size=32))


@pytest.mark.parametrize("form", ["flattened", "channels-last", "tokens", "batch-second"])
def test_answers_teach_the_same_whatever_the_form_in_which_a_layer_gives_its_map(table, form):
    losses = []
    for model in (of_patches("map"), of_patches(form)):
        rows, shown = table.rows("train")[20:], answered(table, model, 1, twin=deepcopy(model))
        data = TrainData(table, rows, table.rows("val"), grouping(table), answered=shown)
        history = train(model, data, config(**answering())).history
        losses.append([(entry["train_loss"], entry["val"]["loss"]) for entry in history])
    assert model.layout.facts.map_shape == (8, 4, 4) and model.pools_linearly
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def objective(table, reference, answers, **options):
    context = TrainContext(
        2, None, torch.ones(4), config(**answering(**options)).objective_options, 3, copy_of(reference), answers
    )
    return AnsweredAttention(context)


def test_a_step_sees_the_next_images_of_each_answer_and_an_epoch_each_equally_often(table, reference):
    answers = answered(table, reference, 1, 6)
    answers.answers[6:9] = 0
    one = objective(table, reference, answers)
    steps = [one.extra(0, step) for step in range(6)]
    seen = np.bincount(np.concatenate(steps), minlength=len(table))[answers.rows]
    assert [len(step) for step in steps] == [4] * 6
    assert seen[:9].tolist() == [2] * 6 + [4] * 3 and not seen[9:].any()
    assert all((one.extra(0, step) == steps[step]).all() for step in range(6))
    assert not all((one.extra(1, step) == steps[step]).all() for step in range(6))
    assert set(objective(table, reference, answers, wrong_weight=0).extra(0, 0)) <= set(answers.rows[:6])
    assert len(objective(table, reference, answers, images_a_step=100).extra(0, 1)) == 9
    assert not len(objective(table, reference, answers, right_weight=0, wrong_weight=0).extra(0, 0))


def test_confident_scores_count_as_answers_only_where_that_is_asked_for(table, reference):
    rows = np.arange(6)
    answers = AnsweredImages(
        rows, np.array([1, 0, -1, -1, -1, -1], np.int8), np.array([0.1, 0.9, 0.9, 0.05, 0.6, np.nan])
    )
    assert (answers.right().tolist(), answers.wrong().tolist()) == ([0], [1])
    assert (answers.right(0.9).tolist(), answers.wrong(0.9).tolist()) == ([0, 2], [1, 3])
    assert answers.wrong(0.5).tolist() == [1, 3]


@pytest.mark.slow
@pytest.mark.parametrize("answer", [0, 1])
def test_attention_leaves_where_it_was_wrong_and_stays_where_it_was_right(table, reference, answer):
    answers = answered(table, reference, answer)
    rows = answers.rows[:12]
    before = maps_of(reference, table, rows)
    term = {0: inside, 1: outside}[answer]
    plain, _ = retrained(table, reference, config(6))
    with_answers, _ = retrained(table, reference, config(6, **answering(images_a_step=8)), answers)
    assert (
        term(maps_of(with_answers, table, rows), before).mean() < 0.8 * term(maps_of(plain, table, rows), before).mean()
    )


def test_with_both_weights_zero_it_is_cross_entropy_to_the_last_bit(table, reference):
    plain, expected = retrained(table, reference, config())
    chosen = config(**answering(right_weight=0, wrong_weight=0))
    same, history = retrained(table, reference, chosen, answered(table, reference, 1))
    assert torch.equal(weights(plain), weights(same)) and history == expected


class KilledError(Exception):
    """Stands for a process that dies."""


@pytest.mark.slow
def test_a_killed_training_resumes_as_if_nothing_had_happened_and_the_seed_decides_it(table, reference, tmp_path):
    def die(report):
        if report.epoch == 3:
            raise KilledError

    chosen, answers = config(4, **answering()), answered(table, reference, 1)
    model, expected = retrained(table, reference, chosen, answers)
    with pytest.raises(KilledError):
        retrained(table, reference, chosen, answers, die, checkpoint_dir=tmp_path)
    resumed, history = retrained(table, reference, chosen, answers, checkpoint_dir=tmp_path)
    assert history == expected and torch.equal(weights(resumed), weights(model))
    other, _ = retrained(table, reference, config(4, seed=4, **answering()), answers)
    assert not torch.equal(weights(other), weights(model))


def test_the_frozen_model_that_people_were_shown_stays_as_it_was(table, reference):
    answers = answered(table, reference, 1)
    retrained(table, reference, config(**answering()), answers)
    assert torch.equal(weights(answers.model), weights(reference))


def test_a_network_without_a_map_in_its_forward_pass_is_refused(table):
    shown = build("squeezenet1_1", 2, weights="none", image_size=32)
    assert not shown.pools_linearly
    with pytest.raises(SpecRefusedError, match="squeezenet1_1 has no attention map that comes with the forward pass"):
        retrained(table, shown, config(**answering()), answered(table, shown, 1))


def test_answers_about_another_network_are_refused(table, reference):
    shown = build("small-resnet", 2, image_size=64)
    with pytest.raises(
        SpecRefusedError, match="attention of small-resnet at 64 px, but small-resnet at 32 px is train"
    ):
        retrained(table, reference, config(**answering()), answered(table, shown, 1))


def test_without_answers_it_is_refused(table, reference):
    with pytest.raises(SpecRefusedError, match="answered-attention needs answers: give TrainData.answered"):
        retrained(table, reference, config(**answering()))


def test_a_weight_too_large_to_train_with_is_named_in_the_advice(table, reference):
    chosen = config(10, **answering(right_weight=1e4, wrong_weight=1e4), lr=1000.0)
    with pytest.raises(SpecRefusedError, match="loss became .*smaller right_weight and wrong_weight"):
        retrained(table, reference, chosen, answered(table, reference, 1))


def test_steps_do_not_read_running_statistics_which_lag_behind_in_some_networks(table, reference):
    losses = []
    for lag in (1.0, 100.0):
        model, rows = copy_of(reference), table.rows("train")[20:]
        for module in model.net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var *= lag
        data = TrainData(table, rows, table.rows("val"), grouping(table), answered=answered(table, reference, answer=1))
        losses.append(train(model, data, config(epochs=1, **answering())).history[0]["train_loss"])
    assert losses[0] == losses[1]
