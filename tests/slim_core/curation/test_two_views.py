"""Balanced twice: a shortcut that is small shows in what wrong attention is on, and answers say where it is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slim_core.curation import STRATEGIES, CurateOptions, CurationData, Subset, curate, needs_scores
from slim_core.curation.two_views import presumed_wrong, right_scores
from slim_core.space.environments import ClusterConfig, Views, environment_clusters

N = 800
ASKED = 100


def stickers(seed: int = 0, right_elsewhere: float = 0.5, scene_of_class: float = 0.5) -> CurationData:
    """Two scenes, each with one class in a share of the images; a sticker goes with class 1 in nine images of ten.

    The attention is on the sticker where there is one, and there wrong, and on the object in a share of the others.
    What lies outside of it tells the scene; what it is on tells sticker, class or scene.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % 2
    sticker = np.where(rng.random(N) < 0.9, labels, 1 - labels)
    scene = np.where(rng.random(N) < scene_of_class, labels, 1 - labels)
    right = (sticker == 0) & (rng.random(N) < right_elsewhere)
    directions = np.eye(12)

    def features(which: np.ndarray) -> np.ndarray:
        return np.asarray(4 * directions[which] + rng.normal(size=(N, 12)) * 0.3, np.float32)

    around = features(scene)
    on = features(np.where(sticker == 1, 2, np.where(right, 3 + labels, scene)))
    answers = np.full(N, -1, np.int8)
    asked = rng.permutation(N)[:ASKED]
    answers[asked] = right[asked]
    clusters = environment_clusters(around, labels, ClusterConfig())
    flat = np.zeros((N, 2), np.float32)
    views = Views(around, on, np.asarray(on - around, np.float32))
    return CurationData(labels, flat, flat, around, clusters, np.full(N, np.nan), answers, sticker, 2, views=views)


DATA = stickers()
UNANSWERED = replace(DATA, answers=np.full(N, -1, np.int8))


def chosen(data: CurationData = DATA, **options) -> Subset:
    return curate(data, strategy="slim", size=400, seed=0, environments="both", **options)


def rarest(subset: Subset, told: np.ndarray = DATA.attributes) -> float:
    """The least share that a value has in a class of the subset; one half is even."""
    index = 2 * DATA.labels[subset.positions] + told[subset.positions]
    found = np.bincount(index, subset.counts, 4).reshape(2, 2)
    return float((found / found.sum(axis=1, keepdims=True)).min())


def test_answers_find_what_no_cluster_of_the_surroundings_tells():
    of_surroundings = curate(DATA, strategy="slim", size=400, seed=0)
    assert rarest(of_surroundings) < 0.2 and rarest(chosen(UNANSWERED)) < 0.2
    assert rarest(chosen()) > 0.35


@pytest.mark.slow
def test_where_wrong_attention_is_nearly_that_of_one_class_it_is_balanced_too():
    """Nothing but the sticker is attended wrongly: its class is frequent there, and must not stay so."""
    data = stickers(right_elsewhere=1.0)
    assert rarest(chosen(replace(data, answers=UNANSWERED.answers)), data.attributes) < 0.2
    assert rarest(chosen(data), data.attributes) > 0.35


@pytest.mark.slow
def test_what_right_attention_is_on_is_left_alone():
    answered = chosen().report["clusters"]["images_wrong"]
    assert answered == pytest.approx(N - right_scores(DATA, 1.0).sum(), abs=1)
    assert chosen(UNANSWERED, presumed=0.0).report["clusters"]["images_wrong"] == N
    assert chosen(UNANSWERED).report["clusters"] == {"surroundings": 12, "attended": 0, "images_wrong": 0}


@pytest.mark.slow
def test_the_subset_is_as_large_as_asked_no_image_too_often_and_the_same_again():
    first, again = chosen(max_repeats=4), chosen(max_repeats=4)
    assert first.counts.sum() == 400 == first.report["images"] and first.counts.max() <= 4
    assert np.array_equal(first.positions, again.positions) and np.array_equal(first.counts, again.counts)
    assert sum(cell["images"] for cell in first.report["cells"]) == 400
    assert chosen(repeats=False).counts.max() == 1
    per_class = np.bincount(DATA.labels[first.positions], first.counts)
    assert abs(per_class[0] - per_class[1]) <= 8


def test_a_space_with_a_single_environment_is_of_no_account_where_clusters_of_the_views_are_balanced():
    clusters = replace(DATA.clusters, index=np.zeros(N, np.int64), n_per_class=(1, 1))
    report = chosen(replace(DATA, clusters=clusters)).report
    assert report["clusters"]["surroundings"] == 12 and report["notes"] == chosen().report["notes"] == []


