"""What a model would see in a table of any size, drawn from a generator: predictions, attention, spaces."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from slim_core.data.groups import Grouping, grouping
from slim_core.data.table import ImageTable
from slim_core.metrics import AIOU, ATTENTION_PRECISION, IOU

MAP_SIDE = 8


class Drawn:
    """A table of N images and two classes; what the photograph of an image says of its label misleads the model."""

    def __init__(self, table: ImageTable, rng: np.random.Generator) -> None:
        self.table, self.rng = table, rng

    @cached_property
    def groups(self) -> Grouping:
        """Of all rows."""
        return grouping(self.table)

    @cached_property
    def agrees(self) -> np.ndarray:
        """(N,) bool: the photograph is the one of the label."""
        return self.table.labels == self.table.attributes

    @cached_property
    def looks_right(self) -> np.ndarray:
        """(N,) bool: the attention lies on the digit; rarer where the photograph alone gives the label away."""
        return self.rng.random(len(self.table)) < np.where(self.agrees, 0.55, 0.8)

    def probabilities(self, rows: np.ndarray, worst: float) -> np.ndarray:
        """(n, 2) of a model that gets ``worst`` of the images right whose photograph misleads, and 97 % of others."""
        right = self.rng.random(len(rows)) < np.where(self.agrees[rows], 0.97, worst)
        sure = np.clip(self.rng.beta(6, 1.5, len(rows)) * 0.5 + 0.5, 0.5, 0.999)
        of_label = np.where(right, sure, 1 - sure)
        return np.column_stack([np.where(self.table.labels[rows] == c, of_label, 1 - of_label) for c in (0, 1)])

    def maps(self) -> np.ndarray:
        """(N, 8, 8) float16: one bright spot an image."""
        at = self.rng.integers(0, MAP_SIDE, (len(self.table), 2))
        grid = np.arange(MAP_SIDE)
        y, x = (np.exp(-((grid - at[:, k, None]) ** 2) / 4).astype(np.float16) for k in (0, 1))
        return np.asarray(y[:, :, None] * x[:, None, :])

    def scores(self, probabilities: np.ndarray) -> pd.DataFrame:
        """scores.parquet of an attention pass over all rows, given (N, 2) probabilities."""
        precision = np.where(
            self.looks_right, self.rng.beta(8, 2, len(self.table)), self.rng.beta(2, 8, len(self.table))
        )
        of_label = probabilities[np.arange(len(self.table)), self.table.labels]
        return pd.DataFrame(
            {
                "row": np.arange(len(self.table)),
                "prediction": probabilities.argmax(1),
                "confidence": probabilities.max(1),
                "loss": -np.log(of_label),
                "entropy": -(probabilities * np.log2(probabilities)).sum(1),
                "no_evidence": False,
                IOU: precision * 0.4,
                AIOU: 0.3 + 0.6 * precision,
                ATTENTION_PRECISION: precision,
            }
        )

    def islands(self, index: np.ndarray) -> np.ndarray:
        """(n, 2) float32: an elongated cloud for each number in ``index`` (n,)."""
        n = int(index.max()) + 1
        centres, spread = self.rng.uniform(-12, 12, (n, 2)), self.rng.uniform(0.4, 1.6, (n, 2))
        return np.asarray(self.rng.normal(size=(len(index), 2)) * spread[index] + centres[index], np.float32)
