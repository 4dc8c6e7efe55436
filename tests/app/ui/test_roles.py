"""What a role may not do is not offered to it on any page, and what is next is said as it is for that person."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import navigation, session
from app.annotate import sections
from app.ui import next_step
from slim_core.data.image_filter import ImageFilter
from slim_core.steps.specs import parse_spec
from slim_core.store import Run
from slim_core.store.members import Role
from tests.app.conftest import Show, Sign, button, drawn, finish, texts

PAGES = [name for entries in navigation.PAGES.values() for name, _ in entries if name not in navigation.FOR_ADMINS]
PERSON = "vera@example.org"
PARTS = {"annotate": {"section": "campaign"}, "compare": {"view": "Space"}}
FOR_LEADS = {  # page -> what only leads are offered there
    "train": {"Train", "Register model"},
    "attention": {"Preview 8 images", "Compute attention maps"},
    "space": {"Build the space", sections.NEW},
    "curate": {"Curate this subset", "Retrain and evaluate"},
    "compare": {"Evaluate on test", "Build it"},
    "annotate": {"Close the campaign"},
}


@pytest.fixture(params=["viewer", "annotator"])
def role(request: pytest.FixtureRequest) -> Role:
    return request.param


@pytest.fixture
def failed(filled_home: Path, as_person: Sign) -> Run:
    """A failed training beside the loop, a model without an evaluation, a saved filter and a tag; nobody is in yet."""
    store = session.store()
    (dataset,) = store.datasets.all()
    (reference,) = [run for run in store.runs.all("train") if not run.spec.get("subset")]
    again, _ = store.runs.submit(parse_spec(reference.spec | {"seed": 1}))
    finish(again.id, reference.metrics, like=reference)
    broken, _ = store.runs.submit(parse_spec(reference.spec | {"seed": 2}))
    token = store.attempts.claim(broken.id, "w", "cpu")
    store.attempts.fail(broken.id, token, "It did not work.")
    store.tags.add(dataset.id, [0, 1], "seen", by="tests")
    labels = store.datasets.table(dataset.id).label_names[:1]
    store.filters.save(dataset.id, "some", ImageFilter(labels=labels), by="tests")
    store.campaigns.reopen(store.campaigns.all()[0].id, by="tests")
    return store.runs.fetch(broken.id)


def addresses(failed: Run) -> Iterator[tuple[str, dict[str, str]]]:
    yield from ((page, {}) for page in PAGES)
    yield "compare", {"view": "Space"}
    yield from (("annotate", {"section": section}) for section in ("campaign", "agreement", "new"))
    yield from (("jobs", {"run": run.id}) for run in [failed, *session.store().runs.all(status="done")])
    yield "space", {"like": "0"}


def opened(show: Show, page: str, params: Mapping[str, str]) -> AppTest:
    """The page; on Space with a selection and filters that let something pass."""
    app = show(page, **params)
    if page == "space":
        (space,) = session.store().runs.all(kind="space")
        app.session_state[f"selection:{space.id}"] = [0, 1, 2]
        app.session_state["filter-labels"] = list(app.multiselect(key="filter-labels").options[:1])
        app.session_state["space-tag"] = "seen"
        app.run()
    return app


def test_nobody_is_offered_what_they_are_refused(show: Show, failed: Run, as_person: Sign, role: Role) -> None:
    session.store().members.set_role(PERSON, role)
    as_person(PERSON)
    n = 0
    for page, params in addresses(failed):
        app = opened(show, page, params)
        for label in [one.label for one in app.button if not one.disabled]:
            again = opened(show, page, params)
            if label in [one.label for one in again.button]:  # an answer that is given is not asked for again
                assert "requires the role" not in _new(button(again, label).click().run(), app), (page, params, label)
                n += 1
    assert n > 10, "what they may do is there"


def _new(app: AppTest, before: AppTest) -> str:
    """The errors that a press has brought."""
    known = [one.value for one in before.error]
    return "\n".join(one.value for one in app.error if one.value not in known)


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("page", FOR_LEADS)
def test_what_leads_are_offered_others_are_not(show: Show, as_person: Sign, role: Role, page: str) -> None:
    def offered(who: Role) -> set[str]:
        session.store().members.set_role(PERSON, who)
        as_person(PERSON)
        return {one.label for one in opened(show, page, PARTS.get(page, {})).button}

    assert offered("lead") >= FOR_LEADS[page]
    assert not offered(role) & FOR_LEADS[page]


def test_a_run_is_retried_repeated_and_deleted_by_leads(show: Show, failed: Run, as_person: Sign, role: Role) -> None:
    session.store().members.set_role(PERSON, role)
    as_person(PERSON)
    app = show("jobs", run=failed.id)
    assert not [one for one in app.button if one.label in ("Retry", "Run it again", "Yes, delete it")]
    assert "Copy as command" in drawn(app) and "**Next:** A lead can" in texts(app)
    assert "lead can retry" in texts(show("jobs")), "of the newest run"


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("page", PAGES)
def test_every_page_ends_with_a_next_step_for_those_who_may_not_take_it(show: Show, as_person: Sign, page: str) -> None:
    as_person(PERSON)
    assert sum(one.value.startswith("**Next:**") for one in show(page).markdown) == 1


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("page", ["overview", "train", "attention", "space", "annotate", "curate", "compare"])
def test_where_nothing_is_there_yet_a_lead_can_make_it(show: Show, as_person: Sign, page: str) -> None:
    as_person(PERSON)
    (said,) = [one.value for one in show(page).markdown if one.value.startswith("**Next:**")]
    assert said.startswith("**Next:** a lead can "), said


def test_a_sentence_says_which_role_a_deed_takes(show: Show, as_person: Sign, failed: Run) -> None:
    as_person(PERSON)
    assert ":material/lock: *Curate this subset* requires the lead role." in texts(show("curate"))
    assert ":material/lock: Drawing requires the annotator role." in texts(show("draw"))
    assert next_step.can("annotator", "Answer the images.") == "an annotator can answer the images."
    session.store().members.set_role(PERSON, "lead")
    assert next_step.can("annotator", "Answer the images.") == "Answer the images."


def test_a_named_filter_is_asked_about_by_leads(show: Show, failed: Run, as_person: Sign) -> None:
    (named,) = session.store().filters.all(failed.dataset_id)
    as_person(PERSON)
    assert "Ask annotators about" not in drawn(show("attention", filter=named.id))
    session.store().members.set_role(PERSON, "lead")
    assert "Ask annotators about" in drawn(show("attention", filter=named.id))


def test_maps_that_are_lost_are_a_leads_to_compute_again(show: Show, filled_home: Path, as_person: Sign) -> None:
    for run in session.store().runs.all(kind="gradcam"):
        shutil.rmtree(filled_home / "runs" / run.id)
    as_person(PERSON)
    assert any("a lead can compute them again" in one.value for one in show("attention").error)
