"""Submitting a step from a page, and what a page says that needs an earlier one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.errors import QueueUnavailableError
from slim_core.steps.specs import CurateSpec, GradcamSpec, SpaceSpec, parse_spec
from slim_core.store import Dataset, Run
from tests.app.conftest import box, finish, worker_online
from tests.slim_core.store.store_makers import train_spec

AWAY = "Redis is away: start it."


@pytest.mark.usefixtures("filled_home")
def test_the_same_step_again_offers_the_finished_run_with_a_link(show) -> None:
    store = session.store()
    space = store.runs.all(kind="space")[0]
    n = len(store.runs.all())
    app = show("space", dataset=space.dataset_id)
    app.button(key="submit-space").click().run()
    assert not app.exception
    assert any("is done already" in info.value for info in app.info)
    assert any(f"run={space.id}" in link.proto.query_string for link in app.get("page_link"))
    assert len(store.runs.all()) == n


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_what_was_submitted_for_one_data_set_is_not_shown_for_another(show, older) -> None:
    store = session.store()
    model, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"}))
    finish(model.id, {})
    mine = store.runs.all(kind="gradcam")[0].dataset_id
    app = show("attention", dataset=mine)
    app.button(key="submit-gradcam").click().run()
    sent = store.runs.all(kind="gradcam")[0]

    def is_followed() -> bool:
        assert not app.exception
        return any(f"run={sent.id}" in link.proto.query_string for link in app.get("page_link"))

    assert sent.status == "queued" and is_followed()
    box(app, "dataset").select(older.id).run()
    assert app.button(key="submit-gradcam") and not is_followed()
    box(app, "dataset").select(mine).run()
    assert is_followed()


@pytest.fixture
def silent_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue whose Redis is away."""

    def refuse(*_: Run) -> None:
        raise QueueUnavailableError(AWAY)

    monkeypatch.setattr(session, "queue", lambda: SimpleNamespace(submit=refuse, silence=lambda: AWAY))


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_what_a_press_saves_while_redis_is_away_is_followed(show) -> None:
    app = show("curate")
    next(each for each in app.number_input if each.label == "Seed").set_value(7).run()
    is_followed(app, "submit-curate", "curate")


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_a_preview_that_is_saved_while_redis_is_away_is_followed(show, older) -> None:
    model, _ = session.store().runs.submit(parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"}))
    finish(model.id, {})
    is_followed(show("attention", dataset=older.id), "preview", "preview")


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_a_subset_that_is_saved_below_a_campaign_while_redis_is_away_is_followed(show) -> None:
    store = session.store()
    campaign = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 2, 1: 2}), "lea")
    is_followed(show("annotate", campaign=campaign.id, section="campaign"), "effect-curate", "curate")


def is_followed(app: AppTest, button: str, kind: str) -> None:
    """A press says that Redis is away, and shows the run that it has saved."""
    runs = session.store().runs
    known = {run.id for run in runs.all(kind=kind)}
    app.button(key=button).click().run()
    assert AWAY in [error.value for error in app.error] and not app.exception
    (saved,) = [run for run in runs.all(kind=kind) if run.id not in known]
    assert saved.status == "queued"
    assert any(f"run={saved.id}" in link.proto.query_string for link in app.get("page_link"))


MAKES = {"compare": "train", "attention": "train", "space": "gradcam", "curate": "space", "annotate": "space"}


def submitted(dataset: Dataset, kind: str) -> Run:
    """A run of that kind that waits; those before it are done."""
    specs = {
        "train": lambda _: train_spec(dataset),
        "gradcam": lambda model: GradcamSpec(dataset=dataset.id, model=model.id),
        "space": lambda attention: SpaceSpec(dataset=dataset.id, attention=attention.id),
        "curate": lambda space: CurateSpec(dataset=dataset.id, space=space.id, strategy="random", size=10),
    }
    run = None
    for name, spec in specs.items():
        if run is not None:
            finish(run.id, {})
        run, _ = session.store().runs.submit(spec(run))
        if name == kind:
            return run
    raise ValueError(kind)


def fail(run: Run) -> None:
    attempts = session.store().attempts
    attempts.fail(run.id, attempts.claim(run.id, "worker", "cpu"), "No room.")


@pytest.mark.parametrize("page", MAKES)
def test_a_page_says_how_to_make_what_it_needs_that_it_is_being_made_and_why_it_failed(
    page: str, dataset: Dataset, show
) -> None:
    def told() -> str:
        app = show(page, dataset=dataset.id)
        assert not app.exception
        return " ".join(text.value for text in [*app.markdown, *app.info, *app.error])

    worker_online()
    assert "yet" in told() and "wait for" not in told()
    run = submitted(dataset, MAKES[page])
    assert "wait for the" in told() and "yet" not in told()
    fail(run)
    assert "yet" in told() and "No room." in told() and "wait for" not in told()


