"""The strategies: what every one of them owes, and what each is for."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from slim_core.annotation.candidates import kmeans_candidates
from slim_core.annotation.propagation import expand
from slim_core.curation import ANSWERED, NEEDS_ANSWERS, STRATEGIES, CurateOptions, CurationData, Subset, curate
from slim_core.curation.cells import Cell, alone_in_environment, balance, choose
from slim_core.curation.curate import joint_clusters, joint_weights
from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.space.environments import ClusterConfig, Views, environment_clusters
from tests.refusals import missing, refusal


def make(n: int = 400, n_classes: int = 2, agree: float = 0.9, seed: int = 0) -> CurationData:
    """Images whose attribute agrees with their label mostly; where it does, the attention is mostly wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    attributes = np.where(rng.random(n) < agree, labels % 2, 1 - labels % 2)
    environment = rng.uniform(0, 4, size=(2, 16))[attributes] + np.abs(rng.normal(size=(n, 16))) * 0.3
    right = rng.random(n) < np.where(attributes == labels % 2, 0.4, 0.9)
    attention = np.column_stack([right * 4.0, labels * 3.0]) + rng.normal(size=(n, 2)) * 0.5
    clusters = environment_clusters(environment, labels, ClusterConfig(cluster_dims=6))
    answers = np.full(n, -1, np.int8)
    asked = kmeans_candidates(attention, labels, dict.fromkeys(range(n_classes), 10), seed)
    answers[asked] = right[asked]
    return CurationData(
        labels=labels,
        attention_space=attention,
        environment_space=clusters.reduced[:, :2],
        environment=clusters.reduced,
        clusters=clusters,
        scores=expand(attention, labels, answers),
        answers=answers,
        attributes=attributes,
        n_classes=n_classes,
    )


DATA = make()


def with_answers(data: CurationData, answers: np.ndarray) -> CurationData:
    return replace(data, answers=answers, scores=expand(data.attention_space, data.labels, answers))


def groups(data: CurationData, subset: Subset) -> np.ndarray:
    """Images per (label, attribute), repeats counted."""
    index = 2 * data.labels[subset.positions] + data.attributes[subset.positions]
    return np.bincount(index, weights=subset.counts, minlength=2 * data.n_classes).astype(int)


@pytest.mark.parametrize(("strategy", "size"), [*product(STRATEGIES, [2, 37, 120])])
def test_a_subset_has_exactly_the_size_asked_for_and_its_report_adds_up(strategy, size):
    subset = curate(DATA, strategy=strategy, size=size, seed=0)
    report = subset.report
    assert subset.counts.sum() == report["images"] == size
    assert (np.diff(subset.positions) > 0).all(), "distinct, in the order of the images"
    assert len(subset.positions) == len(subset.cells) == report["unique"]
    assert (subset.counts >= 1).all()
    assert report["repeated"] == size - report["unique"]
    assert sum(c["images"] for c in report["cells"]) == size == sum(c["budget"] for c in report["cells"])
    assert sum(c["images"] for c in report["classes"]) == size
    assert all(c["repeated"] == c["images"] - c["unique"] for c in report["cells"])
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("strategy", "cell"),
    [("slim", "bird, environment 0"), ("class-balanced", "bird"), ("oracle", "bird, attribute 0")],
)
def test_a_cell_is_called_by_the_name_of_its_class_where_it_has_one(strategy, cell):
    named = curate(replace(DATA, class_names=("bird", "fish")), strategy=strategy, size=40, seed=0)
    plain = curate(DATA, strategy=strategy, size=40, seed=0)
    assert named.report["cells"][0]["cell"] == cell
    assert plain.report["cells"][0]["cell"] == cell.replace("bird", "class 0")
    assert (named.positions == plain.positions).all()


