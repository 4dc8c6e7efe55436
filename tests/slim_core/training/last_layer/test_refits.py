"""Each refit of the last layer, on a problem with a known answer: the worst group lost to a shortcut comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slim_core.data.groups import UNGROUPED
from slim_core.errors import SpecRefusedError
from slim_core.parameters import checked_options
from slim_core.training.last_layer import (
    REFITS,
    Dfr,
    Layer,
    PooledImages,
    RefitConfig,
    fit_probe,
    halves,
    refit_labels,
    worst_and_average,
)
from tests.slim_core.training.last_layer.shortcut import N_CORE, K, given, images, reference, ungrouped, worst_group


def fitted(name: str, data, **options) -> Layer:
    """The layer by a method, with its own defaults but for ``options``."""
    refit = REFITS[name]
    return refit(checked_options(refit.Options, options, name, "refit_options"), 0).fit(data)


def attributes_alone() -> np.ndarray:
    """(2, K) what people call no part of the class: the attribute, either way."""
    return np.where(np.arange(K) < N_CORE, 0.0, np.array([[1.0], [-1.0]]))


def test_the_reference_loses_the_groups_in_which_the_shortcut_misleads() -> None:
    assert worst_group(reference()) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "agreement", "options"),
    [
        ("l1", 0.5, {}),
        ("dfr", 0.9, {"refits": 5, "c_grid": "1,0.3"}),
        ("l2", 0.5, {}),
        ("jtt", 0.9, {"firsts": "100", "upweights": "5,20", "strengths": "0.1,0.01"}),
        ("answered", 0.9, {"campaign": "c-1", "weight": 1.0}),
    ],
)
def test_a_refit_on_images_the_reference_has_not_seen_lifts_its_worst_group(name, agreement, options) -> None:
    held_out = images(800, agreement, 5)
    seen = held_out if REFITS[name].uses_groups() else ungrouped(held_out)
    layer = fitted(name, given(seen, surroundings=attributes_alone()), **options)
    assert worst_group(layer) > 0.85
    again = fitted(name, given(seen, surroundings=attributes_alone()), **options)
    np.testing.assert_array_equal(layer.weight, again.weight)


def test_a_probe_is_the_minimum_of_the_penalised_loss_over_images_as_often_as_they_count() -> None:
    """Its gradient is zero there; an image that counts twice is that image given twice."""
    some = ungrouped(images(60, 0.8, 3))
    counts = np.where(np.arange(60) < 20, 2, 1)
    layer = fit_probe(replace(some, counts=counts), 0.1)
    mean, std = some.features.mean(0), some.features.std(0)
    X, weight = (some.features - mean) / std, layer.weight[1] - layer.weight[0]
    missing = some.labels - layer.probabilities(some.features)[:, 1]
    gradient = -(counts * missing) @ X / counts.sum() + 0.1 * weight * std
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    twice = some.take(np.concatenate([np.arange(60), np.arange(20)]))
    apart = fit_probe(replace(twice, features=(twice.features - mean) / std), 0.1)
    np.testing.assert_allclose(apart.probabilities(X), layer.probabilities(some.features), atol=0.05)


def test_just_train_twice_repeats_the_errors_of_a_probe_that_follows_the_shortcut() -> None:
    biased = ungrouped(images(800, 0.95, 5))
    once = fit_probe(biased, 10.0)
    assert worst_group(once) < 0.3
    twice = fitted("jtt", given(biased, ungrouped(images(400, 0.5, 6))), firsts="10", upweights="20", strengths="0.1")
    assert worst_group(twice) > worst_group(once) + 0.3


def test_just_train_twice_goes_without_first_probes_that_make_no_error_and_is_refused_where_none_does() -> None:
    biased = ungrouped(images(800, 0.95, 5))
    how = {"upweights": "20", "strengths": "0.1"}
    apart = replace(biased, features=biased.features + 9 * (2 * biased.labels - 1)[:, None])
    with pytest.raises(SpecRefusedError, match="training images correctly .* larger first strengths"):
        fitted("jtt", given(apart), firsts="1,0.1", **how)
    val = ungrouped(images(400, 0.5, 6))
    assert not (fit_probe(some := biased.take(np.arange(20)), 0.001).predict(some.features) != some.labels).any()
    assert (fit_probe(some, 100.0).predict(some.features) != some.labels).any()
    np.testing.assert_array_equal(
        fitted("jtt", given(some, val), firsts="0.001,100", **how).weight,
        fitted("jtt", given(some, val), firsts="100", **how).weight,
    )


def test_dfr_cuts_groups_and_leaves_out_images_of_unknown_group() -> None:
    held_out = images(400, 0.9, 5)
    assert held_out.groups is not None
    unknown = replace(held_out, groups=np.where(np.arange(400) < 100, UNGROUPED, held_out.groups))
    spoiled = replace(unknown, labels=np.where(np.arange(400) < 100, 1 - unknown.labels, unknown.labels))
    assert worst_group(fitted("dfr", given(spoiled))) > 0.85
    np.testing.assert_array_equal(
        fitted("dfr", given(spoiled)).weight, fitted("dfr", given(spoiled.take(np.arange(100, 400)))).weight
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_a_class_of_whose_images_no_group_is_known_is_in_both_halves(name, seed) -> None:
    """They are halved by their class: else, with those of the other class, all of them may fall into one half."""
    every = images(60, 0.8, 3)
    assert every.groups is not None
    few = every.take(np.sort(np.concatenate([np.arange(0, 60, 2), [1, 3, 5]])))
    few = replace(few, groups=np.where((few.labels == 1) | (np.arange(33) < 12), UNGROUPED, few.groups))
    to_fit, to_choose = given(few).parts(seed)
    assert set(few.labels[to_fit]) == set(to_choose.labels) == {0, 1}
    assert REFITS[name](checked_options(REFITS[name].Options, {}, name, "o"), seed).fit(given(few)).weight.shape[0] == 2


def test_a_group_without_an_image_does_not_keep_dfr_from_balancing_the_others() -> None:
    """Of landbirds none is on water; of waterbirds nine in ten are, so that the shortcut still misleads."""
    every = images(800, 0.9, 5)
    assert every.groups is not None
    some = every.take(every.groups != 1)
    layer = fitted("dfr", given(some), refits=5, c_grid="1,0.3")
    test = images(4000, 0.5, 99)
    assert test.groups is not None
    right = layer.predict(test.features) == test.labels
    plain = fitted("l1", given(ungrouped(some))).predict(test.features) == test.labels
    assert right[test.groups == 2].mean() > plain[test.groups == 2].mean()
    assert min(right[test.groups == group].mean() for group in (0, 2, 3)) > 0.85


def test_groups_that_cannot_be_cut_are_refused_by_name() -> None:
    held_out = images(40, 1.0, 5)
    assert held_out.groups is not None
    one = replace(held_out, groups=np.where(np.arange(40) == 0, 1, np.where(np.arange(40) < 4, 2, held_out.groups)))
    with pytest.raises(SpecRefusedError, match="The group landbird, water has 1 of"):
        fitted("dfr", given(one))
    unknown = replace(held_out, groups=np.where(held_out.labels == 1, UNGROUPED, held_out.groups))
    with pytest.raises(SpecRefusedError, match="group among the 40 to"):
        fitted("dfr", given(unknown))
    with pytest.raises(SpecRefusedError, match="uses group labels"):
        fitted("dfr", given(ungrouped(held_out)))


def test_a_refit_ends_when_it_is_asked_to_stop() -> None:
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    held_out = images(80, 0.6, 5)
    for name, refit in REFITS.items():
        seen = held_out if refit.uses_groups() else ungrouped(held_out)
        options = {"campaign": "c-1"} if name == "answered" else {}
        data = given(seen, surroundings=attributes_alone(), check_stop=stop)
        with pytest.raises(StoppedError):
            fitted(name, data, **options)


def test_a_class_without_images_is_refused_by_name() -> None:
    one_class = images(40, 0.5, 5).take(np.arange(40) % 2 == 0)
    with pytest.raises(SpecRefusedError, match="images of class waterbird"):
        fitted("l1", given(ungrouped(one_class)))


def test_images_of_unknown_group_are_no_group_that_may_be_the_worst() -> None:
    images = PooledImages(np.zeros((3, 1)), np.array([0, 0, 1]), groups=np.array([0, UNGROUPED, 1]))
    assert worst_and_average(np.array([0, 1, 1]), images) == (1.0, pytest.approx(2 / 3))


def test_halves_share_no_image_and_hold_half_of_every_cell() -> None:
    cells = np.array([0] * 10 + [1] * 5 + [2])
    to_fit, to_choose = halves(cells, 0)
    assert np.bincount(cells[to_fit]).tolist() == [5, 3, 1] and np.bincount(cells[to_choose]).tolist() == [5, 2, 1]
    assert set(to_fit) & set(to_choose) == {15}, "alone in its cell"


def test_dfr_is_the_mean_of_its_refits() -> None:
    held_out = images(200, 0.9, 5)
    one, many = (Dfr({"c_grid": (1.0,), "refits": n}, 0).fit(given(held_out)) for n in (1, 20))
    assert not np.array_equal(one.weight, many.weight)


def test_a_refit_that_is_not_known_any_more_uses_what_its_selection_does() -> None:
    assert refit_labels("no longer known", "worst_class") == set()


def test_options_are_checked_and_lists_may_be_typed_with_commas() -> None:
    config = RefitConfig(refit="jtt", refit_options={"strengths": "4, 10", "upweights": "[5]"})
    assert config.refit_options["strengths"] == [4.0, 10.0] and config.refit_options["upweights"] == [5]
    with pytest.raises(ValueError, match="The refit dfr has no option 'eta': take c_grid, refits"):
        RefitConfig(refit="dfr", refit_options={"eta": 1})
    with pytest.raises(ValueError, match="The refit l1 has no option 'C': leave refit_options empty"):
        RefitConfig(refit_options={"C": 1})
    with pytest.raises(ValueError, match="The refit dfr refuses c_grid.1 = '0': give numbers above 0"):
        RefitConfig(refit="dfr", refit_options={"c_grid": "1,0"})
    with pytest.raises(ValueError, match="The refit jtt refuses strengths"):
        RefitConfig(refit="jtt", refit_options={"strengths": ""})
    with pytest.raises(ValueError, match="choose one of l1, l2, dfr"):
        RefitConfig(refit="l3")


@pytest.mark.parametrize("name", ["afr", "evals"])
def test_a_refit_that_is_gone_is_refused_with_what_serves_instead(name: str) -> None:
    with pytest.raises(ValueError, match="Take jtt"):
        RefitConfig(refit=name)


def test_balanced_classes_weigh_the_same_in_a_probe() -> None:
    """As if the images of each class were given as often as makes them equally many."""
    every = ungrouped(images(60, 0.8, 3))
    some = every.take(
        np.sort(np.concatenate([np.flatnonzero(every.labels == 0), np.flatnonzero(every.labels == 1)[:10]]))
    )
    n = np.bincount(some.labels)
    alike = replace(some, counts=np.where(some.labels == 0, n[1], n[0]))
    val = ungrouped(images(100, 0.5, 6))
    balanced = fitted("l2", given(some, val), strengths="0.1", class_balanced=True)
    np.testing.assert_allclose(balanced.weight, fit_probe(alike, 0.1).weight, atol=0.02)
    assert not np.allclose(balanced.weight, fitted("l2", given(some, val), strengths="0.1").weight, atol=0.02)