@pytest.mark.parametrize("page", ["space", "annotate", "curate"])
def test_a_page_leads_to_the_first_step_that_is_missing(page: str, dataset: Dataset, show) -> None:
    def told() -> str:
        (found,) = [text.value for text in show(page, dataset=dataset.id).markdown if "**Next:**" in text.value]
        return found

    first = "**Next:** train a model"
    assert told().startswith(first)
    fail(submitted(dataset, "train"))
    assert told().startswith(first)
    model = submitted(dataset, "train")
    assert "compute the attention" in told(), "the training is under way"
    finish(model.id, {})
    assert "compute the attention" in told()
    maps, _ = session.store().runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    finish(maps.id, {})
    assert ("Build the space" if page == "space" else "an attention space") in told()


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("attention", "gradcam"),  # its own step
        ("space", "space"),
        ("curate", "curate"),
        ("space", "train"),  # one before the step that it needs
        ("curate", "train"),
        ("annotate", "gradcam"),
        ("overview", "train"),
        ("overview", "space"),
    ],
)
def test_a_page_without_results_says_why_the_last_try_at_them_or_before_them_failed(
    page: str, kind: str, dataset: Dataset, show
) -> None:
    fail(submitted(dataset, kind))
    app = show(page, dataset=dataset.id)
    assert not app.exception
    told = [text.value for text in [*app.markdown, *app.error] if "No room." in text.value]
    assert len(told) == 1


@pytest.mark.parametrize(("page", "kind"), [("attention", "gradcam"), ("space", "space"), ("curate", "curate")])
def test_a_page_waits_for_its_own_step_whoever_has_queued_it(page: str, kind: str, dataset: Dataset, show) -> None:
    def told() -> list[str]:
        return [text.value for text in show(page, dataset=dataset.id).markdown if "**Next:**" in text.value]

    worker_online()
    run = submitted(dataset, kind)
    assert any("wait for the" in text for text in told()) and not any("press" in text for text in told())
    (row,) = show(page, dataset=dataset.id).get("progress")
    assert row.proto.text.endswith("a worker"), "it is followed"
    session.store().attempts.request_stop(run.id)
    assert any("press" in text for text in told())


@pytest.mark.parametrize("page", ["annotate", "curate", "space"])
def test_a_failed_training_beside_one_that_is_done_is_not_what_is_in_the_way(page: str, dataset: Dataset, show) -> None:
    done, _ = session.store().runs.submit(train_spec(dataset))
    failed, _ = session.store().runs.submit(train_spec(dataset, seed=7), name="large *steps*")
    fail(failed)
    app = show(page, dataset=dataset.id)
    assert not app.error, "the other training may still end well"
    finish(done.id, {})
    assert not show(page, dataset=dataset.id).error
    maps, _ = session.store().runs.submit(GradcamSpec(dataset=dataset.id, model=done.id))
    fail(maps)
    app = show(page, dataset=dataset.id)
    assert [one.value for one in app.error] == [f"The attention maps run {maps.id} failed: No room."]


def test_a_subset_of_another_space_that_failed_is_not_in_the_way_of_this_one(dataset: Dataset, show) -> None:
    fail(submitted(dataset, "curate"))
    (other,) = session.store().runs.all(kind="space")
    one, _ = session.store().runs.submit(SpaceSpec.model_validate({**other.spec, "n_clusters": 3}))
    finish(one.id, {})
    told = [text.value for text in show("curate", dataset=dataset.id, space=one.id).error]
    assert not any("No room." in text for text in told)
    told = [text.value for text in show("curate", dataset=dataset.id, space=other.id).error]
    assert any("No room." in text for text in told)


def test_curation_waits_for_a_space_of_training_images_and_for_no_other(dataset: Dataset, show) -> None:
    def told() -> list[str]:
        return [text.value for text in show("curate", dataset=dataset.id).markdown if "**Next:**" in text.value]

    worker_online()
    maps = submitted(dataset, "gradcam")
    finish(maps.id, {})
    session.store().runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id, split="val"))
    (step,) = told()
    assert "the training images" in step, "that of val does not help"
    session.store().runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id))
    assert ["wait for the" in text for text in told()] == [True]


def _left_open() -> None:
    """A page with one field whose answer may be left open; what it gives is written below it."""
    import streamlit as st

    from app.ui import submit
    from slim_core.curation.data import CurateOptions
    from slim_core.parameters import parameters

    repeats = parameters(CurateOptions)["repeats"]
    st.text(repr(submit.field(repeats, None, key="page")))


def test_an_answer_that_is_left_open_is_a_choice_and_no_empty_box() -> None:
    app = AppTest.from_function(_left_open).run()
    for choice, given in (("yes", "True"), ("by the strategy", "None"), ("no", "False"), ("by the strategy", "None")):
        (box,) = app.selectbox
        box.set_value(choice).run()
        assert app.text[0].value == given
    assert app.run().selectbox[0].proto.HasField("default")  # without one the browser offers to clear the box
