"""How far annotators agree: with each other beyond chance, with known answers, and where they do not.

Only right and wrong count as an opinion, and empty as wrong; unsure and partly are none (METHOD S4), agree and disagree
with nothing, and are reported apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core.formatting import percent
from slim_core.store.campaigns.campaigns import Item
from slim_core.store.campaigns.consensus import (
    DECISION,
    FROM_MASKS,
    IDLE_MS,
    RIGHT,
    SKIP,
    UNSURE,
    VALUES,
    WORDS,
    WRONG,
    counts_as,
    majority,
)

if TYPE_CHECKING:
    from slim_core.store import Store

KAPPA, ALPHA = "Cohen's kappa", "Krippendorff's alpha"
N_RESAMPLES = 400  # of the items, for the interval
Vote = tuple[int, str, int]  # item, annotator, answer that counts now
_COLUMNS = ["annotator", "answers", *WORDS.values(), "gold_n", "gold_agree", "others_n", "others_agree"]
_DONE = ["given", "surplus", "changed", "undone", "skipped", "minutes"]


def nominal_alpha(counts: NDArray[np.integer]) -> float:
    """1 - observed / expected disagreement: 1 perfect, 0 as by chance, below 0 contradiction.

    Args:
        counts: (units, values), how many observers gave each value to each unit. A unit that fewer than two observers
            valued has no pairs and does not count.

    Returns:
        NaN where the pairs hold one value only, or where there are none: nothing to disagree about.
    """
    observers = counts.sum(axis=1)  # m_u, (units,)
    paired = np.asarray(counts, dtype=np.float64)[observers >= 2]
    m = observers[observers >= 2]
    of_value = paired.sum(axis=0)  # n_c, (values,)
    n = of_value.sum()
    differing_in_all = n**2 - (of_value**2).sum()  # ordered pairs of different values among all n, n (n - 1) D_e
    if differing_in_all == 0:
        return float("nan")
    differing_in_units = ((m**2 - (paired**2).sum(axis=1)) / (m - 1)).sum()  # n D_o
    return float(1 - (n - 1) * differing_in_units / differing_in_all)


@dataclass(frozen=True)
class Agreement:
    """Agreement beyond chance: 1 perfect, 0 as by chance; NaN where it is not defined, and ``note`` says why."""

    measure: str
    value: float
    low: float  # of the 95 % interval
    high: float
    n_items: int  # answered right or wrong by at least two
    n_annotators: int
    note: str = ""


@dataclass(frozen=True)
class Dispute:
    """An item about which annotators contradict each other."""

    item: Item
    votes: Mapping[str, int]  # annotator -> answer


def opinions(votes: Iterable[Vote]) -> pd.DataFrame:
    """Items x annotators, 1.0 right, 0.0 wrong, NaN unsure, partly or not asked; items with at least two opinions."""
    given = [(item, who, counts_as(value)) for item, who, value in votes if counts_as(value) != UNSURE]
    frame = pd.DataFrame(given, columns=["item", "annotator", "value"])
    table = frame.astype({"value": float}).pivot(index="item", columns="annotator", values="value")
    table = table[table.notna().sum(axis=1) >= 2]
    return table.loc[:, table.notna().any()]


def agreement(votes: Iterable[Vote], seed: int = 0) -> Agreement:
    """Cohen's kappa of two annotators, Krippendorff's nominal alpha of more, each with a 95 % interval.

    The interval is the percentile bootstrap over items, N_RESAMPLES of them, seeded. kappa: Cohen, Educational and
    Psychological Measurement 20 (1960).
    """
    table = opinions(votes)
    n_items, n_annotators = table.shape
    measure = KAPPA if n_annotators <= 2 else ALPHA
    values = table.to_numpy(np.float64)
    if n_items == 0:
        return Agreement(measure, *(np.nan,) * 3, 0, 0, "No image has answers from two annotators yet.")
    if len(np.unique(values[~np.isnan(values)])) < 2:
        note = "All answers are the same, so agreement beyond chance is undefined."
        return Agreement(measure, *(np.nan,) * 3, n_items, n_annotators, note)
    if n_annotators == 2 and any(len(np.unique(said)) == 1 for said in values.T):  # kappa is 0 then, however they agree
        agree = percent(float((values[:, 0] == values[:, 1]).mean()), 0)
        note = (
            f"They agree on {agree} of {n_items:,} images. Kappa means nothing: one of them gave one answer throughout."
        )
        return Agreement(measure, *(np.nan,) * 3, n_items, n_annotators, note)
    counted = _kappa_cells(values) if n_annotators == 2 else _counts(values)
    score = _kappa if n_annotators == 2 else nominal_alpha
    low, high = _interval(counted, score, seed)
    return Agreement(measure, score(counted), low, high, n_items, n_annotators)


def _kappa_cells(values: np.ndarray) -> np.ndarray:
    """(n, 4) one-hot: which cell of the 2 x 2 table (first says, second says) each item falls into."""
    return np.asarray(np.eye(4)[(2 * values[:, 0] + values[:, 1]).astype(int)])


def _counts(values: np.ndarray) -> np.ndarray:
    """(n, 2) how many said wrong and right of each item."""
    return np.stack([(values == value).sum(axis=1) for value in (WRONG, RIGHT)], axis=1)


def _kappa(cells: np.ndarray) -> float:
    """NaN where both always say the same one thing. scikit-learn's takes 2 ms, and an interval needs hundreds."""
    table = cells.sum(axis=0).reshape(2, 2) / len(cells)
    by_chance = float(table.sum(axis=1) @ table.sum(axis=0))
    return (float(np.trace(table)) - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _interval(counted: np.ndarray, score: Any, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    drawn = np.array([score(counted[rng.integers(len(counted), size=len(counted))]) for _ in range(N_RESAMPLES)])
    if np.isnan(drawn).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def disputes(items: Sequence[Item], votes: Iterable[Vote]) -> list[Dispute]:
    """The items that some call right and some wrong: undecided ones first, then in their order."""
    said: dict[int, dict[str, int]] = {}
    for item_id, annotator, value in votes:
        said.setdefault(item_id, {})[annotator] = value
    found = [Dispute(item, said[item.id]) for item in items if _contradict(said.get(item.id, {}).values())]
    return sorted(found, key=lambda one: (one.item.decision is not None, one.item.position))


def disputes_of(store: Store, campaign_id: str) -> list[Dispute]:
    """``disputes`` of a campaign as it stands; none about the absence of something, where wrong counts as neither."""
    votes = store.answers.votes(campaign_id)
    if len({annotator for _, annotator, _ in votes}) < 2:  # nobody to contradict: the items need not be read
        return []
    absent = store.campaigns.fetch(campaign_id).absent
    return disputes([one for one in store.campaigns.items(campaign_id) if one.label not in absent], votes)


def _contradict(votes: Iterable[int]) -> bool:
    return {RIGHT, WRONG} <= set(map(counts_as, votes))


def n_tied(found: Iterable[Dispute]) -> int:
    """How many undecided items as many call right as wrong: nobody's answer counts there."""
    return sum(
        one.item.decision is None and _is_tie([counts_as(value) for value in one.votes.values()]) for one in found
    )


def _is_tie(said: Sequence[int]) -> bool:
    return said.count(RIGHT) == said.count(WRONG)


def annotators(items: Sequence[Item], votes: Sequence[Vote], audit: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row an annotator: answers that count, what they did, their pace, agreement with gold and with others.

    Columns: annotator, answers, right, wrong, partly, empty, unsure, surplus (images answered when others had answered
    as often as the overlap asks: kept, not counted), changed, undone, skipped, minutes (pauses over a minute cut; NaN
    of the simulated annotator, and where no answer has a time), per_minute (answers given, counted or not; NaN without
    any), gold_n, gold_agree, others_n (items of theirs that others answered too), others_agree (with the majority of
    the others); shares 0..1, NaN where there is nothing to compare.
    """
    work = _work(audit)
    names = sorted(set(work.index) | {vote[1] for vote in votes})
    said: dict[int, dict[str, int]] = {}
    for item_id, annotator, value in votes:
        said.setdefault(item_id, {})[annotator] = value
    gold = {item.id: item.gold for item in items if item.gold is not None}
    rows = [_row(name, [vote for vote in votes if vote[1] == name], said, gold) for name in names]
    frame = pd.DataFrame(rows, columns=_COLUMNS).set_index("annotator").join(work.reindex(names, fill_value=0))
    given, minutes = (frame[column].astype(float).replace(0, np.nan) for column in ("given", "minutes"))
    frame["minutes"] = minutes.where(given.notna(), frame["minutes"].astype(float))
    frame["per_minute"] = given / minutes
    whole = dict.fromkeys(("surplus", "changed", "undone", "skipped"), int)
    return frame.drop(columns="given").astype(whole).reset_index()


def _row(
    name: str, mine: Sequence[Vote], said: Mapping[int, Mapping[str, int]], gold: Mapping[int, int]
) -> tuple[Any, ...]:
    values = [value for _, _, value in mine]
    known = [counts_as(gold[item]) == counts_as(value) for item, _, value in mine if item in gold]
    beside = []
    for item, _, value in mine:
        others = [counts_as(one) for who, one in said[item].items() if who != name]
        of_others = majority(others.count(RIGHT), others.count(WRONG))
        if UNSURE not in (counts_as(value), of_others):
            beside.append(of_others == counts_as(value))
    counts = [values.count(each) for each in VALUES]
    return (name, len(values), *counts, len(known), _share(known), len(beside), _share(beside))


def _share(agree: Sequence[bool]) -> float:
    return float(np.mean(agree)) if agree else float("nan")


def _work(audit: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """By annotator: _DONE, of which given is answers in all; decisions are not annotation."""
    work: dict[str, dict[str, float]] = {}
    answered: set[tuple[int, str]] = set()
    beyond: set[tuple[int, str]] = set()
    for row in audit:
        if row["source"] == DECISION:
            continue
        mine = work.setdefault(row["annotator"], dict.fromkeys(_DONE, 0.0))
        key = (row["item_id"], row["annotator"])
        is_work = row["source"] != FROM_MASKS
        mine["minutes"] += min(row["duration_ms"], IDLE_MS) / 60_000 if is_work else math.nan
        if row["source"] == SKIP:
            mine["skipped"] += 1
        elif row["value"] is None:
            mine["undone"] += 1
            answered.discard(key)
            beyond.discard(key)
        else:
            mine["given"] += 1
            mine["changed"] += key in answered
            answered.add(key)
            (beyond.add if row["surplus"] else beyond.discard)(key)
    for _, annotator in beyond:
        work[annotator]["surplus"] += 1
    return pd.DataFrame.from_dict(work, orient="index", columns=_DONE).rename_axis("annotator")


def annotators_of(store: Store, campaign_id: str) -> pd.DataFrame:
    """``annotators`` of a campaign as it stands now."""
    items, votes = store.campaigns.items(campaign_id), store.answers.votes(campaign_id)
    return annotators(items, votes, store.answers.audit(campaign_id))