def test_a_true_group_is_called_by_the_names_of_its_class_and_attribute():
    smallest = np.flatnonzero((DATA.labels == 0) & (DATA.attributes == 1))[1:]  # all but one of them are lake
    attributes = DATA.attributes.copy()
    attributes[smallest] = 0
    named = replace(DATA, attributes=attributes, class_names=("bird", "fish"), attribute_names=("wood", "lake"))
    report = curate(named, strategy="oracle", size=4, seed=0).report
    assert [each["cell"] for each in report["cells"]] == ["bird, wood", "bird, lake", "fish, wood", "fish, lake"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_gives_the_same_subset_and_another_seed_another(strategy):
    first = curate(DATA, strategy=strategy, size=60, seed=5)
    again = curate(DATA, strategy=strategy, size=60, seed=5)
    other = curate(DATA, strategy=strategy, size=60, seed=6)
    np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(first.counts, again.counts)
    assert set(first.positions) != set(other.positions)


@pytest.mark.parametrize("strategy", ANSWERED)
def test_the_subset_does_not_depend_on_the_order_of_the_rows(strategy):
    order = np.random.default_rng(9).permutation(len(DATA.labels))
    arrays = ("labels", "attention_space", "environment_space", "environment", "scores", "answers", "attributes")
    clusters = replace(DATA.clusters, index=DATA.clusters.index[order])
    shuffled = replace(DATA, clusters=clusters, **{name: getattr(DATA, name)[order] for name in arrays})
    straight = curate(DATA, strategy=strategy, size=80, seed=0)
    again = curate(shuffled, strategy=strategy, size=80, seed=0)
    assert set(straight.positions) == set(order[again.positions])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_repeats_a_size_above_what_exists_is_capped_and_said(strategy):
    subset = curate(DATA, strategy=strategy, size=5000, seed=0, repeats=False)
    assert subset.report["images"] == subset.report["unique"] == len(subset.positions) <= 400
    note = subset.report["notes"][-1]
    assert not missing(note, "5,000 images", f"only {len(subset.positions)}", "allow repeats")


def test_to_keep_more_images_is_proposed_where_the_keep_rule_took_some_away():
    strict = {"seed": 0, "size": 5000, "threshold": 0.9, "keep": "threshold", "repeats": False}
    for strategy, proposed in (("slim-reference", True), ("slim", False)):
        note = curate(DATA, strategy=strategy, **strict).report["notes"][-1]
        assert ("keep more images" in note) is proposed, strategy


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_repeats_the_size_is_reached_and_no_image_is_used_more_often_than_allowed(strategy):
    subset = curate(DATA, strategy=strategy, size=900, seed=0, repeats=True, max_repeats=8)
    assert subset.counts.sum() == 900
    assert subset.counts.max() <= 8
    assert subset.report["repeated"] == 900 - len(subset.positions) > 0
    note = curate(DATA, strategy=strategy, size=100_000, seed=0, repeats=True, max_repeats=3).report["notes"][-1]
    assert "used at most 3 times, so raise" in note and "allow repeats" not in note


WITHOUT_RIGHT = pytest.mark.parametrize(
    ("answers", "why", "advice"),
    [
        (np.full(400, -1), "No answer", "annotate the candidates"),
        (np.where(DATA.answers >= 0, 0, -1), "All 20 answers", ""),
    ],
)


@pytest.mark.parametrize("strategy", NEEDS_ANSWERS)
@WITHOUT_RIGHT
def test_what_chooses_among_trusted_images_needs_an_answer_that_says_right(strategy, answers, why, advice):
    with refusal(AnswersRefusedError, advice or why, strategy):
        curate(with_answers(DATA, answers), strategy=strategy, size=50, seed=0)


@WITHOUT_RIGHT
def test_without_an_answer_that_says_right_slim_balances_the_environments_without_trust_and_says_so(
    answers, why, advice
):
    data = with_answers(DATA, answers)
    subset = curate(data, strategy="slim", size=160, seed=0, trust=1.0)
    assert {cell["budget"] for cell in subset.report["cells"]} == {160 // len(subset.report["cells"])}
    assert groups(data, subset).min() >= 30
    (note,) = subset.report["notes"]
    assert not missing(note, why, "without trust")
    assert "keep" not in subset.report
    assert not any("trust" in cell for cell in subset.report["cells"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_answers_that_are_all_right_keep_everything_and_baselines_need_none(strategy):
    value = 1 if strategy in ANSWERED else -1
    report = curate(
        with_answers(DATA, np.where(DATA.answers >= 0, value, -1)), strategy=strategy, size=50, seed=0
    ).report
    assert report["images"] == 50 and report["notes"] == []
    assert strategy not in ANSWERED or report["keep"]["kept"] == 400


@pytest.mark.parametrize("strategy", ANSWERED)
def test_a_class_without_answers_is_still_in_the_subset_and_the_report_says_why(strategy):
    data = with_answers(DATA, np.where(DATA.labels == 1, -1, DATA.answers))
    subset = curate(data, strategy=strategy, size=60, seed=0)
    assert (data.labels[subset.positions] == 1).any()
    kept = [[c["kept"] for c in classes] for classes in (subset.report["classes"], subset.report["keep"]["classes"])]
    assert kept[0] == kept[1] and kept[0][1] == 200
    assert not missing(" ".join(subset.report["notes"]), "about class 1", "all its 200 images")


@pytest.mark.parametrize(
    ("more", "size", "named"),
    [
        # class 2 has none to lack
        ({"attributes": np.arange(400) // 2 % 20, "n_classes": 3}, 10, ("Class 1", "more images")),
        ({"attributes": np.where(DATA.labels == 1, -1, DATA.attributes), "class_names": ("bird", "fish")}, 40,
         ("Class fish", "complete the attribute")),
    ],
)  # fmt: skip
def test_a_class_that_the_oracle_lacks_is_found_by_more_images_or_by_its_attributes(more, size, named):
    note = curate(replace(DATA, **more), strategy="oracle", size=size, seed=0).report["notes"][-1]
    assert not missing(note, *named)


def test_slim_gives_every_class_and_environment_its_share():
    subset = curate(DATA, strategy="slim", size=160, seed=0)
    random = curate(DATA, strategy="random", size=160, seed=0)
    assert groups(DATA, subset).min() >= 30
    assert groups(DATA, random).min() <= 15
    assert [c["images"] for c in subset.report["classes"]] == [80, 80]


def test_slim_shifts_whole_environments_so_that_the_environment_still_does_not_tell_the_class():
    equal = curate(DATA, strategy="slim", size=100, seed=0, trust=0.0).report["cells"]
    shifted = curate(DATA, strategy="slim", size=100, seed=0, trust=1.0).report["cells"]
    assert len({c["budget"] for c in equal}) == 1
    by_environment = {}
    for cell in shifted:
        by_environment.setdefault(cell["environment"], []).append(cell)
    assert all(max(c["budget"] for c in own) - min(c["budget"] for c in own) <= 1 for own in by_environment.values())
    trust = {k: sum(c["trust"] for c in own) for k, own in by_environment.items()}
    assert (
        by_environment[max(trust, key=trust.get)][0]["budget"] > by_environment[min(trust, key=trust.get)][0]["budget"]
    )


def in_one_environment(data: CurationData) -> CurationData:
    """The data in a space that found no second environment."""
    clusters = replace(data.clusters, index=np.zeros(len(data.labels), np.int64), n_per_class=(1,) * data.n_classes)
    return replace(data, clusters=clusters)


SINGLE = "slim space --n-clusters"  # the remedy that a note names


def test_where_the_space_has_a_single_environment_only_the_classes_are_balanced_and_that_is_said():
    reports = {name: curate(in_one_environment(DATA), strategy=name, size=120, seed=0).report for name in STRATEGIES}
    report = reports["slim"]
    assert [name for name, one in reports.items() if SINGLE in " ".join(one["notes"])] == ["slim"], "others use none"
    assert {cell["environment"] for cell in report["cells"]} == {"0"}
    assert [one["images"] for one in report["classes"]] == [60, 60]
    (note,) = report["notes"]
    assert not missing(note, "single environment", SINGLE)


@pytest.mark.parametrize(
    ("classes", "environments", "sizes", "total", "budgets"),
    [
        ([0, 1, 0, 1], [0, 0, 1, 1], [500, 500, 500, 20], 400, [180, 180, 20, 20]),
        ([0, 1, 2], [0, 0, 1], [50, 50, 50], 60, [20, 20, 20]),  # found in one alone, a class is not lost
    ],
)
def test_an_environment_in_which_a_class_is_rare_gets_less_for_every_class(
    classes, environments, sizes, total, budgets
):
    found = balance(np.array(classes), np.array(environments), np.array(sizes), total, np.ones(2))
    assert found.tolist() == budgets


def test_slim_works_on_many_classes_and_on_classes_of_one_image():
    data = make(n=330, n_classes=3)
    assert [c["images"] for c in curate(data, size=90, seed=0).report["classes"]] == [30, 30, 30]
    labels = np.array([0] * 199 + [1] * 200 + [2])
    clusters = environment_clusters(DATA.environment, labels)
    tiny = replace(DATA, labels=labels, clusters=clusters, n_classes=3)
    tiny = with_answers(tiny, tiny.answers)
    subset = curate(tiny, size=60, seed=0)
    assert subset.counts.sum() == 60
    assert subset.counts[subset.positions == 400 - 1].tolist() == [10]


def test_the_reference_clusters_spaces_into_different_numbers_and_loses_no_cell():
    keep = np.arange(400)
    options = CurateOptions(k_attention=2, k_environment=5)
    a, b = joint_clusters(DATA.attention_space[keep], DATA.environment_space[keep], options, seed=0)
    weights = joint_weights(DATA.attention_space[keep], DATA.environment_space[keep], a, b)
    assert weights.shape == (2, 5)
    assert weights.sum() == pytest.approx(1)
    subset = curate(DATA, strategy="slim-reference", size=97, seed=0, k_attention=2, k_environment=5)
    assert (subset.report["k_attention"], subset.report["k_environment"]) == (2, 5)
    assert subset.counts.sum() == 97
    assert sum(c["size"] for c in subset.report["cells"]) == subset.report["keep"]["kept"]


def test_the_weights_of_the_reference_on_a_fixed_input_are_fixed():
    E = np.array([[0.0, 0], [2, 0], [10, 0], [10, 0], [10, 6], [10, 6]])
    Q = np.array([[0.0, 0], [0, 2], [5, 5], [5, 7], [9, 9], [9, 15]])
    a, b = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1, 1])
    # spread in E: 1 and 3; in Q given a=1: 1 (b=0) and 3 (b=1)
    np.testing.assert_allclose(joint_weights(E, Q, a, b), [[0.25, 0], [0.1875, 0.5625]])


def test_the_reference_survives_cells_without_budget():
    subset = curate(DATA, strategy="slim-reference", size=3, seed=0, k_attention=4, k_environment=4)
    assert subset.counts.sum() == 3
    assert any(c["budget"] == 0 for c in subset.report["cells"])


def test_picks_are_distinct_and_stay_in_their_own_cell():
    subset = curate(DATA, strategy="slim-reference", size=150, seed=0, keep="threshold")
    assert (subset.counts == 1).all()
    kept = np.flatnonzero(DATA.scores >= 0.5)
    a, b = joint_clusters(DATA.attention_space[kept], DATA.environment_space[kept], CurateOptions(), seed=0)
    cell_of = {int(p): f"attention {i}, environment {j}" for p, i, j in zip(kept, a, b, strict=True)}
    assert [cell_of[int(p)] for p in subset.positions] == subset.cells.tolist()


def test_a_cell_beside_a_denser_one_is_picked_from_itself():
    points = np.concatenate([np.zeros((50, 2)), [[0.1, 0.0], [0.2, 0.0], [0.3, 0.0]]])
    cell = Cell("thin", 0, np.array([50, 51, 52]), 3, {})
    assert choose(cell, 2, points, seed=0).positions.min() >= 50


def test_the_picks_in_a_fixed_cell_are_fixed_and_spread():
    points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0], [9.1], [9.2]])
    cell = Cell("row", 0, np.arange(9), 9, {})
    assert choose(cell, 3, points, seed=0).positions.tolist() == [2, 3, 6]  # one of each three
    assert choose(cell, 12, points, seed=0).counts.tolist() == [1, 1, 2, 2, 1, 1, 2, 1, 1]


def test_the_oracle_balances_groups_and_repeats_the_small_ones():
    subset = curate(DATA, strategy="oracle", size=200, seed=0)
    assert groups(DATA, subset).tolist() == [50, 50, 50, 50]
    assert subset.report["repeated"] > 0


def test_the_oracle_leaves_out_images_of_unknown_attribute():
    attributes = np.where(np.arange(400) < 100, -1, DATA.attributes)
    subset = curate(replace(DATA, attributes=attributes), strategy="oracle", size=80, seed=0)
    assert subset.positions.min() >= 100
    assert not missing(subset.report["notes"][0], "100 images", "unknown")


@pytest.mark.parametrize("attributes", [None, np.full(400, -1)])
def test_the_oracle_without_attributes_is_refused(attributes):
    with pytest.raises(SpecRefusedError, match="its attribute column"):
        curate(replace(DATA, attributes=attributes), strategy="oracle", size=80, seed=0)


@pytest.mark.parametrize("strategy", ["slim", "slim-reference", "random", "class-balanced"])
def test_only_the_oracle_reads_the_attributes(strategy):
    with_them = curate(DATA, strategy=strategy, size=80, seed=0)
    without = curate(replace(DATA, attributes=None), strategy=strategy, size=80, seed=0)
    np.testing.assert_array_equal(with_them.positions, without.positions)


def test_class_balanced_is_balanced_though_a_class_is_rare():
    labels = (np.arange(400) < 12).astype(int)
    data = with_answers(replace(DATA, labels=labels), DATA.answers)
    subset = curate(data, strategy="class-balanced", size=100, seed=0)
    assert [c["images"] for c in subset.report["classes"]] == [50, 50]
    assert [c["unique"] for c in subset.report["classes"]] == [50, 12]
    assert [(c["size"], c["kept"]) for c in subset.report["classes"]] == [(388, 388), (12, 12)]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"strategy": "magic", "size": 10}, ("'magic'", "slim, slim-reference, random")),
        ({"size": 1}, (1, "at least 2")),
        ({"size": 10, "colour": 3}, ("'colour'", "environments, keep, threshold")),
        ({"size": 10, "trusted_first": True}, ("'trusted_first'",)),
    ],
)
def test_what_curation_cannot_do_is_refused(wrong, named):
    with refusal(SpecRefusedError, *named):
        curate(DATA, seed=0, **wrong)
    with refusal(SpecRefusedError, "scores", 3, 400):
        replace(DATA, scores=np.zeros(3))