@pytest.mark.parametrize("data", [DATA, UNANSWERED])
def test_where_classes_are_balanced_twice_the_propagated_scores_change_nothing_and_are_not_asked_for(data):
    both = CurateOptions(environments="both")
    assert not needs_scores(data, "slim", both)
    scored = replace(data, scores=np.linspace(0, 1, N))
    found, other = chosen(data), chosen(scored)
    assert np.array_equal(found.positions, other.positions) and found.report == other.report
    assert np.array_equal(found.scores, other.scores) or data is UNANSWERED, "without answers there are none to keep"


def test_whatever_else_is_asked_for_they_are():
    both = CurateOptions(environments="both")
    assert all(needs_scores(DATA, name, both) for name in STRATEGIES if name != "slim"), "theirs are kept with a subset"
    assert needs_scores(DATA, "slim", CurateOptions()) and needs_scores(
        DATA, "slim", CurateOptions(environments="answers")
    )
    assert needs_scores(replace(DATA, views=None), "slim", both)


def test_without_features_the_environments_are_those_of_the_space_and_a_note_says_so():
    assert "attention pass kept" in chosen(replace(DATA, views=None)).report["notes"][0]


def test_answers_that_all_agree_are_said_of_every_image():
    for value in (0, 1):
        data = replace(DATA, answers=np.where(DATA.answers >= 0, value, -1).astype(np.int8))
        assert (right_scores(data, 0.5) == value).all()
        assert presumed_wrong(right_scores(data, 0.5), seed=0).all() == (value == 0)
    assert (right_scores(UNANSWERED, 0.3) == 0.3).all()


def test_as_many_images_are_taken_to_be_right_as_the_scores_are_in_sum():
    wrong = presumed_wrong(np.linspace(0.1, 0.5, 100), seed=0)
    assert wrong.sum() == 70 and not wrong[70:].any(), "the highest scores, though none is above one half"


def test_the_share_of_right_attention_does_not_hang_on_which_images_were_asked_about():
    """Answers about uncertain images are right more often than the attention of all."""
    data = stickers(seed=5)
    told = data.attributes  # the attention is on the sticker, and wrong, where there is one
    right = (told == 0) & (np.random.default_rng(5).random(N) < 0.5)
    asked = np.random.default_rng(1).permutation(N)
    few_wrong = np.concatenate([asked[right[asked]][:60], asked[~right[asked]][:20]])
    answers = np.full(N, -1, np.int8)
    answers[few_wrong] = right[few_wrong]
    views = replace(data.views, contrast=np.asarray(4 * np.eye(12)[np.where(right, 0, 1)], np.float32))
    scores = right_scores(replace(data, answers=answers, views=views), 1.0)
    assert (1 - presumed_wrong(scores, seed=0)).mean() == pytest.approx(right.mean(), abs=0.05)


