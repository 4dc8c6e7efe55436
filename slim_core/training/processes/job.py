"""What the processes of a training need of it: kept in a file for the first one, which hands it to the others.

The file is a pickle, like everything that processes of torch say to each other. It lies beside the checkpoints, in
SLIM_HOME, which its owner alone may write, and is read by the processes that its writer starts, and by nobody else.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

from slim_core.errors import SpecRefusedError
from slim_core.models.model import Model
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData

FILE = "shared.pickle"


@dataclass(frozen=True)
class Job:
    """A training, on the CPU and without what only one process can hold."""

    model: Model
    data: TrainData
    config: TrainConfig
    checkpoint_dir: Path

    def write(self) -> Path:
        """The file it can be read from.

        Raises:
            SpecRefusedError: the network holds what no other process can be given.
        """
        config = TrainConfig.model_validate(self.config.trained_with())
        job = replace(self, data=replace(self.data, pixels=None), config=config)
        try:
            content = pickle.dumps(job)
        except (pickle.PicklingError, AttributeError, TypeError) as error:  # a function inside another, a lock
            raise SpecRefusedError(
                f"{self.model.name} cannot be given to other processes ({error}): build it of classes and functions "
                f"of a module, or take processes 1."
            ) from error
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        path = self.checkpoint_dir / FILE
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        return path


def read_job(path: Path) -> Job:
    """What ``Job.write`` has written."""
    found: Job = pickle.loads(path.read_bytes())
    return found