def looked_at(right_of: np.ndarray, seed: int = 0) -> CurationData:
    """Images whose surroundings tell the attribute outside the attention where it is right, in the whole where not.

    The other of the two views tells the class. ``right_of``: (2,) share of right attention by class.
    """
    rng = np.random.default_rng(seed)
    data = make(agree=0.9)
    right = rng.random(len(data.labels)) < right_of[data.labels]
    centres = rng.uniform(-4, 4, size=(2, 2, 8))  # of attributes, of classes
    of_attribute, of_class = centres[0][data.attributes], centres[1][data.labels]
    views = np.stack(
        [np.where(right[:, None], of_attribute, of_class), np.where(right[:, None], of_class, of_attribute)]
    )
    views = np.asarray(views + rng.normal(size=views.shape) * 0.3, np.float32)
    return replace(data, views=Views(*views), scores=right.astype(float), answers=right.astype(np.int8))


def rarest(data: CurationData, **options) -> float:
    """The least share that an attribute has in a class of the subset; one half is even."""
    subset = curate(data, strategy="slim", size=200, seed=0, environments="answers", **options)
    found = groups(data, subset).reshape(2, 2)
    return float((found / found.sum(axis=1, keepdims=True)).min())


@pytest.mark.parametrize("right_of", [(0.0, 0.0), (1.0, 1.0), (0.9, 0.1), (0.5, 0.5)])
def test_where_the_attention_is_wrong_the_environment_is_found_in_the_whole_image(right_of):
    data = looked_at(np.array(right_of))
    assert rarest(data) > 0.35
    swapped = replace(data, scores=1 - data.scores, answers=1 - data.answers)
    assert rarest(swapped) < 0.2, "answers that are all incorrect find the classes"


