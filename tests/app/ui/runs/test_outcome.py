"""What is said of a run that was queued on a page: its steps while they run, its figures when it has ended."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app import session
from app.services import queueing
from app.ui import run_state
from slim_core.formatting import percent
from tests.app.conftest import way_to_retrain


@pytest.mark.usefixtures("filled_home")
def test_what_an_evaluation_ended_with_reads_those_of_its_data_set_once_and_no_other_run(monkeypatch) -> None:
    runs, asked = session.store().runs, []
    after = next(run for run in runs.all(kind="evaluate") if "slim" in run.name)
    read = type(runs).all

    def noted(self, *args, **options):
        asked.append(options.get("kind"))
        return read(self, *args, **options)

    monkeypatch.setattr(type(runs), "all", noted)
    ending = run_state.outcome_of(after)
    assert ending.page == "compare" and run_state.outcome_sentence(after) == ending.text
    assert asked == ["evaluate"] * 2, "once for each of the two"


@pytest.mark.usefixtures("filled_home")
def test_a_retraining_ends_with_its_figures_and_the_way_to_compare(show) -> None:
    runs = session.store().runs
    after, before = sorted(runs.all(kind="evaluate"), key=lambda run: "slim" not in run.name)
    said = run_state.outcome_sentence(after)
    assert f"{percent(before.metrics['wga'])} → **{percent(after.metrics['wga'])}**" in said
    assert f"Evaluated: worst group **{percent(before.metrics['wga'])}**" in run_state.outcome_sentence(before)
    subset = runs.all(kind="curate")[0]
    assert queueing.evaluation_of_subset(subset).id == after.id
    app = show("curate", dataset=after.dataset_id)
    assert any(said in text.value for text in app.markdown)
    (compare,) = [link for link in app.get("page_link") if f"runs={before.id}" in link.proto.query_string]
    assert compare.proto.label == "Compare"


@pytest.mark.usefixtures("filled_home")
def test_an_evaluation_without_an_image_of_a_known_group_says_so_and_names_none() -> None:
    evaluation = min(session.store().runs.all(kind="evaluate"), key=lambda run: "slim" in run.name)
    empty = [{**group, "n": 0, "accuracy": None} for group in evaluation.metrics["groups"]]
    said = run_state.outcome_sentence(replace(evaluation, metrics=evaluation.metrics | {"groups": empty, "wga": None}))
    assert said.startswith("Evaluated: worst group **–** (no image is of a known group), average ")


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_a_retraining_is_followed_by_anybody_in_another_browser_until_its_figures_are_there(show) -> None:
    store = session.store()
    app = show("curate")
    way_to_retrain(app).select("scratch").run()
    app.button(key="retrain").click().run()
    assert not app.exception
    train = store.runs.all(kind="train", status="queued")[0]
    attempt = store.attempts.claim(train.id, "w", "cpu")
    other = show("curate", subset=train.spec["subset"])  # a session of its own
    told = [text.value for text in [*other.markdown, *other.caption]]
    assert any(text.startswith("**Retrain, compare**") for text in told)
    assert any("wait for the retraining" in text for text in told)
    assert not any("see what it changed" in text for text in told)
    assert {one.label for one in other.button} >= {"Yes, stop all"}
    store.attempts.fail(train.id, attempt, "No memory.")
    other.run()
    assert any("No memory." in text.value for text in other.markdown)
    assert "Resume" in [one.label for one in other.button]


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_a_retraining_that_failed_is_no_news_once_a_later_one_is_done(show) -> None:
    store = session.store()
    subset = store.runs.all(kind="curate")[0]
    failed = queueing.to_retraining(subset, "scratch", 3).runs[0]
    store.attempts.fail(failed.id, store.attempts.claim(failed.id, "w", "cpu"), "No memory.")
    done = queueing.evaluation_of_subset(subset)
    store.pipelines.create("retraining", [done.id])
    told = [text.value for text in show("curate", subset=subset.id).markdown]
    assert not any("No memory." in text for text in told)
    assert sum(run_state.outcome_sentence(store.runs.fetch(done.id)) in text for text in told) == 1


@pytest.mark.usefixtures("filled_home")
def test_several_models_of_one_press_end_with_their_mean_and_range(show) -> None:
    store = session.store()
    evaluations = store.runs.all(kind="evaluate")
    store.pipelines.create("training", [run.id for run in evaluations])
    app = show("overview")
    rates = [run.metrics["wga"] for run in evaluations]
    (said,) = [text.value for text in app.markdown if "2 models evaluated" in text.value]
    spread = f"lowest {percent(min(rates))}, highest {percent(max(rates))}"
    assert f"worst group **{percent(sum(rates) / 2)}** on average ({spread})" in said, "no interval of the mean"
    ids = [run.id for run in store.pipelines.all(evaluations[0].dataset_id)[0].runs]
    assert any(f"runs={'%2C'.join(ids)}" in link.proto.query_string for link in app.get("page_link"))


def test_what_came_of_a_subset_is_there_though_its_reference_model_was_deleted(filled_home: Path, show) -> None:
    runs = session.store().runs
    (after,) = [run for run in runs.all(kind="evaluate") if "slim" in run.name]
    subset = runs.all(kind="curate")[0]
    reference = session.store().lineage.reference_of(subset)
    with closing(sqlite3.connect(filled_home / "slim.db")) as database, database:
        database.execute("DELETE FROM runs WHERE id = ?", (reference.id,))
    app = show("curate", dataset=after.dataset_id)
    assert any(f"behind {subset.id} was deleted: curate again" in one.value for one in app.error)
    assert not [box for box in app.selectbox if str(box.key).startswith("retrain-way")], "nothing can be retrained"
    assert any(run_state.outcome_sentence(after) in text.value for text in app.markdown)
