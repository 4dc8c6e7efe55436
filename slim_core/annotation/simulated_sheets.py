"""The simulated annotator of sheets: answers from the attribute, with as many mistakes as asked for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.annotation.sheets import sheets
from slim_core.annotation.simulated_annotator import ANNOTATOR, check_seed, check_shares
from slim_core.data.sets import attribute_belongs
from slim_core.errors import AnswersRefusedError
from slim_core.space.sheets import MIXED, NO, UNSURE, YES, in_order
from slim_core.store.campaigns.environment_answers import EnvironmentAnswer
from slim_core.store.campaigns.values import FROM_ATTRIBUTES

if TYPE_CHECKING:
    from slim_core.store import Store

SECONDS_AN_ANSWER = 10.0  # what a sheet is booked with
SHARED = 0.5  # of the way from what the classes have anyway to all: from there on it is what the images share
FEWEST = 5  # images of a class in an environment, to be looked at
MISTAKEN = {YES: NO, NO: YES, MIXED: YES, UNSURE: UNSURE}


def simulate_sheets(store: Store, campaign_id: str, *, flip: float = 0.0, unsure: float = 0.0, seed: int = 0) -> int:
    """Answer every environment of a campaign, parts included; returns how many answers that took.

    Each is mistaken with probability ``flip`` and withheld with probability ``unsure``, the same ones for the same
    seed. Doing it twice changes nothing: each answer has an id of its own.

    Raises:
        AnswersRefusedError: the data has no attribute.
        SpecRefusedError: flip or unsure is no probability, they exceed 1 together, or the seed is negative; or as
            ``sheets``.
    """
    check_shares(flip, unsure)
    check_seed(seed)
    found = sheets(store, campaign_id)
    table = store.datasets.table(found.campaign.dataset_id)
    if not table.has_attributes:
        raise AnswersRefusedError(
            f"{table.name} has no attribute, from which sheets could be answered: answer them on the Annotate page."
        )
    attributes, belongs = table.attributes[found.space.rows], attribute_belongs(table.root)
    answered: dict[str, int] = {}
    while asked := [each for each in found.open_to(ANNOTATOR) if each.path not in answered]:
        judged = {each.path: judge(found.space.labels, attributes, each.positions, belongs=belongs) for each in asked}
        answered |= {path: mistaken(value, path, flip, unsure, seed) for path, value in judged.items()}
        answers = [_answer(campaign_id, path, answered[path], seed) for path in judged]
        store.environment_answers.save(campaign_id, ANNOTATOR, answers, FROM_ATTRIBUTES)
        found = sheets(store, campaign_id)
    return len(answered)


def _answer(campaign_id: str, path: str, value: int, seed: int) -> EnvironmentAnswer:
    """With the same id for the same answer, so that it can arrive twice."""
    answer_id = hashlib.sha256(f"{campaign_id} {path} {seed} {value}".encode()).hexdigest()[:32]
    return EnvironmentAnswer(answer_id, path, value, duration_ms=round(SECONDS_AN_ANSWER * 1000))


def judge(labels: NDArray[np.int64], attributes: NDArray[np.int64], inside: NDArray[np.int64], *, belongs: bool) -> int:
    """What an environment shares, as one sees it on its sheet, where every class has as many images.

    Where a value of the attribute is common to its classes, far beyond what these have anyway, it shares that: NO, or
    YES where the attribute ``belongs`` to the class. Else, where a class makes up most of it, it shares the class: YES.
    Else it shares neither: MIXED.

    Args:
        labels: (N,) class of each image.
        attributes: (N,) attribute of each, -1 unknown.
        inside: (n,) positions of the environment's images.
        belongs: whether what the attribute names is a part of the class.
    """
    known = inside[attributes[inside] >= 0]
    if not len(known):
        return UNSURE
    if _shares_attribute(labels, attributes, known):
        return YES if belongs else NO
    share, usual = (np.bincount(labels[rows], minlength=labels.max() + 1) for rows in (inside, np.arange(len(labels))))
    return YES if _stands_out(share / share.sum(), usual / usual.sum()) else MIXED


def _shares_attribute(labels: NDArray[np.int64], attributes: NDArray[np.int64], inside: NDArray[np.int64]) -> bool:
    classes, sizes = np.unique(labels[inside], return_counts=True)
    seen = classes[sizes >= min(FEWEST, sizes.max())]
    whole = np.flatnonzero(attributes >= 0)
    share, usual = (
        np.mean([_distribution(attributes, rows[labels[rows] == label]) for label in seen], axis=0)
        for rows in (inside, whole)
    )
    return _stands_out(share, usual)


def _distribution(attributes: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.bincount(attributes[rows], minlength=attributes.max() + 1) / len(rows))


def _stands_out(share: NDArray[np.float64], usual: NDArray[np.float64]) -> bool:
    """Whether the largest share has gone most of the way from its usual value to 1."""
    k = int(share.argmax())
    return bool(usual[k] < 1 and (share[k] - usual[k]) / (1 - usual[k]) >= SHARED)


def mistaken(value: int, path: str, flip: float, unsure: float, seed: int) -> int:
    """The answer, turned round or withheld by chance: the same for the same environment and seed."""
    drawn = np.random.default_rng([seed, 0x5EE7, *in_order(path)]).random()
    if drawn < flip:
        return MISTAKEN[value]
    return UNSURE if drawn < flip + unsure else value
