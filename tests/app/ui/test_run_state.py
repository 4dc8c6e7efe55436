"""What is said of a run: its state, its notes, how it ended, by the name it was given."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from app import session
from app.services import queueing
from app.ui import run_state
from app.ui.run_state import FEW, rough_duration, sentence
from slim_core.formatting import ago, duration, percent
from slim_core.steps.specs import parse_spec
from slim_core.store import Run, schema
from tests.app.as_if import as_if_status
from tests.app.conftest import Show, read_as_markdown, texts, way_to_retrain
from workers.queue import QueueView

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = Run("r-1", "train", "a", "queued", {}, "d", "ada", NOW - timedelta(minutes=9))


def view(*waiting: str, reason: str | None = None) -> QueueView:
    return QueueView({"gpu": list(waiting), "cpu": []}, [], {}, {"r-1": reason} if reason else {})


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (view("r-1"), "next"),
        (view("r-0", "r-1"), "number 2"),
        (view("r-1", reason="For shards."), "For shards."),
        (view(), "It is queued."),
    ],
)  # fmt: skip
def test_a_waiting_run_says_where_it_stands_or_what_is_missing(queue: QueueView, expected: str) -> None:
    assert expected in sentence(RUN, queue, NOW)


def test_a_run_that_was_lost_says_why_it_waits_again() -> None:
    lost = replace(RUN, attempt=1, message="Its worker w was killed.")
    assert sentence(lost, view("r-1"), NOW).startswith("Its worker w was killed. It is next")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (replace(RUN, status="running", worker="w", device="cpu", started_at=NOW - timedelta(seconds=75)),
         " on w (cpu) for 1 min 15 s."),
        (replace(RUN, status="running", worker="w", device="cpu", started_at=NOW + timedelta(hours=1)),
         " on w (cpu) for 0 s."),  # its clock is ahead of this one
        (replace(RUN, status="stopping", attempt=1), "its next batch."),
        (replace(RUN, status="done", attempt=1, seconds=4.0, finished_at=NOW - timedelta(hours=3)),
         "It finished after 4 s of computing, 3 h ago."),
        (replace(RUN, status="failed", attempt=1, seconds=4.2, finished_at=NOW), "It failed after 4.2 s, just now."),
        (replace(RUN, status="failed", finished_at=NOW), "failed before it"),
        (replace(RUN, status="canceled", finished_at=NOW), "stopped before it"),
    ],
)  # fmt: skip
def test_every_other_state_is_a_sentence(run: Run, expected: str) -> None:
    assert expected in sentence(run, view(), NOW)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (0.01, "< 0.1 s"), (0.44, "0.4 s"), (9.97, "10 s"), (65, "1 min 05 s"), (7500, "2 h 05 min"),
     (200_000, "2 d 7 h"), (-3600, "0 s")],
)  # fmt: skip
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(2, "2 s"), (42, "40 s"), (90, "2 min"), (7300, "2 h")])
def test_rough_times(seconds: float, expected: str) -> None:
    assert rough_duration(seconds) == f"about {expected}"


@pytest.mark.parametrize(
    ("back", "expected"),
    [(1, "just now"), (42, "42 s ago"), (300, "5 min ago"), (90_000, "1 day ago"), (180_000, "2 days ago")],
)  # fmt: skip
def test_moments(back: float, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=back), NOW) == expected


def remarks(n: int) -> AppTest:
    def page(n: int) -> None:
        from app.ui import run_state

        run_state.show_notes([f"remark {k}" for k in range(n)])

    return AppTest.from_function(page, args=(n,)).run()


def test_a_few_notes_stand_on_the_page_one_by_one() -> None:
    assert [one.value for one in remarks(FEW).warning] == [f"remark {k}" for k in range(FEW)]


def test_of_many_notes_the_first_stands_there_and_the_rest_is_one_click_away() -> None:
    app = remarks(40)
    assert [one.value for one in app.warning] == ["remark 0"]
    assert app.expander[0].label == "39 more notes"
    assert "remark 39" in app.expander[0].markdown[0].value


@pytest.mark.usefixtures("filled_home")
def test_a_short_run_that_is_queued_again_and_done_between_two_looks_is_no_failure_any_more(show, monkeypatch) -> None:
    """A subset is curated in less than the seconds between them."""
    (subset,) = session.store().runs.all(kind="curate")
    as_if_status(subset, "failed")
    assert "failed:" in texts(show("curate"))
    said = run_state.for_reader

    def said_later(message: object) -> str:
        as_if_status(subset, "done")
        return said(message)

    monkeypatch.setattr(run_state, "for_reader", said_later)
    app = show("curate")
    assert "failed:" not in texts(app) and "Retrain and evaluate" in [one.label for one in app.button]


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
    assert said.startswith("Evaluated: worst group **–** (no image ")


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
    assert any("for the retraining" in text for text in told)
    assert not any("what it changed" in text for text in told)
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
    assert f"worst group **{percent(sum(rates) / 2)}** on average ({spread})" in said, "not an interval"
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
    assert any(f"{subset.id} was deleted" in one.value for one in app.error)
    assert not [box for box in app.selectbox if str(box.key).startswith("retrain-way")], "nothing can be retrained"
    assert any(run_state.outcome_sentence(after) in text.value for text in app.markdown)


NAME = "![x](http://example.org/seen.png) **loud**"


@pytest.fixture
def named(filled_home: Path) -> None:  # the home is filled first
    """Every run has this name; one of the trainings failed, another waits."""
    store = session.store()
    spec, t = store.runs.all(kind="train")[-1].spec, schema.runs
    for n in (1, 2):
        store.runs.submit(parse_spec({**spec, "seed": n}), by="tests", force=True)
    with store.database.write() as connection:
        connection.execute(t.update().values(name=NAME))
        failed = sa.select(t.c.id).where(t.c.status == "queued").limit(1).scalar_subquery()
        connection.execute(t.update().where(t.c.id == failed).values(status="failed", message=f"{NAME} is full."))


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("page", ["overview", "jobs", "train", "compare", "attention", "curate"])
def test_a_page_shows_the_name_as_it_is_written(show: Show, page: str) -> None:
    assert not [one for one in read_as_markdown(show(page)) if NAME in one]


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("status", ["queued", "failed", "done"])
def test_a_run_shows_its_name_and_its_message_as_they_are_written(show: Show, status: str) -> None:
    run = session.store().runs.all(status=status)[0]
    found = list(read_as_markdown(show("jobs", run=run.id, about="Lineage")))
    assert not [one for one in found if NAME in one]
    assert any(r"\*\*loud\*\*" in one for one in found)
