"""Train, empty, filled and failing. No worker runs here: a submitted run stays queued."""

from __future__ import annotations

import pytest

from app import session


def button(app, label: str):
    return next(one for one in app.button if one.label == label)


@pytest.mark.usefixtures("empty_home")
def test_without_data_the_page_sends_to_the_data_page(show) -> None:
    app = show("train")
    assert "register a data set first" in app.info[0].value


def test_the_form_proposes_the_recipe_of_the_demo_and_submits_it(show, dataset) -> None:
    app = show("train")
    assert app.selectbox(key=f"model-{dataset.id}").value == "small-resnet"
    app.number_input(key="epochs-small-resnet-reference").set_value(2)
    button(app, "Train").click().run()
    (run,) = session.store().runs.all()
    assert (run.kind, run.status, run.spec["epochs"], run.created_by) == ("train", "queued", 2, "local")
    assert run.spec["selection"] == "worst_class"


def test_without_redis_the_run_is_kept_and_the_page_says_so(show, dataset) -> None:
    app = show("train")
    button(app, "Train").click().run()
    assert not app.exception
    assert any("is saved and starts by itself" in error.value for error in app.error)
    assert len(session.store().runs.all(status="queued")) == 1


def test_a_model_that_is_not_a_photograph_recipe_proposes_other_numbers(show, dataset) -> None:
    app = show("train")
    app.selectbox(key=f"model-{dataset.id}").select("resnet50").run()
    assert app.number_input(key="epochs-resnet50-reference").value == 100
    assert app.selectbox(key="weights-resnet50").value == "imagenet"


@pytest.mark.usefixtures("filled_home")
def test_a_finished_training_shows_curves_and_every_group_with_its_interval(show) -> None:
    run = next(run for run in session.store().runs.all(kind="train") if not run.spec["subset"])
    app = show("train", run=run.id)
    assert len(app.get("plotly_chart")) == 3
    table = app.dataframe[0].value
    assert len(table) == 4
    assert table["n"].sum() == 80
    assert all(" to " in interval for interval in table["interval"])
    assert sum("worst" in group for group in table["group"]) >= 1


@pytest.mark.usefixtures("filled_home")
def test_a_link_with_a_subset_opens_the_retraining_form_with_its_reference(show) -> None:
    runs = session.store().runs
    subset = runs.all(kind="curate")[0]
    reference = next(run for run in runs.all(kind="train") if not run.spec["subset"])
    app = show("train", subset=subset.id)
    assert any(reference.id in caption.value for caption in app.caption)
    button(app, "Retrain").click().run()
    assert not app.exception
    newest = runs.all(kind="train")[0]
    assert newest.spec["subset"] == subset.id
    assert newest.spec["reference"] == reference.id


@pytest.mark.usefixtures("filled_home")
def test_a_failed_training_shows_its_sentence(show) -> None:
    store = session.store()
    done = store.runs.all(kind="train")[0]
    run, _ = store.runs.submit(_again(done), by="tests", force=True)
    token = store.runs.claim(run.id, "w", "cpu")
    store.runs.fail(run.id, token, "The learning rate is too large: lower it.")
    app = show("train", run=run.id)
    assert [error.value for error in app.error] == ["The learning rate is too large: lower it."]


def _again(run):
    from slim_core.steps.registry import parse_spec

    return parse_spec(run.spec)
