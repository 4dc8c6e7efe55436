"""The simulated annotator: answers a campaign from the true masks, with as many mistakes as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core.annotation.answered_space import gradcam_of
from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.metrics import ATTENTION_PRECISION, IOU
from slim_core.store.campaigns.consensus import EMPTY, FROM_MASKS, RIGHT, UNSURE, WRONG, EarlierAnswers
from slim_core.store.results import AttentionResult

if TYPE_CHECKING:
    from slim_core.store import Store

ANNOTATOR = "simulated annotator"
SECONDS_AN_ANSWER = 2.0  # what an item is booked with; nobody's work, so that no page counts it


def check_shares(flip: float, unsure: float) -> None:
    """Refuse what cannot be shares of answers that are turned round and withheld.

    Raises:
        SpecRefusedError: one is below 0, or they exceed 1 together.
    """
    if not (flip >= 0 and unsure >= 0 and flip + unsure <= 1):
        raise SpecRefusedError(f"flip {flip} and unsure {unsure} must be shares that add up to at most 1: lower them.")


def check_seed(seed: int) -> None:
    """Refuse what no generator is seeded with.

    Raises:
        SpecRefusedError: it is negative.
    """
    if seed < 0:
        raise SpecRefusedError(f"The seed is {seed}: give 0 or more.")


def simulate_answers(
    store: Store, campaign_id: str, *, threshold: float = 0.5, flip: float = 0.0, unsure: float = 0.0, seed: int = 0
) -> int:
    """Answer every item of a campaign: right where the attention precision at 0.8 is above the threshold, empty where
    there is a mask and the map shows no evidence.

    A share ``flip`` of the answers is turned round and another share ``unsure`` withheld, the same ones for the same
    seed. Saying it twice changes nothing; what was said otherwise meanwhile is said again.

    Returns:
        the number of items answered.

    Raises:
        AnswersRefusedError: the attention has no scores against masks.
        SpecRefusedError: flip or unsure is not a share, or they exceed 1 together; or the threshold or the seed is
            out of range.
    """
    from slim_core.store import AnswerIn

    check_shares(flip, unsure)
    if not 0 <= threshold <= 1:
        raise SpecRefusedError(f"The threshold is {threshold}: give an attention precision from 0 to 1.")
    check_seed(seed)
    items = sorted(store.campaigns.items(campaign_id), key=lambda item: item.row)
    scores = mask_scores(store, campaign_id).reindex([item.row for item in items])
    precision = scores[ATTENTION_PRECISION].to_numpy(float)
    values = noisy(judge(precision, threshold, scores["empty"].to_numpy(bool)), flip, unsure, seed)
    before = EarlierAnswers(campaign_id, store.answers.audit(campaign_id))
    answers = [
        AnswerIn(
            id=before.id_of(ANNOTATOR, item.row, int(value)),
            item_id=item.id,
            value=int(value),
            seen={"attention_precision": None if np.isnan(score) else round(float(score), 4)},
            duration_ms=round(SECONDS_AN_ANSWER * 1000),
        )
        for item, value, score in zip(items, values, precision, strict=True)
    ]
    return len(store.answers.save(campaign_id, ANNOTATOR, answers, source=FROM_MASKS).ids)


def mask_scores(store: Store, campaign_id: str) -> pd.DataFrame:
    """By row of the attention pass that the campaign's space was made from: attention_precision, and empty (bool),
    where the image has a mask and its map shows nothing, of which there is no precision.

    Raises:
        AnswersRefusedError: there are none, since the data has no masks or only features were computed.
    """
    attention = gradcam_of(store, store.campaigns.fetch(campaign_id))
    scores = AttentionResult(store.artifacts.folder(attention.id)).scores().set_index("row")
    if scores[ATTENTION_PRECISION].isna().all():
        raise AnswersRefusedError(
            "No image has a mask, so that answers cannot be taken from masks: answer on the Annotate page, "
            "from a file (slim answers import FILE), or in the terminal (slim answer --ask)."
        )
    return scores[[ATTENTION_PRECISION]].assign(empty=scores["no_evidence"].astype(bool) & scores[IOU].notna())


def can_simulate(store: Store, campaign_id: str) -> bool:
    """Whether any image that a campaign asks about has a score against a mask, from which it could be answered."""
    try:
        scores = mask_scores(store, campaign_id)
    except AnswersRefusedError:
        return False
    return bool(_is_scored(scores, store, campaign_id).any())


def n_unscored(store: Store, campaign_id: str) -> int:
    """How many of the images that a campaign asks about have no score against a mask: these are answered UNSURE.

    Raises:
        AnswersRefusedError: as ``mask_scores``.
    """
    return int((~_is_scored(mask_scores(store, campaign_id), store, campaign_id)).sum())


def _is_scored(scores: pd.DataFrame, store: Store, campaign_id: str) -> pd.Series[bool]:
    """Of each image that a campaign asks about, whether its mask gives an answer."""
    asked = scores[scores.index.isin([item.row for item in store.campaigns.items(campaign_id)])]
    return asked[ATTENTION_PRECISION].notna() | asked["empty"]


def judge(
    precision: NDArray[np.float64], threshold: float = 0.5, empty: NDArray[np.bool_] | None = None
) -> NDArray[np.int8]:
    """(n,) RIGHT above the threshold, WRONG up to it, UNSURE where there is no score; EMPTY where that is said."""
    values = np.where(precision > threshold, RIGHT, WRONG).astype(np.int8)
    values[np.isnan(precision)] = UNSURE
    if empty is not None:
        values[empty] = EMPTY
    return values


def noisy(values: NDArray[np.int8], flip: float, unsure: float, seed: int) -> NDArray[np.int8]:
    """(n,) the answers with round(n flip) of them turned round and round(n unsure) others withheld."""
    order = np.random.default_rng([seed, 0xA11]).permutation(len(values))
    n_flip, n_unsure = round(len(values) * flip), round(len(values) * unsure)
    flipped, withheld = order[:n_flip], order[n_flip : n_flip + n_unsure]
    result = values.copy()
    turned = np.where(values[flipped] == RIGHT, WRONG, RIGHT)
    result[flipped] = np.where(values[flipped] == UNSURE, UNSURE, turned)
    result[withheld] = UNSURE
    return result
