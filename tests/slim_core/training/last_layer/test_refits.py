"""Each refit of the last layer, on a problem with a known answer: the worst group lost to a shortcut comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from slim_core.data.groups import UNGROUPED
from slim_core.errors import SpecRefusedError
from slim_core.parameters import checked_options
from slim_core.training.last_layer import REFITS, Layer, PooledImages, xrm
from slim_core.training.last_layer.afr import sample_weights
from slim_core.training.last_layer.class_balanced import ClassBalanced
from slim_core.training.last_layer.config import RefitConfig, refit_labels
from slim_core.training.last_layer.dfr import Dfr
from slim_core.training.last_layer.eiil import environments, loss_slopes
from slim_core.training.last_layer.evals import cross_entropies, extremes, sizes_within
from slim_core.training.last_layer.gradient import BalancedSgd
from slim_core.training.last_layer.l2 import fit_probe
from slim_core.training.last_layer.refit import halves, worst_and_average
from slim_core.training.last_layer.selective import divergence
from slim_core.training.last_layer.xrm import mistakes, train_heads
from tests.slim_core.training.last_layer.shortcut import N_CORE, K, given, images, reference, ungrouped, worst_group

WEIGHT = np.where(np.arange(K) < N_CORE, 0.0, 0.1)
SHORTCUT = Layer(np.stack([-WEIGHT, WEIGHT]), np.zeros(2))  # sees the attribute alone


def fitted(name: str, data, **options) -> Layer:
    """The layer by a method, with its own defaults but for ``options``."""
    refit = REFITS[name]
    return refit(checked_options(refit.Options, options, name, "refit_options"), 0).fit(data)


def early(fitted_images: PooledImages) -> Callable[[str], np.ndarray]:
    """Predictions of a model that knows the shortcut and nothing else yet."""
    return lambda run: SHORTCUT.probabilities(fitted_images.features) if run == "r-early" else np.empty(0)


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
        ("class-balanced", 0.5, {"epochs": 30}),
        ("afr", 0.9, {"lr": 0.3, "penalties": "0", "gammas": "4,10", "steps": 300}),
        ("self", 0.9, {"early": "r-early", "lrs": "0.01,0.1", "sizes": [100]}),
        ("evals", 0.9, {"steps": 1000, "ks": "10,20", "c_grid": "1,0.3"}),
        ("l2", 0.5, {}),
        ("jtt", 0.9, {"firsts": "100", "upweights": "5,20", "strengths": "0.1,0.01"}),
        ("xrm", 0.9, {"lr": 0.1, "steps": 500, "trials": 2, "refits": 5, "c_grid": "1,0.3"}),
        ("answered", 0.9, {"campaign": "c-1", "weight": 1.0}),
    ],
)
def test_a_refit_on_images_the_reference_has_not_seen_lifts_its_worst_group(name, agreement, options) -> None:
    held_out = images(800, agreement, 5)
    seen = held_out if REFITS[name].uses_groups() else ungrouped(held_out)
    layer = fitted(name, given(seen, earlier=early(held_out), surroundings=attributes_alone()), **options)
    assert worst_group(layer) > 0.85
    again = fitted(name, given(seen, earlier=early(held_out), surroundings=attributes_alone()), **options)
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
    with pytest.raises(SpecRefusedError, match="predicts all training images correctly .* larger first strengths"):
        fitted("jtt", given(apart), firsts="1,0.1", **how)
    val = ungrouped(images(400, 0.5, 6))
    assert not (fit_probe(some := biased.take(np.arange(20)), 0.001).predict(some.features) != some.labels).any()
    assert (fit_probe(some, 100.0).predict(some.features) != some.labels).any()
    np.testing.assert_array_equal(
        fitted("jtt", given(some, val), firsts="0.001,100", **how).weight,
        fitted("jtt", given(some, val), firsts="100", **how).weight,
    )


def test_class_balance_alone_does_not_help_where_the_shortcut_agrees_with_the_class() -> None:
    """Waterbirds' validation split hides this: half of each class is on either place there."""
    biased = ungrouped(images(800, 0.97, 5))
    assert worst_group(fitted("class-balanced", given(biased), epochs=3)) < 0.5


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
    with pytest.raises(
        SpecRefusedError, match="The group landbird, water has 1 of the 40 .* that hold at least 2 of it"
    ):
        fitted("dfr", given(one))
    unknown = replace(held_out, groups=np.where(held_out.labels == 1, UNGROUPED, held_out.groups))
    with pytest.raises(SpecRefusedError, match="Of class waterbird no image is of a known group among the 40 to "):
        fitted("dfr", given(unknown))
    with pytest.raises(SpecRefusedError, match="uses group labels, but the data has no attribute"):
        fitted("dfr", given(ungrouped(held_out)))


