"""Jobs, empty, filled and failing."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import session
from slim_core.steps.registry import parse_spec


def button(app, label: str):
    return next(one for one in app.button if one.label == label)


def submitted(force: bool = True):
    """A new run like the newest training."""
    store = session.store()
    return store.runs.submit(parse_spec(store.runs.all(kind="train")[0].spec), by="tests", force=force)[0]


@pytest.mark.usefixtures("empty_home")
def test_without_runs_and_without_redis_the_page_says_what_to_do(show) -> None:
    app = show("jobs")
    assert any("start" in error.value for error in app.error)
    assert "No run yet" in app.info[0].value


@pytest.mark.usefixtures("filled_home")
def test_every_run_is_listed_with_its_status(show) -> None:
    app = show("jobs")
    table = next(frame.value for frame in app.dataframe if "step" in frame.value)
    assert set(table["step"]) == {"train", "gradcam", "space", "curate", "evaluate"}
    assert set(table["status"]) == {"✓ done"}


@pytest.mark.usefixtures("filled_home")
def test_a_link_opens_a_run_with_its_log_parameters_and_family(show) -> None:
    run = session.store().runs.all(kind="space")[0]
    app = show("jobs", run=run.id)
    assert any(run.id in markdown.value for markdown in app.markdown)
    assert "slim_core.steps.execute" in app.code[0].value
    fields = next(frame.value for frame in app.dataframe if "field" in frame.value)
    assert dict(zip(fields["field"], fields["value"], strict=True))["attention"] == run.spec["attention"]
    assert {"**Made from**", "**Used by**"} <= {markdown.value for markdown in app.markdown}


@pytest.mark.usefixtures("filled_home")
def test_an_active_run_comes_first_and_can_be_stopped_after_asking(show) -> None:
    run = submitted()
    app = show("jobs", run=run.id)
    table = next(frame.value for frame in app.dataframe if "step" in frame.value)
    assert table["id"].iat[0] == run.id
    assert table["status"].tolist().count("✓ done") == len(table) - 1
    app.button(key=f"stop-{run.id}").click().run()
    assert not app.exception
    assert session.store().runs.fetch(run.id).status == "canceled"


@pytest.mark.usefixtures("filled_home")
def test_a_failed_run_tells_its_sentence_and_can_be_retried(show) -> None:
    store, run = session.store(), submitted()
    store.runs.fail(run.id, store.runs.claim(run.id, "w", "cpu"), "The disk is full: make room, then retry.")
    app = show("jobs", run=run.id)
    assert any(error.value == "The disk is full: make room, then retry." for error in app.error)
    button(app, "Retry").click().run()
    assert store.runs.fetch(run.id).status == "queued"


def test_deleting_asks_first_and_leaves_the_images(show, filled_home: Path) -> None:
    store = session.store()
    run = store.runs.all(kind="evaluate")[0]
    images = store.datasets.table(run.dataset_id)
    app = show("jobs", run=run.id)
    assert store.runs.find(run.id) is not None
    app.button(key=f"delete-{run.id}").click().run()
    assert not app.exception
    assert store.runs.find(run.id) is None
    assert not (filled_home / "runs" / run.id).exists()
    assert images.image_path(0).exists()


@pytest.mark.usefixtures("filled_home")
def test_a_run_that_others_were_made_from_is_deleted_with_them_only(show) -> None:
    store = session.store()
    run = store.runs.all(kind="gradcam")[0]
    app = show("jobs", run=run.id)
    assert app.button(key=f"delete-{run.id}").disabled
    app.checkbox[0].check().run()
    app.button(key=f"delete-{run.id}").click().run()
    assert not app.exception
    assert {one.kind for one in store.runs.all()} == {"train", "evaluate"}
    assert len(store.runs.all()) == 2  # the reference and its evaluation
