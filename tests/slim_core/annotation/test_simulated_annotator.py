"""The simulated annotator."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.annotation.simulated_annotator import can_simulate, judge, noisy, simulate_answers
from slim_core.errors import SpecRefusedError
from slim_core.store.campaigns.consensus import EMPTY, RIGHT, UNSURE, WRONG
from slim_core.store.results import AttentionResult
from tests.slim_core.conftest import looped_copy


def test_attention_is_right_above_one_half_unsure_without_a_score_and_a_map_that_shows_nothing_is_empty():
    judged = judge(np.array([0.9, np.nan, np.nan]), empty=np.array([False, True, False]))
    assert judged.tolist() == [RIGHT, EMPTY, UNSURE]
    assert judge(np.array([0.51, 0.5, 0.0, 1.0, np.nan])).tolist() == [RIGHT, WRONG, WRONG, RIGHT, UNSURE]
    assert noisy(judged, flip=1.0, unsure=0.0, seed=0).tolist() == [WRONG, RIGHT, UNSURE], "none is flipped of unsure"


def test_exactly_the_shares_asked_for_are_flipped_and_withheld():
    values = np.tile(np.array([RIGHT, WRONG], np.int8), 50)
    given = noisy(values, flip=0.1, unsure=0.2, seed=3)
    assert (given == UNSURE).sum() == 20
    assert ((given != values) & (given != UNSURE)).sum() == 10
    assert values.tolist() == [RIGHT, WRONG] * 50, "the true answers are left alone"
    again, other = (noisy(values, flip=0.1, unsure=0.2, seed=seed) for seed in (3, 4))
    assert np.array_equal(given, again) and not np.array_equal(given, other), "mistakes follow from the seed"


@pytest.mark.parametrize(("flip", "unsure"), [(-0.1, 0.0), (0.6, 0.6)])
def test_shares_that_are_none_are_refused(looped, flip, unsure):
    with pytest.raises(SpecRefusedError, match="must be shares"):
        simulate_answers(looped.at.store, looped.loop.campaign.id, flip=flip, unsure=unsure)


def test_answering_twice_keeps_each_answer_once(looped):
    store, campaign = looped.at.store, looped.loop.campaign
    before = len(store.answers.frame(campaign.id))
    simulate_answers(store, campaign.id, threshold=looped.threshold)
    answers = store.answers.frame(campaign.id)
    assert len(answers) == before == len(store.campaigns.items(campaign.id))
    assert set(answers["source"]) == {"masks"}


@pytest.fixture
def own(demo_folder, tmp_path_factory):
    yield from looped_copy(demo_folder, tmp_path_factory)


def test_answering_as_at_first_counts_also_after_answering_otherwise(own):
    store, campaign = own.at.store, own.loop.campaign
    first = store.answers.current(campaign.id)
    simulate_answers(store, campaign.id, threshold=1.0)
    assert RIGHT not in store.answers.current(campaign.id).values()
    simulate_answers(store, campaign.id, threshold=own.threshold)
    assert store.answers.current(campaign.id) == first and RIGHT in first.values()


def test_images_without_a_mask_cannot_be_answered_from_masks_though_others_have_one(looped, monkeypatch):
    store, campaign = looped.at.store, looped.loop.campaign
    assert can_simulate(store, campaign.id)
    asked, scores = [item.row for item in store.campaigns.items(campaign.id)], AttentionResult.scores

    def without(result: AttentionResult, *columns):
        frame = scores(result, *columns).copy()
        frame.loc[frame["row"].isin(asked), ["attention_precision", "iou"]] = np.nan
        return frame

    monkeypatch.setattr(AttentionResult, "scores", without)
    assert not can_simulate(store, campaign.id)


def test_answers_agree_with_the_masks(looped):
    import pandas as pd

    store = looped.at.store
    values = []
    scores = pd.read_parquet(store.artifacts.folder(looped.loop.attention.id) / "scores.parquet").set_index("row")
    for row, value in store.answers.current(looped.loop.campaign.id).items():
        precision, shown = scores["attention_precision"][row], not scores["no_evidence"][row]
        values.append(value)
        unseen = UNSURE if np.isnan(scores["iou"][row]) or shown else EMPTY
        assert value == (unseen if np.isnan(precision) else int(precision > looped.threshold))
    assert {RIGHT, WRONG} <= set(values)