def test_without_answers_the_presumed_score_says_where_the_environment_is():
    for right, presumed in ((1.0, 1.0), (0.0, 0.0)):
        data = looked_at(np.array([right, right]))
        unanswered = replace(data, scores=np.full(400, np.nan), answers=np.full(400, -1, np.int8))
        assert rarest(unanswered, presumed=presumed) > 0.35 > 0.2 > rarest(unanswered, presumed=1 - presumed)
    half = looked_at(np.array([1.0, 0.0]))
    half.scores[half.labels == 0] = np.nan
    assert rarest(half) > 0.35, "presumed of one class alone"


def test_the_environments_of_the_space_stay_where_asked_for():
    data = looked_at(np.array([0.0, 0.0]))
    found = curate(data, size=100, seed=0, environments="answers").report
    assert {cell["cell"].split(", ")[1].split()[0] for cell in found["cells"]} == {"surroundings"}
    of_space = curate(data, size=100, seed=0).report
    assert of_space["cells"] == curate(replace(data, views=None), size=100, seed=0).report["cells"]


def test_a_space_with_a_single_environment_is_said_to_have_one_only_where_its_environments_are_used():
    single = in_one_environment(looked_at(np.array([0.0, 0.0])))
    found = curate(single, size=100, seed=0, environments="answers").report
    assert len({cell["environment"] for cell in found["cells"]}) > 1 and SINGLE not in " ".join(found["notes"])
    instead = curate(replace(single, views=None), size=100, seed=0, environments="answers").report
    assert "attention pass kept" in instead["notes"][0] and SINGLE in " ".join(instead["notes"])


def test_found_environments_are_few_enough_to_hold_images_of_several_classes():
    few = looked_at(np.array([0.0, 0.0]))
    kept = np.arange(60)
    arrays = ("labels", "attention_space", "environment_space", "environment", "scores", "answers", "attributes")
    small = {name: getattr(few, name)[kept] for name in arrays}
    clusters = replace(few.clusters, index=few.clusters.index[kept], reduced=few.clusters.reduced[kept])
    data = replace(few, **small, clusters=clusters, views=Views(few.views.if_right[kept], few.views.if_wrong[kept]))
    report = curate(data, size=30, seed=0, environments="answers").report
    assert len({cell["environment"] for cell in report["cells"]}) == 3  # 60 images, 20 in each
    assert report["clusters"]["n_per_class"] == [3, 3]


def test_a_cell_is_alone_where_no_other_class_is_in_its_environment() -> None:
    cells = [{"environment": "0"}, {"environment": "1"}, {"environment": "0"}]
    assert alone_in_environment(cells) == [False, True, False]
    assert alone_in_environment([{"cell": "all"}]) == [False]
