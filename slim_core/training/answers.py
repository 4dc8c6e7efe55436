"""The answers that a training rests on: which campaign they come from, and what they say of each image. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.parameters import Config, Display

if TYPE_CHECKING:
    from slim_core.models.model import Model

_FILLED_IN = Display(place="nowhere")


class AnswerSource(Config):
    """Whose answers, and up to which."""

    campaign: str = Field(min_length=1, title="Campaign", description="Campaign whose answers are used.")
    answers_seq: Annotated[int | None, _FILLED_IN] = Field(
        default=None, ge=0, title="Answers", description="Last answer that counts; filled in when submitted."
    )
    space: Annotated[str | None, _FILLED_IN] = Field(
        default=None, title="Space", description="Space run the campaign asks about; filled in when submitted."
    )

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> AnswerSource:
        """The source that the options of a loss or refit hold beside their own."""
        return AnswerSource(**{name: options[name] for name in AnswerSource.model_fields})


@dataclass(frozen=True, eq=False)
class AnsweredImages:
    """The n images of a campaign's space: what people answered about the attention, and what follows for the others."""

    rows: np.ndarray  # (n,) positions in the table
    answers: np.ndarray  # (n,) int8: 1 right, 0 wrong, -1 unsure or not asked
    scores: np.ndarray  # (n,) propagated score that the attention is right, 0..1; NaN: nothing is known
    model: Model | None = None  # whose attention they were asked about

    def right(self, above: float | None = None) -> np.ndarray:
        """Rows whose attention was answered right; with ``above``, also those without an answer and such a score."""
        return self._rows(self.answers == 1, self.scores, above)

    def wrong(self, above: float | None = None) -> np.ndarray:
        """Rows whose attention was answered wrong; with ``above``, also those of a score of 1 - above or less."""
        return self._rows(self.answers == 0, 1 - self.scores, above)

    def _rows(self, answered: np.ndarray, scores: np.ndarray, above: float | None) -> np.ndarray:
        if above is not None:
            answered = answered | ((self.answers < 0) & (scores >= above))  # a score that is NaN is not above anything
        found: np.ndarray = self.rows[answered]
        return found