def test_equal_scores_are_parted_by_the_seed_and_not_by_the_order_of_the_images():
    first, again, other = (presumed_wrong(np.full(400, 0.5), seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert 0.4 < first[:200].mean() < 0.6, "images lie in the order of their class, often"


def in_clusters_of_one_class(seed: int) -> np.ndarray:
    """(N, 12) features of twelve clusters, each of one class but for two images."""
    rng = np.random.default_rng(seed)
    told = np.where(np.arange(N) < 2, 1 - DATA.labels, DATA.labels)
    kinds = 2 * rng.integers(6, size=N) + told
    return np.asarray(4 * np.eye(12)[kinds] + rng.normal(size=(N, 12)) * 0.1, np.float32)


ALL_WRONG = replace(DATA, answers=np.where(DATA.answers >= 0, 0, -1).astype(np.int8))


def test_what_a_model_that_has_fitted_its_images_looks_at_is_not_balanced():
    """It looks at the class itself: few images share a cluster with another class, and would be all that is left."""
    on = in_clusters_of_one_class(3)
    views = replace(DATA.views, if_wrong=on, contrast=on - DATA.views.if_right)
    subset = chosen(replace(ALL_WRONG, views=views))
    (note,) = subset.report["notes"]
    assert "not balanced in what wrong attention" in note
    around_alone = chosen(replace(UNANSWERED, views=views))
    assert np.array_equal(subset.positions, around_alone.positions) and around_alone.report["notes"] == []


def test_where_the_surroundings_tell_the_class_too_the_classes_alone_are_balanced():
    views = replace(DATA.views, if_right=in_clusters_of_one_class(4), if_wrong=in_clusters_of_one_class(5))
    subset = chosen(replace(ALL_WRONG, views=views))
    first, second = subset.report["notes"]
    assert "what lies outside" in first and "what wrong attention" in second
    (alone,) = chosen(replace(UNANSWERED, views=views)).report["notes"]
    assert "what lies outside" in alone, "nothing is called wrong, so nothing is said of it"
    assert subset.report["unique"] > 300
    assert abs(np.subtract(*np.bincount(DATA.labels[subset.positions], subset.counts))) <= 8


def test_where_the_attention_is_wrong_in_one_class_alone_it_is_not_balanced_away():
    """Each cluster of what wrong attention is on lacks the other class: to balance them would leave no image."""
    wrong_in_one = np.where(DATA.labels == 0, 0, 1).astype(np.int8)
    contrast = np.asarray(4 * np.eye(12)[DATA.labels], np.float32)
    answers = np.where(DATA.answers >= 0, wrong_in_one, -1).astype(np.int8)
    subset = chosen(replace(DATA, answers=answers, views=replace(DATA.views, contrast=contrast)))
    (note,) = subset.report["notes"]
    assert "only images of class 0" in note
    around_alone = chosen(replace(UNANSWERED, views=DATA.views))
    assert np.array_equal(subset.positions, around_alone.positions)


def test_an_image_whose_map_is_empty_is_in_no_cluster_of_what_the_attention_is_on():
    """Their features are zero: they would be a cluster, of one class if they are of one, and count for nothing."""
    empty = np.flatnonzero(DATA.labels == 0)[:40]
    on = DATA.views.if_wrong.copy()
    on[empty] = 0
    contrast = DATA.views.contrast.copy()
    contrast[empty] = contrast[DATA.answers == 0].mean(axis=0)  # called wrong, as people call it
    views = replace(DATA.views, if_wrong=on, contrast=contrast)
    lost = chosen(replace(DATA, views=views))
    assert np.isin(empty, lost.positions).sum() == 0
    attended = np.ones(N, bool)
    attended[empty] = False
    kept = chosen(replace(DATA, views=replace(views, attended=attended)))
    assert np.isin(empty, kept.positions).sum() > 5


def scenes(n: int, n_classes: int, share: float, seed: int = 0) -> CurationData:
    """As many scenes as classes, each with its own class in ``share`` of the images, and no answers."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    scene = np.where(rng.random(n) < share, labels, (labels + rng.integers(1, n_classes, n)) % n_classes)
    around = np.asarray(4 * np.eye(12)[scene] + rng.normal(size=(n, 12)) * 0.3, np.float32)
    clusters = environment_clusters(around, labels, ClusterConfig())
    flat, nobody = np.zeros((n, 2), np.float32), np.full(n, -1, np.int8)
    views = Views(around, around, np.zeros((n, 2), np.float32))
    return CurationData(labels, flat, flat, around, clusters, np.full(n, np.nan), nobody, scene, n_classes, views=views)


def own_scene(data: CurationData, subset: Subset) -> float:
    """The share of images in the scene of their class; 1 / C where it tells nothing."""
    assert data.attributes is not None
    own = data.attributes[subset.positions] == data.labels[subset.positions]
    return float(subset.counts[own].sum() / subset.counts.sum())


@pytest.mark.slow
@pytest.mark.parametrize(("n", "n_classes", "share"), [(1600, 5, 0.95), (5000, 10, 0.9)])
def test_with_many_classes_fewer_clusters_are_taken_so_that_each_holds_every_class(n, n_classes, share):
    data = scenes(n, n_classes, share)
    subset = curate(data, strategy="slim", size=n // 2, seed=0, environments="both")
    assert own_scene(data, subset) < 0.45, (own_scene(data, subset), subset.report["clusters"])


@pytest.mark.parametrize("options", [{"repeats": False}, {"max_repeats": 1}])
def test_without_repeats_the_subset_is_smaller_and_even(options):
    data = scenes(1600, 2, 0.9)
    subset = curate(data, strategy="slim", size=800, seed=0, environments="both", **options)
    assert subset.counts.max() == 1 and 0.4 < own_scene(data, subset) < 0.6
    assert 200 < subset.counts.sum() < 400, "about 160 images are in the other class's scene"
    assert any("asked for" in note for note in subset.report["notes"])


@pytest.mark.slow
def test_rare_images_are_repeated_as_often_as_is_allowed_whatever_the_size():
    data = scenes(1600, 2, 0.98)
    for size in (320, 800):
        subset = curate(data, strategy="slim", size=size, seed=0, environments="both")
        assert 0.4 < own_scene(data, subset) < 0.6, size
        assert subset.counts.max() <= 10


def test_where_clusters_mix_the_classes_there_is_nothing_to_say():
    subset = chosen()
    assert subset.report["notes"] == []
    labels = DATA.labels[subset.positions]
    assert all(cell.startswith(f"class {label}, ") for cell, label in zip(subset.cells, labels, strict=True))
    assert [subset.report["clusters"][of] for of in ("surroundings", "attended")] == [12, 12]


@pytest.mark.parametrize("also_wrong", [0.0, 0.02])
def test_what_is_attended_wrongly_in_a_part_of_one_class_does_not_stay_with_it(also_wrong: float):
    """As a colour chart beside harmless moles: whether a few others are wrong too must not decide about it."""
    data = beside_one_class(also_wrong)
    around_alone = chosen(replace(data, answers=UNANSWERED.answers))
    assert charted(data, around_alone) > 0.8
    subset = chosen(data)
    assert charted(data, subset) < 0.05 and subset.counts.sum() == 400
    assert abs(np.subtract(*np.bincount(data.labels[subset.positions], subset.counts))) <= 8
    told = [note for note in subset.report["notes"] if note.startswith("Only images of class 0")]
    assert len(told) == (also_wrong == 0)


def beside_one_class(also_wrong: float, share: float = 0.9, every: int = 2) -> CurationData:
    """A chart in a share of the images of class 0, which is one in ``every``, and in none of class 1; the attention
    is on it, and on the object else, but for a share of the images."""
    rng = np.random.default_rng(0)
    labels = np.minimum(np.arange(N) % every, 1)
    chart = (labels == 0) & (rng.random(N) < share)
    right, scene, directions = ~chart & (rng.random(N) >= also_wrong), rng.integers(2, size=N), np.eye(12)
    around, on = (
        np.asarray(4 * directions[which] + rng.normal(size=(N, 12)) * 0.3, np.float32)
        for which in (scene, np.where(chart, 2, np.where(right, 3 + labels, scene)))
    )
    answers = np.where(DATA.answers >= 0, right, -1).astype(np.int8)
    return replace(
        DATA, labels=labels, answers=answers, attributes=chart.astype(int), views=Views(around, on, on - around)
    )


def charted(data: CurationData, subset: Subset) -> float:
    """The share of class 0 that has the chart."""
    mine = data.labels[subset.positions] == 0
    return float(subset.counts[mine] @ data.attributes[subset.positions[mine]] / subset.counts[mine].sum())


def test_an_environment_does_not_go_with_the_few_images_that_contradict_it():
    """Most images of class 1 in scene 0 attend to a thing of their own, and are a cluster of one class."""
    data, own = rare_ones_that_attend_to_the_same()
    subset = chosen(data)
    assert np.isin(own, subset.positions).mean() > 0.5
    assert 0.4 < shares_of_scenes(data, subset)[0] < 0.6
    assert rarest(subset, data.attributes) > 0.4


def test_what_is_attended_beside_a_rare_class_alone_does_not_stay_with_it():
    """Its images weigh much because the class is rare, not because their surroundings tell another."""
    data = beside_one_class(0.02, share=0.6, every=8)
    assert charted(data, chosen(replace(data, answers=UNANSWERED.answers))) > 0.5
    assert charted(data, chosen(data)) < 0.05


def rare_ones_that_attend_to_the_same() -> tuple[CurationData, np.ndarray]:
    """A scene tells the class in 19 of 20 images. The attention is on the object in half of them and wrong in the
    others: on the scene, or on a thing of their own in the images returned, four in five of class 1 in scene 0."""
    rng = np.random.default_rng(6)
    scene = np.where(np.arange(N) // 2 % 20 == 0, 1 - DATA.labels, DATA.labels)
    rare = np.flatnonzero((DATA.labels == 1) & (scene == 0))
    own = rare[: len(rare) * 4 // 5]
    right = rng.random(N) < 0.5
    right[own] = False
    kinds = np.where(right, 5 + DATA.labels, 3 + scene)
    kinds[own] = 7
    around, on = (
        np.asarray(4 * np.eye(12)[which] + rng.normal(size=(N, 12)) * 0.3, np.float32) for which in (scene, kinds)
    )
    answers = np.where(DATA.answers >= 0, right, -1).astype(np.int8)
    return replace(DATA, answers=answers, attributes=scene, views=Views(around, on, on - around)), own


def shares_of_scenes(data: CurationData, subset: Subset) -> np.ndarray:
    """(2,) how much of the subset lies in each."""
    assert data.attributes is not None
    return np.bincount(data.attributes[subset.positions], subset.counts, 2) / subset.counts.sum()