def test_the_new_layer_of_class_balanced_batches_starts_from_zero() -> None:
    held_out = ungrouped(images(200, 0.5, 5))
    data = given(held_out)
    other = replace(data, layer=Layer(data.layer.weight * 7 + 1, data.layer.bias - 3))
    np.testing.assert_array_equal(
        fitted("class-balanced", data, epochs=2).weight, fitted("class-balanced", other, epochs=2).weight
    )
    refit = ClassBalanced({"lr": 0.2, "epochs": 10, "batch_size": 8}, 0)
    assert refit._lr_at(0) == pytest.approx(0.2) and refit._lr_at(5) == pytest.approx(0.1)


def test_batches_draw_every_class_equally_often() -> None:
    """One class in ten: at zero weights the first step moves the bias by the class shares of the batch: hardly."""
    labels = (np.arange(1000) % 10 == 0).astype(np.int64)
    none = PooledImages(np.zeros((1000, 3), np.float32), labels)
    zero = Layer(np.zeros((2, 3)), np.zeros(2))
    assert np.abs(BalancedSgd(zero, none, 20_000, 0).steps([1.0]).bias).max() < 0.02
    counted = replace(none, counts=np.where(np.arange(1000) < 500, 1, 3))
    assert np.abs(BalancedSgd(zero, counted, 20_000, 0).steps([1.0]).bias).max() < 0.02


def test_afr_weighs_by_the_probability_of_the_label_and_by_class_size() -> None:
    probabilities = np.array([0.9, 0.5, 0.9])
    layer = Layer(np.array([[0.0], [1.0]]), np.zeros(2))
    logits = np.log(probabilities / (1 - probabilities))
    labels = np.array([1, 1, 0])
    found = sample_weights(layer, PooledImages(np.where(labels == 1, logits, -logits)[:, None], labels), 4.0)
    expected = np.exp(-4.0 * probabilities) / np.array([2, 2, 1])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)
    assert found.sum() == pytest.approx(1)


def test_afr_has_weights_at_the_largest_gamma_that_may_be_given_whatever_the_layer_is_sure_of() -> None:
    sure = Layer(np.array([[-1e3], [1e3]]), np.zeros(2))
    found = sample_weights(sure, PooledImages(np.array([[1.0], [1.0], [-1.0]]), np.array([1, 1, 0])), 500.0)
    np.testing.assert_allclose(found, [0.25, 0.25, 0.5])


def test_afr_with_a_large_penalty_stays_where_it_was() -> None:
    data = given(ungrouped(images(200, 0.9, 5)))
    near = fitted("afr", data, penalties=[50.0], gammas=[4.0], steps=300)
    assert 0 < np.abs(near.weight - data.layer.weight).max() < 0.02
    assert worst_group(near) < 0.3


def test_afr_keeps_the_step_at_which_the_images_that_choose_are_right() -> None:
    """What it fits is labelled the other way round, so that each further step makes them wrong."""
    held_out = ungrouped(images(200, 0.5, 5))
    right = fit_probe(held_out, 0.1)
    data = replace(given(replace(held_out, labels=1 - held_out.labels), val=held_out), layer=right)
    options = {"penalties": [0.0], "gammas": [4.0], "lr": 0.005}
    kept = fitted("afr", data, **options, steps=200)
    assert worst_group(kept) > 0.9
    np.testing.assert_array_equal(kept.weight, fitted("afr", data, **options, steps=10).weight)


def test_divergence_is_zero_between_equal_predictions_and_known_otherwise() -> None:
    early_model, final = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.5, 0.5], [0.1, 0.9]])
    np.testing.assert_allclose(divergence(early_model, final), [0, 0.8 * np.log(9)], atol=1e-9)


def test_self_leaves_out_sizes_that_lack_a_class_and_refuses_where_all_do() -> None:
    held_out = ungrouped(images(60, 0.9, 5))
    data = given(held_out)
    final = data.layer.probabilities(held_out.features)

    def disagrees_about_class_0(_run: str) -> np.ndarray:
        return np.where((held_out.labels == 0)[:, None], final[:, ::-1], final)

    with pytest.raises(
        SpecRefusedError, match="The 5 images over which the early model disagrees most hold not every class"
    ):
        fitted("self", replace(data, earlier=disagrees_about_class_0), early="r", sizes=[3, 5])
    assert fitted("self", replace(data, earlier=disagrees_about_class_0), early="r", sizes=[5, 60]).weight.shape == (
        2,
        K,
    )


