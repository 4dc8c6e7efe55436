"""Checkpoints of a training where they cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from slim_core.models.build import build
from slim_core.models.model import save_model
from slim_core.training.config import TrainConfig
from slim_core.training.learner import Learner
from slim_core.training.objectives import OBJECTIVES, TrainContext
from slim_core.training.resume import Checkpoints, TrainState

FULL = Path("/dev/full")  # every write to it is one to a full disk
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


def _state(folder: Path) -> None:
    net = build("small-resnet", 2, weights="none", image_size=64).net
    objective = OBJECTIVES["erm"](TrainContext(2, None, torch.ones(2), {}))
    learner = Learner.of(net, objective, TrainConfig(), torch.device("cpu"))
    Checkpoints(folder, "key").save(learner, TrainState())


def _best(folder: Path) -> None:
    Checkpoints(folder, "key").keep_best(build("small-resnet", 2, weights="none", image_size=64).net, 1)


def _model(folder: Path) -> None:
    save_model(build("small-resnet", 2, weights="none", image_size=64), folder)


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
