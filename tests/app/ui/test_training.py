"""Models without an evaluation: the button that queues it, and why the one before failed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from app import session
from app.services.loop_state import results_of
from slim_core.data.groups import Grouping
from slim_core.metrics import classification_metrics
from slim_core.runs.methods import jtt_first, jtt_second
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run, schema
from tests.app.conftest import finish, texts

WHY = "img/3.png changed."


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_an_evaluation_that_failed_says_why_and_is_offered_again(show) -> None:
    runs = session.store().runs
    model = next(one for one in runs.all(kind="train") if one.spec.get("subset"))
    (done,) = [one for one in runs.children(model.id) if one.kind == "evaluate"]
    assert not show("compare").error and not show("train", run=model.id).error
    runs.delete(done.id)
    failed, _ = runs.submit(parse_spec(done.spec))
    session.store().attempts.fail(failed.id, session.store().attempts.claim(failed.id, "worker", "cpu"), WHY)
    for page, of in ("compare", {}), ("train", {"run": model.id}):
        app = show(page, **of)
        assert not app.exception
        assert [one.value for one in app.error] == [f"The evaluation run {failed.id} failed: {WHY}"], page
        assert app.button(key="evaluate").label == "Evaluate on test"
        (log,) = [link for link in app.get("page_link") if f"run={failed.id}" in link.proto.query_string]
        assert log.proto.label.endswith(f"log of {failed.name}")
    runs.submit(parse_spec(done.spec), force=True)
    assert not show("compare").error, "it is under way again"


@pytest.mark.usefixtures("waiting_queue")
def test_the_first_training_of_just_train_twice_is_not_offered(show, dataset) -> None:
    runs, (name, fields) = session.store().runs, jtt_first(5)
    first, _ = runs.submit(parse_spec(asked(dataset, 0) | fields), name=name)
    finish(first.id, {})
    assert "1 not evaluated yet" in texts(show("compare")), "for all that is known it is a model like others"
    name, fields = jtt_second(first, 10)
    second, _ = runs.submit(parse_spec(asked(dataset, 0) | fields), name=name)
    assert "not evaluated yet" not in texts(show("compare"))
    finish(second.id, {})
    app = show("compare")
    assert "1 not evaluated yet" in texts(app) and second.id in texts(app) and first.id not in texts(app)
    results = results_of(runs.all(dataset=dataset.id))
    assert [one.reference.id for one in results] == [second.id], "nor is it a reference that waits for a campaign"


@pytest.mark.usefixtures("waiting_queue")
def test_a_model_evaluated_by_class_alone_is_not_said_to_have_no_evaluation(show, dataset) -> None:
    """As by `slim evaluate` without a space, where the data set has no attributes."""
    store = session.store()
    with store.database.write() as connection:
        connection.execute(sa.update(schema.datasets).values(n_attributes=0))
    session.reset()
    model = trained(dataset, 0, by="ann")
    assert "1 not evaluated yet" in texts(show("compare"))
    evaluation = {"kind": "evaluate", "dataset": dataset.id, "model": model.id, "split": "test"}
    by_class, _ = store.runs.submit(parse_spec(evaluation))
    labels = np.array([0, 1])
    finish(by_class.id, classification_metrics(labels, np.eye(2), Grouping(labels, ("0", "1"), estimated=True)))
    assert "1 not evaluated by" in texts(show("compare"))


def asked(dataset: Dataset, seed: int) -> dict[str, object]:
    return {"kind": "train", "dataset": dataset.id, "model": "small-resnet", "seed": seed}


def trained(dataset: Dataset, seed: int, *, by: str) -> Run:
    run, _ = session.store().runs.submit(parse_spec(asked(dataset, seed)), by=by)
    finish(run.id, {})
    return run


@pytest.fixture
def on_validation(filled_home) -> Run:
    """The newest evaluation of ``filled_home``, as if its test images were for validation and there were no others."""
    store = session.store()
    (dataset,) = store.datasets.all()
    named = store.datasets.table(dataset.id)
    splits = named.frame["split"].replace({"val": "train", "test": "val"})
    table = replace(named, frame=named.frame.assign(split=splits))
    table.save(store.artifacts.folder(dataset.id))
    report = dataset.report | {"splits": {one: len(table.rows(one)) for one in ("train", "val")}}
    newest, *_ = store.runs.all(kind="evaluate")
    with store.database.write() as connection:
        connection.execute(sa.update(schema.datasets).values(report=report, fingerprint=table.fingerprint))
        for run in store.runs.all(kind="evaluate"):
            of_run = sa.update(schema.runs).where(schema.runs.c.id == run.id)
            connection.execute(of_run.values(spec=run.spec | {"split": "val"}))
    session.reset()
    return session.store().runs.fetch(newest.id)


@pytest.mark.slow
@pytest.mark.usefixtures("waiting_queue")
@pytest.mark.parametrize("page", ["compare", "train"])
def test_data_without_test_images_are_evaluated_on_validation(show, on_validation: Run, page: str) -> None:
    runs, model = session.store().runs, on_validation.spec["model"]
    assert "evaluate" not in [one.key for one in show(page, run=model).button], "it is evaluated already"
    runs.delete(on_validation.id)
    app = show(page, run=model)
    assert app.button(key="evaluate").label == "Evaluate on val"
    app.button(key="evaluate").click().run()
    assert not app.exception and not app.error
    (queued,) = runs.all(kind="evaluate", status="queued")
    assert (queued.spec["model"], queued.spec["split"]) == (model, "val")
