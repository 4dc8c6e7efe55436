"""Checkpoints of a training: what is kept, and where they cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from slim_core.models.build import build
from slim_core.models.model import save_model
from slim_core.training.config import TrainConfig
from slim_core.training.loop import Checkpoints, TrainState
from slim_core.training.objectives import OBJECTIVES, TrainContext
from slim_core.training.stepper import Learner

FULL = Path("/dev/full")  # every write to it is one to a full disk


def _learner() -> Learner:
    net = build("small-resnet", 2, weights="none", image_size=64).net
    objective = OBJECTIVES["erm"](TrainContext(2, torch.ones(2), {}))
    return Learner.of(net, objective, TrainConfig())


def _state(folder: Path) -> None:
    Checkpoints(folder, "key").save(_learner(), TrainState())


def _best(folder: Path) -> None:
    Checkpoints(folder, "key").keep_best(build("small-resnet", 2, weights="none", image_size=64).net, 1)


def _model(folder: Path) -> None:
    save_model(build("small-resnet", 2, weights="none", image_size=64), folder)


def test_of_the_best_weights_the_last_alone_are_kept(tmp_path: Path) -> None:
    learner, kept = _learner(), Checkpoints(tmp_path, "key")
    for epoch in (1, 2):
        kept.keep_best(learner.net, epoch)
        kept.save(learner, TrainState(epoch=epoch, best_epoch=epoch))
    assert [file.name for file in tmp_path.glob("best-*")] == ["best-00002.safetensors"]


def test_an_attempt_that_was_frozen_leaves_the_best_weights_of_the_one_that_has_come_further(tmp_path: Path) -> None:
    learner, frozen, later = _learner(), Checkpoints(tmp_path, "key"), Checkpoints(tmp_path, "key")
    frozen.keep_best(learner.net, 1)
    for epoch in (1, 2, 3):
        later.keep_best(learner.net, epoch)
        later.save(learner, TrainState(epoch=epoch, best_epoch=epoch))
    frozen.save(learner, TrainState(epoch=1, best_epoch=1))
    later.save(learner, TrainState(epoch=4, best_epoch=3))
    later.load_best(learner.net, 3)
    assert [file.name for file in tmp_path.glob("best-*")] == ["best-00003.safetensors"]


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    ("write", "name"),
    [(_state, ".state.pt-draft"), (_best, ".best-00001.safetensors-draft"), (_model, "weights.safetensors")],
)
def test_a_full_disk_is_told_as_one_whatever_is_written(
    write: Callable[[Path], None], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slim_core.result_files.secrets.token_hex", lambda _: "draft")
    (tmp_path / name).symlink_to(FULL)
    with pytest.raises(OSError, match="No space left") as raised:
        write(tmp_path)
    assert raised.value.errno == errno.ENOSPC
