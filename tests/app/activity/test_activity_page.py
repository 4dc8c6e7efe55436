"""Who did what, shown to admins alone."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import session
from app.activity import events
from app.activity.events import PER_PAGE, as_csv
from app.services import queueing
from slim_core.errors import ForbiddenError
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset
from slim_core.store.events import ActivityFilter
from tests.app.conftest import Show, button, cells


def rows(app: AppTest) -> list[list[str]]:
    """The texts of the table."""
    return cells(app, "Events, newest first")


@pytest.mark.usefixtures("empty_home")
def test_where_nothing_has_happened_the_page_says_so(show: Show) -> None:
    assert [one.value for one in show("activity").info] == ["No events yet."]


@pytest.mark.usefixtures("filled_home")
def test_events_are_filtered_by_the_address_and_runs_are_links(show: Show) -> None:
    session.store().members.set_role("ben@example.org", "lead", by="[root](x)")
    everything = rows(show("activity"))
    assert {"member role", "run submitted", "campaign created", "dataset registered"} <= {row[2] for row in everything}
    (alone,) = rows(show("activity", who="[root"))
    assert alone[1:5] == ["[root](x)", "member role", "ben@example.org", "role: lead"]
    assert {row[2].split()[0] for row in rows(show("activity", kind="campaign"))} == {"campaign"}
    assert show("activity", who="nobody").info[0].value.startswith("No event")


@pytest.mark.usefixtures("filled_home")
def test_what_was_queued_by_one_press_has_the_name_of_its_button_also_among_the_events_of_its_data_set(
    show: Show,
) -> None:
    training = session.store().runs.all(kind="train")[0]
    queued, _ = session.store().runs.submit(parse_spec({**training.spec, "seed": 77}))
    made = session.store().pipelines.create("questions", [queued.id], "ann")
    app = show("activity", kind="pipeline")
    app.selectbox(key="data").select(training.dataset_id).run()
    row = next(row for row in rows(app) if row[-1] == made.id)
    assert row[2:5] == ["pipeline created", queueing.TITLES["questions"], "runs: 1"]


def test_events_are_filtered_by_each_version_of_a_data_set(show: Show, versions: tuple[Dataset, Dataset]) -> None:
    app = show("activity")
    for dataset in versions:
        app.selectbox(key="data").select(dataset.id).run()
        assert {row[-1] for row in rows(app)} == {dataset.id}


@pytest.mark.parametrize("page", ["activity", "jobs"])
def test_a_link_filters_by_a_data_set_whatever_that_is_called_by_now(
    show: Show, older: Dataset, dataset: Dataset, page: str
) -> None:
    for one in (older, dataset):
        session.store().runs.submit(parse_spec({"kind": "train", "dataset": one.id, "model": "small-resnet"}))
    app = show(page, kind="run" if page == "activity" else "train")
    app.selectbox(key="data").select(dataset.id).run()
    assert app.query_params["data"] in (dataset.id, [dataset.id])
    assert show(page, data=dataset.id).selectbox(key="data").value == dataset.id
    session.store().notes.write(dataset.id, name="renamed", text="", tags=(), by="root")
    app = show(page, data=dataset.id)
    assert app.selectbox(key="data").value == dataset.id and not app.toast
    app = show(page, data="small-demo")
    assert app.selectbox(key="data").value is None
    assert ["The data set small-demo from the address" in one.value for one in app.toast] == [True]


@pytest.mark.usefixtures("dataset")
def test_what_became_of_a_run_is_said_as_the_jobs_page_says_it(show: Show) -> None:
    store = session.store()
    [dataset] = store.datasets.all()
    run, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id}))
    token = store.attempts.claim(run.id, "w1", "cpu")
    store.attempts.request_stop(run.id, by="ann")
    store.attempts.cancel(run.id, token)
    said = [row[2] for row in rows(show("activity")) if row[3] == (run.name or run.id)]
    assert said == ["run stopped", "run stop requested", "run started", "run submitted"]


@pytest.mark.usefixtures("empty_home")
def test_older_events_are_one_click_away_and_the_newest_one_back(show: Show) -> None:
    for i in range(PER_PAGE + 3):
        session.store().members.set_role(f"p{i}@example.org", "viewer", by="root")
    app = show("activity")
    newest = rows(app)
    assert len(newest) == PER_PAGE and newest[0][3] == f"p{PER_PAGE + 2}@example.org"
    button(app, "Older").click().run()
    assert [row[3] for row in rows(app)] == ["p2@example.org", "p1@example.org", "p0@example.org"]
    button(app, "Newest").click().run()
    assert rows(app) == newest


@pytest.mark.usefixtures("empty_home")
def test_the_file_holds_what_matches_and_no_formula() -> None:
    session.store().members.set_role("ben@example.org", "lead", by="=HYPERLINK(1)")
    session.store().members.set_role("eve@example.org", "lead", by="root")
    header, line, *rest = as_csv(ActivityFilter(who="=H")).decode().splitlines()
    assert header == "at,who,what,subject,name,details" and rest == []
    assert "'=HYPERLINK(1),member.role,ben@example.org" in line


@pytest.mark.usefixtures("empty_home")
def test_who_is_not_an_admin_reads_whose_page_it_is_and_nothing_else(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": "lea@example.org"})
    session.store().members.set_role("lea@example.org", "lead", by="root")
    for read in (lambda: events.read(ActivityFilter(), 5), lambda: as_csv(ActivityFilter())):
        with pytest.raises(ForbiddenError, match="Your role is lead, and this requires"):
            read()
    app = show("activity")
    (told,) = [one.value for one in app.caption]
    assert "admin role" in told
    assert [title.value for title in app.title] == ["Activity"] and not app.text_input and not app.exception
    session.store().members.set_role("lea@example.org", "admin", by="root")
    assert len(rows(show("activity"))) == 2
