"""What is offered to try next follows from the runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app import session
from app.overview import tries as tries_module
from app.overview.tries import (
    MOST,
    Way,
    _all,
    _balanced_twice,
    _environments,
    _same_way,
    beside_random,
    still_falls,
    tries,
)
from app.services import queueing
from app.services.loop_state import read
from slim_core import api
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.trainings import retrain_spec
from slim_core.steps.specs import parse_spec
from tests.app.conftest import Show, finish

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.usefixtures("filled_home")

OWNER, OTHER = "olga@lab.org", "lea@lab.org"


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], True),
        ([1.0, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], False),
        ([1.0, 0.5], False),  # too few to say
        ([], False),
    ],
)
def test_the_loss_still_falls_where_its_last_fifth_is_lower_than_the_one_before(losses, falls: bool) -> None:
    assert (still_falls(losses) is not None) is falls


def retrained():
    """The store, and in it the data set, what its loop has come to, and the subset of that."""
    store = session.store()
    (dataset,) = store.datasets.all()
    result = read(store, dataset.id).result
    return store, dataset, result, store.runs.fetch(result.subset.id)


def test_the_tries_name_their_reason_in_the_numbers_of_the_run() -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    result = read(store, dataset.id).result
    found = {one.name: one for one in tries(result)}
    metrics = store.runs.fetch(result.subset.id).metrics
    assert 1 <= len(found) <= MOST and "start" in found
    assert ("size" in found) == (metrics["images"] > metrics["images_unique"])
    if "size" in found:
        assert f"{metrics['images'] - metrics['images_unique']:,} of the {metrics['images']:,}" in found["size"].why
    assert found["start"].label.endswith("initial weights")


def test_more_images_are_no_try_where_fewer_could_be_given_than_were_asked_for() -> None:
    _, _, result, subset = retrained()
    given = subset.metrics | {"images": 40, "images_unique": 38}

    def offered(size: int) -> set[str]:
        asked = replace(subset, spec=subset.spec | {"size": size}, metrics=given)
        return {one.name for one in _all(result.model, asked)}

    assert "size" in offered(40) and "size" not in offered(41)


def test_more_epochs_are_no_try_where_patience_or_an_earlier_epoch_has_spoken_against_them() -> None:
    store, _, result, subset = retrained()
    history = [{"epoch": epoch, "train_loss": 1 / epoch} for epoch in range(1, 11)]
    (store.artifacts.folder(result.model.id) / "history.json").write_text(json.dumps(history))

    def offered(best_epoch: int, **spec: int) -> set[str]:
        model = replace(result.model, spec=result.model.spec | spec, metrics={"best_epoch": best_epoch})
        return {one.name for one in _all(model, subset)}

    assert "epochs" in offered(9, epochs=10)
    assert "epochs" not in offered(8, epochs=10), "it still learns by heart"
    assert "epochs" not in offered(10, epochs=100, patience=5)


@pytest.mark.slow
def test_a_last_layer_that_was_refitted_is_shown_as_one_and_not_offered_more_epochs(show: Show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    subset = store.runs.fetch(read(store, dataset.id).result.subset.id)
    spec = retrain_spec(store.lineage.reference_of(subset), subset, "last-layer", 0)
    at = Workbench(store, InProcess(store, device="cpu"))
    model = at.run(spec, name="Its last layer")
    found = {one.name: one for one in _all(model, subset)}
    assert "epochs" not in found and found["start"].label.endswith("reference model")
    api.evaluate(model.id, at=at)
    assert read(store, dataset.id).result.model.id == model.id
    assert not show("overview").error
    said = " ".join(one.value for one in show("train", run=model.id).caption)
    assert "by l1, fitted in" in said and "best epoch" not in said


@pytest.mark.usefixtures("waiting_queue")
def test_a_last_layer_is_offered_classes_that_are_balanced_twice_and_a_whole_network_is_not() -> None:
    store, dataset, result, subset = retrained()
    assert subset.spec["strategy"] == "slim" and subset.spec["campaign"]
    assert list(_balanced_twice(subset, Way("reference", 0))) == []
    (offered,) = _balanced_twice(subset, Way("last-layer", 0))
    curate, train, _ = offered.act().runs
    assert curate.spec["options"]["environments"] == "both" and curate.spec["campaign"] == subset.spec["campaign"]
    assert curate.spec["size"] == len(store.datasets.table(dataset.id).rows("train")) // 2
    assert train.spec["mode"] == "last-layer" and train.spec["subset"] == curate.id
    assert list(_balanced_twice(curate, Way("last-layer", 0))) == [], "it is what was offered"


@pytest.mark.usefixtures("waiting_queue")
def test_every_try_queues_all_its_steps_as_one_pipeline_and_a_second_press_none() -> None:
    store, dataset, result, subset = retrained()
    acts = [(one.name, one.act) for one in _all(result.model, subset) if one.act is not None]
    for name, act in [*acts, ("random", lambda: beside_random(result))]:
        pipeline, again = act(), act()
        assert again == pipeline == store.pipelines.all(dataset.id)[0], name
        kinds = [run.kind for run in pipeline.runs]
        of_try = {"environments": ["space", "curate"], "size": ["curate"], "random": ["curate"]}
        assert kinds == [*of_try.get(name, []), "train", "evaluate"], name
        train, evaluate = pipeline.runs[-2:]
        assert evaluate.spec["model"] == train.id and train.spec["seed"] == result.model.spec["seed"]


@pytest.mark.usefixtures("waiting_queue")
def test_a_try_is_not_offered_once_its_model_is_there() -> None:
    _, _, result, subset = retrained()

    def offered() -> set[str]:
        return {one.name for one in tries(result)}

    acts = {one.name: one.act for one in _all(result.model, subset) if one.act is not None}
    assert acts.keys() >= {"start", "environments"}
    for name, act in acts.items():
        *above, train, _ = act().runs
        for run in above:
            finish(run.id, {})
        assert name in offered(), "it is under way"
        finish(train.id, {})
        assert name not in offered()


@pytest.mark.usefixtures("waiting_queue")
def test_where_nothing_is_left_to_try_no_menu_stands_over_nothing(show: Show, monkeypatch) -> None:
    assert has_menu(show("overview"))
    monkeypatch.setattr(tries_module, "tries", lambda _result: [])
    monkeypatch.setattr(tries_module, "_controls", lambda *_: [])
    assert not has_menu(show("overview"))


def has_menu(app: AppTest) -> bool:
    return any("other-steps" in block.proto.id for block in app.get("popover"))


@pytest.mark.usefixtures("waiting_queue")
def test_a_try_is_retrained_from_the_model_and_by_the_hyper_parameters_that_the_result_was() -> None:
    store, dataset, result, subset = retrained()
    converged, _ = store.runs.submit(parse_spec({**result.reference.spec, "epochs": 9}))
    by_hand = {"reference": converged.id, "lr": 0.003, "batch_size": 8, "schedule": "cosine", "optimizer": "adamw"}
    model = replace(result.model, spec=result.model.spec | by_hand)
    acts = {one.name: one.act for one in _all(model, subset) if one.act and one.name != "start"}
    acts["random"] = lambda: beside_random(replace(result, model=model))
    assert {"size", "environments", "random"} & acts.keys() > {"random"}
    for name, act in acts.items():
        train = act().runs[-2]
        assert {key: train.spec[key] for key in by_hand} == by_hand, name
    fitted = model.spec | {"mode": "last-layer", "refit": "l2"}
    same = _same_way(replace(model, spec=fitted))
    assert same == {"reference": converged.id, "refit": "l2", "refit_options": {}, "selection": model.spec["selection"]}


@pytest.mark.usefixtures("waiting_queue")
def test_just_train_twice_is_queued_with_each_of_its_settings_and_evaluated_as_the_result_is() -> None:
    store, dataset, result, _ = retrained()
    pipeline = queueing.to_unasked(result)
    assert queueing.to_unasked(result) == pipeline, "a second press queues none"
    trained = [run for run in pipeline.runs if run.kind == "train"]
    firsts = [run for run in trained if run.spec["objective"] == "erm"]
    seconds = [run for run in trained if run.spec["objective"] == "jtt"]
    asked = {(store.runs.fetch(run.spec["objective_options"]["errors_of"]).spec["epochs"]) for run in seconds}
    assert asked == {run.spec["epochs"] for run in firsts} and len(firsts) == len(seconds) == 2
    assert {run.spec["seed"] for run in trained} == {result.model.spec["seed"]}
    evaluations = [run for run in pipeline.runs if run.kind == "evaluate"]
    assert {run.spec["model"] for run in evaluations} == {run.id for run in seconds}
    assert {run.spec["split"] for run in evaluations} == {result.after.spec["split"]}
    assert {run.name for run in evaluations} == {f"{run.name} on test" for run in seconds}
    assert all(queueing.is_unasked(run, None, result) for run in seconds)
    for run, worst_class in zip([*firsts, *seconds], (0.0, 0.0, 0.7, 0.6), strict=True):  # as workers would
        finish(run.id, {"val": {"worst_class": worst_class}})
    assert queueing.chosen_unasked(evaluations).spec["model"] == seconds[0].id


@pytest.mark.usefixtures("waiting_queue")
def test_beside_a_last_layer_a_subset_without_answers_is_queued_as_large_and_of_the_same_space() -> None:
    store, dataset, result, subset = retrained()
    of_images = {name: result.reference.spec[name] for name in ("dataset", "model", "weights")}
    probe = replace(result, reference=replace(result.reference, spec=of_images | {"mode": "last-layer"}))
    curate, by_l1, evaluate = queueing.to_unasked(probe).runs
    assert (curate.spec["size"], curate.spec["space"]) == (subset.spec["size"], subset.spec["space"])
    assert curate.spec["campaign"] is None and queueing.ALL_WRONG.items() <= curate.spec["options"].items()
    assert (by_l1.spec["subset"], by_l1.spec["mode"], evaluate.spec["model"]) == (curate.id, "last-layer", by_l1.id)
    assert queueing.is_unasked(by_l1, curate, probe) and not queueing.is_unasked(by_l1, subset, probe)
    by_l2 = result.model.spec | {"mode": "last-layer", "refit": "l2"}
    fitted = queueing.to_unasked(replace(probe, model=replace(result.model, spec=by_l2))).runs[1]
    assert fitted.spec["refit"] == "l2" and fitted.spec["subset"] == curate.id
    options = {"campaign": subset.spec["campaign"], "answers_seq": 1, "weight": 0.01, "strengths": [1.0, 0.1]}
    plain = {"strengths": [1.0, 0.1], "class_balanced": False}
    with_answers = by_l2 | {"refit": "answered", "refit_options": options}
    answered = replace(result, model=replace(result.model, spec=with_answers))
    for queue in (queueing.to_unasked, beside_random):
        train = queue(replace(answered, reference=probe.reference)).runs[1]
        assert (train.spec["refit"], train.spec["refit_options"]) == ("l2", plain), "it needs none"
    beside = replace(probe, model=fitted)
    assert queueing.is_unasked(fitted, curate, beside) and not queueing.is_unasked(by_l1, curate, beside)


def test_more_environments_are_offered_only_where_those_of_the_space_are_balanced() -> None:
    subset = retrained()[-1]

    def offered(**options: str) -> list[str]:
        asked = replace(subset, spec=subset.spec | {"options": options})
        return [one.name for one in _environments(asked, subset.metrics, Way("reference", 0))]

    assert offered() == offered(environments="space") == ["environments"]
    assert offered(environments="both") == offered(environments="answers") == []  # they find their own, of any space
