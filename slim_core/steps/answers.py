"""The answers of a campaign as a step reads them: those given up to a moment, and what they say of the whole space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.table import Split
from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.store.campaigns.values import UNSURE
from slim_core.training.last_layer import AnswerSource

if TYPE_CHECKING:
    from slim_core.store import Store

Answers = NDArray[np.int8]


def given_answers(store: Store, campaign: str, seq: int | None) -> tuple[NDArray[np.int64], Answers]:
    """(rows (m,), values (m,)) of the answers up to ``seq``, or of all."""
    return store.answers.snapshot(campaign, store.answers.last_seq(campaign) if seq is None else seq)


def require_answers(campaign: str, values: Answers) -> None:
    """Refuse where nobody has said right or wrong.

    Raises:
        AnswersRefusedError: there is no answer, or each is unsure.
    """
    if not len(values):
        raise AnswersRefusedError(
            f"Campaign {campaign} has no answer yet that says right or wrong: answer some images first "
            f"(Annotate page, or slim answer)."
        )
    if not (values >= 0).any():
        raise AnswersRefusedError(
            f"All {len(values)} answers of campaign {campaign} are unsure, none says right or wrong: answer more of "
            f"its images (Annotate page, or slim answer)."
        )


def aligned(
    campaign: str, answered: NDArray[np.int64], values: Answers, space: str, rows: NDArray[np.int64]
) -> Answers:
    """(n,) 1 right, 0 wrong, -1 unsure or not asked, in the order of a space's rows (n,).

    Raises:
        AnswersRefusedError: an answer is about an image that is not in the space.
    """
    where = {int(row): position for position, row in enumerate(rows)}
    foreign = [int(row) for row in answered if int(row) not in where]
    if foreign:
        raise AnswersRefusedError(
            f"Campaign {campaign} has answers for rows {foreign[:5]} that are not in space {space}: "
            f"take the space the campaign was made from."
        )
    answers = np.full(len(rows), UNSURE, np.int8)
    answers[[where[int(row)] for row in answered]] = values
    return answers


def usable_answers(store: Store, asked: AnswerSource, split: Split) -> tuple[str, NDArray[np.int64], Answers]:
    """(space, rows (m,), values (m,)) of the answers that a training about a split can use.

    Raises:
        NotFoundError: there is no such campaign, or its space was deleted.
        AnswersRefusedError: the campaign has no answer that says right or wrong, or belongs to no space.
        SpecRefusedError: its space is of another split, or not the one that is named.
    """
    space_id = _space_of(store, asked)
    found = store.runs.fetch(space_id).spec["split"]
    if found != split:
        raise SpecRefusedError(
            f"Campaign {asked.campaign} asks about {found} images, but answers about {split} images are needed: "
            f"choose a campaign of a space of {split} (slim space --split {split}, slim candidates)."
        )
    rows, values = given_answers(store, asked.campaign, asked.answers_seq)
    require_answers(asked.campaign, values)
    return space_id, rows, values


def _space_of(store: Store, asked: AnswerSource) -> str:
    own = store.campaigns.fetch(asked.campaign).space_run_id
    if own is None:
        raise AnswersRefusedError(
            f"Campaign {asked.campaign} belongs to no attention space, so there is no attention its answers are about: "
            f"choose a campaign of a space."
        )
    if asked.space not in (None, own):
        raise SpecRefusedError(f"Campaign {asked.campaign} asks about space {own}, not {asked.space}: leave space out.")
    return own