def test_the_slope_of_the_loss_is_its_derivative_along_the_scale() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 2, (20, 3)), random.integers(0, 3, 20)

    def losses(scale: float) -> np.ndarray:
        z = scale * logits
        return np.log(np.exp(z).sum(1)) - z[np.arange(20), labels]

    np.testing.assert_allclose(
        loss_slopes(logits, labels), (losses(1 + 1e-5) - losses(1 - 1e-5)) / 2e-5, rtol=1e-4, atol=1e-6
    )


def test_eiil_separates_the_images_on_which_the_shortcut_misleads() -> None:
    held_out = images(600, 0.8, 5)
    found = environments(SHORTCUT.logits(held_out.features), held_out.labels, 0, steps=1000)
    assert held_out.groups is not None
    misled = np.isin(held_out.groups, (1, 2)).astype(int)
    agreement = (found == misled).mean()
    assert max(agreement, 1 - agreement) > 0.95


@pytest.mark.slow
def test_environments_of_which_one_is_empty_are_refused() -> None:
    """A layer that is right about every image gives EIIL and XRM nothing to tell apart."""
    agreeing = images(200, 1.0, 5)
    with pytest.raises(SpecRefusedError, match="EIIL puts all 100 images into one environment"):
        fitted("evals", given(ungrouped(agreeing)), steps=1000)
    with pytest.raises(SpecRefusedError, match="XRM puts all 200 images into one environment: fit on more images"):
        fitted("xrm", given(ungrouped(agreeing)), lr=0.1, steps=200, trials=1)


def test_evals_takes_the_extreme_losses_of_each_class() -> None:
    losses, labels = np.array([5.0, 1, 3, 2, 4, 9, 7, 8]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert extremes(losses, labels, 1).tolist() == [0, 1, 4, 5]
    assert sizes_within(labels, (1, 2, 10), 2) == [1, 2]
    with pytest.raises(SpecRefusedError, match="a class has 1 of the 3 images to fit"):
        sizes_within(np.array([0, 0, 1]), (1,), 2)
    layer = Layer(np.array([[0.0], [1.0]]), np.zeros(2))
    np.testing.assert_allclose(cross_entropies(layer, PooledImages(np.array([[0.0]]), np.array([1]))), [np.log(2)])


def test_evals_with_group_labels_chooses_by_them_and_infers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_more: object) -> None:
        raise AssertionError("environments were inferred")

    monkeypatch.setattr("slim_core.training.last_layer.evals.environments", refuse)
    layer = fitted("evals", given(ungrouped(images(400, 0.9, 5)), images(400, 0.9, 6)), ks=[20])
    assert worst_group(layer) > 0.85


@pytest.mark.slow
def test_xrm_puts_the_misled_images_into_one_environment() -> None:
    held_out = images(600, 0.9, 5)
    X = (held_out.features / held_out.features.std(0)).astype(np.float64)
    heads, flipped = train_heads(X, held_out.labels, 2, 0.1, 500, [0, 0])
    assert held_out.groups is not None
    misled = np.isin(held_out.groups, (1, 2))
    found = mistakes(heads, X, held_out.labels).astype(bool)
    assert found[misled].mean() > 0.9 and found[~misled].mean() < 0.05
    assert 0.05 < flipped < 0.15, "the labels of the misled images are flipped, and no others"


