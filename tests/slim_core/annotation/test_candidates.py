"""S3: which images people are asked about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slim_core.annotation import candidates
from slim_core.annotation.candidates import (
    HELP_FLOOR,
    budgets_of,
    helpful_candidates,
    kmeans_candidates,
    spread_order,
    why_more,
)
from slim_core.errors import SpecRefusedError
from tests.refusals import missing, refusal


def blobs(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])
    points = centres[rng.integers(0, 4, n)] + rng.normal(size=(n, 2)) * 0.5
    return points, np.arange(n) % 3


def test_one_image_in_each_of_four_clear_clusters_is_asked_about():
    corners = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = np.repeat(corners, 5, axis=0) + np.tile(np.linspace(0, 0.4, 5)[:, None], (4, 2))
    picks = kmeans_candidates(points, np.zeros(20, int), {0: 4}, seed=0)
    assert sorted(picks // 5) == [0, 1, 2, 3]


def test_the_candidates_of_a_fixed_input_are_fixed():
    points, labels = blobs()
    assert kmeans_candidates(points, labels, {0: 3, 1: 2, 2: 1}, seed=7).tolist() == [213, 222, 33, 118, 76, 290]


def test_each_class_gets_exactly_its_budget_of_distinct_images():
    points, labels = blobs()
    picks = kmeans_candidates(points, labels, {0: 60, 1: 7, 2: 0}, seed=1)
    assert len(set(picks)) == len(picks) == 67
    assert np.bincount(labels[picks], minlength=3).tolist() == [60, 7, 0]
    assert set(kmeans_candidates(points, labels, {2: 100}, seed=0)) == set(np.flatnonzero(labels == 2)), "all of it"
    assert len(set(kmeans_candidates(np.ones((10, 2)), np.zeros(10, int), {0: 6}, seed=0))) == 6, "at one place"


def test_a_pick_is_one_of_the_five_images_nearest_to_the_mean_of_its_class():
    points, labels = blobs()
    members = np.flatnonzero(labels == 1)
    distance = np.linalg.norm(points[members] - points[members].mean(axis=0), axis=1)
    nearest = set(members[np.argsort(distance)[:5]])
    picks = {int(kmeans_candidates(points, labels, {1: 1}, seed=seed)[0]) for seed in range(30)}
    assert picks <= nearest
    assert len(picks) > 1  # a random one, not always the nearest


def test_the_same_seed_asks_about_the_same_images_in_whatever_order_the_rows_come():
    points, labels = blobs()
    shuffle = np.random.default_rng(3).permutation(len(points))
    straight = kmeans_candidates(points, labels, {0: 9, 1: 9, 2: 9}, seed=5)
    shuffled = kmeans_candidates(points[shuffle], labels[shuffle], {0: 9, 1: 9, 2: 9}, seed=5)
    assert straight.tolist() == shuffle[shuffled].tolist()
    assert set(straight) != set(kmeans_candidates(points, labels, {0: 9, 1: 9, 2: 9}, seed=6))


def test_the_candidates_of_a_class_do_not_depend_on_the_budget_of_another():
    points, labels = blobs()
    alone = kmeans_candidates(points, labels, {1: 8}, seed=2)
    beside = kmeans_candidates(points, labels, {0: 30, 1: 8}, seed=2)
    assert alone.tolist() == beside[30:].tolist()


@pytest.mark.parametrize(
    ("budgets", "named"),
    [({0: 3, 2: 101}, ("class 2", 101, "only 100")), ({9: 1}, ("class 9", "only 0")), ({0: -1}, ("class 0", -1))],
)
def test_a_budget_that_a_class_cannot_give_is_refused(budgets, named):
    with refusal(SpecRefusedError, *named):
        kmeans_candidates(*blobs(), budgets, seed=0)


@pytest.mark.parametrize(
    ("sizes", "share", "budgets"),
    [
        ((1000, 399, 10), (0.03,), (30, 11, 1)),  # below it, but no class is left out
        ((100, 50, 3), (1,), (100, 50, 3)),
        ((100, 50, 3), (1.0,), (100, 50, 3)),
        ((800, 800), (), (24, 24)),  # the demo sets: 3 % of each class
        ((600, 600), (), (18, 18)),
        ((1000, 375, 5), (), (25, 11, 5)),  # 41 of 1,380: what the small class is given more, the large one gives
        ((22,) * 12, (), (5,) * 12),
        ((90, 90), (), (5, 5)),
        ((4, 100), (), (4, 5)),
    ],
)
def test_a_campaign_begins_with_the_share_asked_for_else_three_percent_though_five_images_of_each_class(
    sizes, share, budgets
):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    assert budgets_of(labels, *share) == dict(enumerate(budgets))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, 2, 154])
def test_a_share_out_of_range_is_refused(share):
    with refusal(SpecRefusedError, share):
        budgets_of(np.repeat([0, 1, 2], [100, 50, 3]), share)


def test_fewer_than_three_percent_are_proposed_wherever_five_of_each_class_are_fewer():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(1, 2_000, rng.integers(2, 30))
        asked = sum(budgets_of(np.repeat(np.arange(len(sizes)), sizes)).values())
        assert asked <= max(0.03 * sizes.sum(), np.minimum(sizes, 5).sum())


def test_more_than_three_percent_are_explained_with_their_share():
    why = why_more(60, 264).replace("\u00a0", " ")
    assert not missing(why, "than 5 answers", "60 of 264", "22.7 %", "usual 3 %", "would be 7.")
    assert why_more(48, 1600) == ""


def test_neighbours_of_the_space_do_not_follow_each_other_and_classes_take_turns():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(600, 2)), np.repeat([0, 1], [200, 400])
    order = spread_order(points, labels, seed=1)
    assert sorted(order) == list(range(600))
    np.testing.assert_array_equal(order, spread_order(points, labels, seed=1))
    assert (order != spread_order(points, labels, seed=2)).any()
    assert all(labels[order[k : k + 3]].sum() == 2 for k in range(0, 600, 3))
    shuffled = rng.permutation(600)
    gap = {name: np.linalg.norm(np.diff(points[way], axis=0), axis=1) for name, way in
           (("spread", order), ("random", shuffled))}  # fmt: skip
    assert np.quantile(gap["spread"], 0.02) > 2 * np.quantile(gap["random"], 0.02)
    assert spread_order(np.empty((0, 2)), np.empty(0, int), 0).tolist() == []
    assert spread_order(points[:1], labels[:1], 0).tolist() == [0]


def test_where_all_scores_are_settled_the_place_farthest_from_all_answers_helps_most():
    points = np.array([[0.0, 0], [1, 0], [10, 0], [3, 0]])
    asked = np.array([True, False, False, False])
    before = points.copy()
    assert helpful_candidates(points, np.zeros(4, int), np.array([1.0, 0, 1, 1]), asked, 3).tolist() == [2, 3, 1]
    np.testing.assert_array_equal(points, before, "the space itself is left as it is")


def test_the_most_helpful_images_are_unsettled_and_far_from_those_asked_about():
    points = np.array([[0.0, 0], [0.1, 0], [5, 0], [5.1, 0], [10, 0], [10.1, 0]])
    labels, asked = np.zeros(6, int), np.array([True, False, False, False, False, False])
    settled = np.array([1.0, 1.0, 0.5, 0.5, 0.9, 0.9])
    assert helpful_candidates(points, labels, settled, asked, 1).tolist() == [3]
    first, second = helpful_candidates(points, labels, np.full(6, 0.5), asked, 2).tolist()
    assert first == 5 and second in (2, 3)  # the farthest, then the middle, not the farthest's neighbour
    everything = helpful_candidates(points, labels, settled, asked, 5)
    assert sorted(everything) == [1, 2, 3, 4, 5]
    for n in (0, 6):
        with refusal(SpecRefusedError, n, "1 to 5"):
            helpful_candidates(points, labels, settled, asked, n)


def helpful_one_by_one(points, labels, scores, asked, n):
    """The definition, each image compared with each one of its class that was asked about or chosen."""
    doubt = 1 - np.abs(2 * np.nan_to_num(scores, nan=0.5) - 1) + HELP_FLOOR
    scaled = np.array(points, np.float64)
    for label in np.unique(labels):
        scaled[labels == label] /= scaled[labels == label].std() or 1.0
    gaps = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    gaps[labels[:, None] != labels[None]] = np.inf
    known, picks = asked.copy(), []
    far = None
    for _ in range(n):
        distance = gaps[:, known].min(1, initial=np.inf)
        far = far if far is not None else distance[np.isfinite(distance)].max(initial=1.0)
        worth = np.where(np.isfinite(distance), distance, far) * doubt
        worth[known] = -1
        picks.append(int(worth.argmax()))
        known[picks[-1]] = True
    return picks


@pytest.mark.slow
@given(
    seed=st.integers(0, 1000),
    grid=st.booleans(),
    n_images=st.integers(3, 40),
    share=st.sampled_from([0, 0.1, 0.6]),
    n_classes=st.integers(1, 3),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_the_most_helpful_images_are_those_of_comparing_all_with_all(seed, grid, n_images, share, n_classes):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (n_images, 2)).astype(float) if grid else rng.normal(size=(n_images, 2))
    labels, scores = rng.integers(0, n_classes, n_images), rng.random(n_images)
    scores[rng.random(n_images) < 0.2] = np.nan
    asked = rng.random(n_images) < share
    asked[0] = False
    n = min(5, int((~asked).sum()))
    assert helpful_candidates(points, labels, scores, asked, n).tolist() == helpful_one_by_one(
        points, labels, scores, asked, n
    )


def test_what_was_asked_before_is_measured_at_once_and_not_image_by_image(monkeypatch):
    measured, nearer = [], candidates._nearer
    monkeypatch.setattr(candidates, "_nearer", lambda *about: (measured.append(about[-1]), nearer(*about)))
    points, labels = blobs()
    picks = helpful_candidates(points, labels, np.full(300, 0.5), np.arange(300) % 3 == 0, 4)
    assert measured == picks.tolist()
