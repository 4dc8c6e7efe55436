"""Epoch checkpoints: enough to resume after a crash exactly as if nothing had happened.

Data order, augmentation and dropout are functions of (seed, epoch), so no random state has to be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from slim_core import result_files
from slim_core.errors import CheckpointRefusedError
from slim_core.models.checkpoints import misfits, read_tensors, write_tensors
from slim_core.training.learner import Learner
from slim_core.training.processes.team import ALONE, Team

STATE_FILE = "state.pt"
_STATE = "course"  # its name in the file since the first version


@dataclass
class TrainState:
    """How far a training is, and its history."""

    epoch: int = 0  # epochs finished
    best_epoch: int = 0  # 1-based; 0: none yet
    best_score: tuple[float, float] = (float("-inf"), float("-inf"))
    seconds: float = 0.0  # of all attempts together
    history: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The state after the last epoch, and the weights of the best one; in memory where no folder is given.

    Of several processes that share a training the first one reads and writes the folder, and the others keep nothing.
    Two attempts that believe they own it, as where one was frozen meanwhile, write the same, and neither removes what
    the other needs.
    """

    def __init__(self, folder: Path | None, key: str, team: Team = ALONE) -> None:
        """``key`` says what is being trained: a folder of another training is refused."""
        self._folder, self._key, self._team = folder, key, team
        self._best: dict[str, Tensor] = {}

    def restore(self, learner: Learner) -> TrainState:
        """Fill it from the last checkpoint, if there is one.

        Raises:
            CheckpointRefusedError: the folder belongs to another training or another network, or its state is damaged.
        """
        found = self._team.broadcast(self._read() if self._team.is_first else None)
        if found is None:
            return TrainState()
        if found["key"] != self._key:
            raise CheckpointRefusedError(
                f"{self._folder} holds the checkpoint of another training (other images or settings): "
                f"delete that folder, or choose another."
            )
        if other := misfits(found["model"], learner.net):
            raise CheckpointRefusedError(
                f"{self._folder} holds the weights of another network ({other[0]}), whose code was changed since its "
                f"training began: put it back as it was, or delete that folder, and the training begins again."
            )
        learner.restore(found)
        about = json.loads(found[_STATE])
        return TrainState(**{**about, "best_score": tuple(about["best_score"])})

    def _read(self) -> Any:
        """What the last checkpoint holds; None where there is none."""
        if self._folder is None or not (self._folder / STATE_FILE).is_file():
            return None
        try:
            return read_tensors(self._folder / STATE_FILE)
        except CheckpointRefusedError as error:  # its remedy is that of a file that somebody has chosen
            raise CheckpointRefusedError(
                f"{self._folder / STATE_FILE} is damaged: delete that folder, and the training begins again."
            ) from error

    def keep_best(self, net: nn.Module, epoch: int) -> None:
        """Remember these weights as the best so far."""
        if not self._team.is_first:
            return
        weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in net.state_dict().items()}
        if self._folder is None:
            self._best = weights
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with result_files.atomic_write(self._best_path(epoch)) as draft:
            write_tensors(weights, draft)

    def save(self, learner: Learner, state: TrainState) -> None:
        """Write the state after an epoch; a crash while writing leaves the one before."""
        if self._folder is None or not self._team.is_first:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        written = {"key": self._key, **learner.state(), _STATE: json.dumps(vars(state))}
        # a path would be written by C++, which reports a full disk as something else
        with result_files.atomic_write(self._folder / STATE_FILE) as draft, draft.open("wb") as file:
            torch.save(written, file)
        with result_files.atomic_write(self._folder / result_files.HISTORY) as draft:
            draft.write_text(json.dumps(state.history))
        for best in self._folder.glob("best-*.safetensors"):
            if best < self._best_path(state.best_epoch):  # a later one is another attempt's, which is further
                best.unlink(missing_ok=True)

    def load_best(self, net: nn.Module, epoch: int) -> None:
        """Fill the network with the weights of the best epoch."""
        if not self._team.is_first:
            return
        net.load_state_dict(self._best if self._folder is None else load_file(self._best_path(epoch)))

    def _best_path(self, epoch: int) -> Path:
        assert self._folder is not None
        return self._folder / f"best-{epoch:05d}.safetensors"
