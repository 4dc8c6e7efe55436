"""JTT: errors are repeated, and on a problem with a known answer that lifts the group the first training lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slim_core.errors import SpecRefusedError
from slim_core.training.config import TrainConfig
from slim_core.training.objectives import OBJECTIVES, Batch, Jtt, TrainContext

OPTIONS = {"errors_of": "r-1", "upweight": 50}


def test_the_errors_of_the_first_training_are_seen_fifty_times_and_every_other_image_once():
    asked = []

    def predicted(run_id):
        asked.append(run_id)
        return np.array([0, 1, 1, 0])

    assert Jtt.repeats(OPTIONS, np.array([0, 0, 1, 1]), predicted).tolist() == [1, 50, 1, 50]
    assert asked == ["r-1"] and Jtt.parents(OPTIONS) == {"earlier": "r-1"}
    assert TrainConfig(objective="jtt", objective_options={"errors_of": "r-1"}).objective_options == OPTIONS


def test_a_first_training_without_an_error_is_refused_as_what_follows_would_be_erm():
    labels = np.array([0, 0, 1])
    with pytest.raises(SpecRefusedError, match="r-1 predicts all 3"):
        Jtt.repeats(OPTIONS, labels, lambda _run: labels)


def fitted(inputs: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Predictions of a linear model, after few steps on the inputs with repeats."""
    rows = np.repeat(np.arange(len(labels)), counts)
    x, y = torch.tensor(inputs[rows], dtype=torch.float32), torch.tensor(labels[rows])
    net = torch.nn.Linear(inputs.shape[1], 2)
    torch.nn.init.zeros_(net.weight)
    torch.nn.init.zeros_(net.bias)
    objective = OBJECTIVES["jtt"](TrainContext(2, torch.ones(1), OPTIONS))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        objective.loss(Batch(torch.from_numpy(rows), y, torch.zeros_like(y), None, net(x))).backward()
        optimizer.step()
    with torch.no_grad():
        return net(torch.tensor(inputs, dtype=torch.float32)).argmax(1).numpy()


def test_a_linear_model_that_learned_the_shortcut_first_learns_the_label_the_second_time():
    """The shortcut is three times as strong as the true feature, and agrees with the label on 95 of 100 images."""
    labels = np.arange(200) % 2
    agrees = np.arange(200) >= 10
    signs = 2 * labels - 1
    inputs = np.column_stack([signs, 3 * np.where(agrees, signs, -signs)])
    first = fitted(inputs, labels, np.ones(200, int))
    np.testing.assert_array_equal(first == labels, agrees)  # the errors are the minority
    second = fitted(inputs, labels, Jtt.repeats(OPTIONS, labels, lambda _run: first))
    assert (second == labels)[~agrees].all()