def test_xrm_flips_labels_by_the_head_that_has_not_fitted_the_image() -> None:
    """Of noise each head learns its own half by heart, and can only guess at the other."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(60, 400)), rng.integers(0, 2, 60)
    _, flipped = train_heads(X, labels, 2, 0.1, 200, [0, 0])
    assert flipped > 0.2


def test_xrm_keeps_the_trial_that_flips_most(monkeypatch) -> None:
    """Of the others one head is wrong about each image, so that all are in one environment, which is refused."""
    opposite = Layer(-SHORTCUT.weight, SHORTCUT.bias)
    trials = iter([((SHORTCUT, opposite), 0.1), ((SHORTCUT, SHORTCUT), 0.3), ((SHORTCUT, opposite), 0.2)])
    monkeypatch.setattr(xrm, "train_heads", lambda *_: next(trials))
    fitted("xrm", given(ungrouped(images(200, 0.9, 5))), trials=3, refits=1, c_grid=[1.0])


def test_a_refit_ends_when_it_is_asked_to_stop() -> None:
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    held_out = images(80, 0.6, 5)
    for name, refit in REFITS.items():
        seen = held_out if refit.uses_groups() else ungrouped(held_out)
        options = {"self": {"early": "r-early"}, "answered": {"campaign": "c-1"}}.get(name, {})
        data = given(seen, earlier=early(held_out), surroundings=attributes_alone(), check_stop=stop)
        with pytest.raises(StoppedError):
            fitted(name, data, **options)


def test_a_class_without_images_is_refused_by_name() -> None:
    one_class = images(40, 0.5, 5).take(np.arange(40) % 2 == 0)
    with pytest.raises(SpecRefusedError, match="cannot be fitted without images of class waterbird"):
        fitted("l1", given(ungrouped(one_class)))


def test_images_of_unknown_group_are_no_group_that_may_be_the_worst() -> None:
    images = PooledImages(np.zeros((3, 1)), np.array([0, 0, 1]), groups=np.array([0, UNGROUPED, 1]))
    assert worst_and_average(np.array([0, 1, 1]), images) == (1.0, pytest.approx(2 / 3))


def test_halves_share_no_image_and_hold_half_of_every_cell() -> None:
    cells = np.array([0] * 10 + [1] * 5 + [2])
    to_fit, to_choose = halves(cells, 0)
    assert np.bincount(cells[to_fit]).tolist() == [5, 3, 1] and np.bincount(cells[to_choose]).tolist() == [5, 2, 1]
    assert set(to_fit) & set(to_choose) == {15}, "alone in its cell"


def labels_of() -> Iterator[tuple[str, str, str, set[str]]]:
    for name in REFITS:
        used = {"dfr": "groups in validation", "answered": "answers"}.get(name, "none")
        yield name, "val", "worst_class", {used}
    yield "answered", "train", "worst_group", {"answers", "groups in validation"}
    yield "dfr", "held-out", "worst_class", {"groups in validation", "groups in training"}
    yield "afr", "held-out", "worst_group", {"none", "groups in validation"}
    yield "no longer known", "val", "worst_class", set()


@pytest.mark.parametrize(("name", "fitted_on", "selection", "used"), [*labels_of()])
def test_each_refit_says_which_labels_it_uses(name, fitted_on, selection, used) -> None:
    assert refit_labels(name, fitted_on, selection) == used


def test_options_are_checked_and_lists_may_be_typed_with_commas() -> None:
    config = RefitConfig(refit="afr", refit_options={"gammas": "4, 10", "lr": "0.02"})
    assert config.refit_options["gammas"] == [4.0, 10.0] and config.refit_options["steps"] == 500
    assert RefitConfig(refit="afr", refit_options={"gammas": "[4.0, 10.0]"}).refit_options["gammas"] == [4.0, 10.0]
    with pytest.raises(ValueError, match="The refit dfr has no option 'eta': take c_grid, refits"):
        RefitConfig(refit="dfr", refit_options={"eta": 1})
    with pytest.raises(ValueError, match="The refit l1 has no option 'C': leave refit_options empty"):
        RefitConfig(refit_options={"C": 1})
    with pytest.raises(ValueError, match="The refit self needs the option early"):
        RefitConfig(refit="self")
    with pytest.raises(ValueError, match="The refit dfr refuses c_grid.1 = '0': give numbers above 0"):
        RefitConfig(refit="dfr", refit_options={"c_grid": "1,0"})
    with pytest.raises(ValueError, match="The refit afr refuses gammas"):
        RefitConfig(refit="afr", refit_options={"gammas": ""})
    with pytest.raises(ValueError, match="The refit afr refuses gammas.1 = '501': give numbers up to"):
        RefitConfig(refit="afr", refit_options={"gammas": "500,501"})
    with pytest.raises(ValueError, match="choose one of l1, l2, dfr"):
        RefitConfig(refit="l3")


def test_dfr_is_the_mean_of_its_refits() -> None:
    held_out = images(200, 0.9, 5)
    one, many = (Dfr({"c_grid": (1.0,), "refits": n}, 0).fit(given(held_out)) for n in (1, 20))
    assert not np.array_equal(one.weight, many.weight)
