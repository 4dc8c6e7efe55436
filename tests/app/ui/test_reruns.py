"""From one run of a page to the next: the address, links, and widgets that follow what is stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.store import Note
from tests.app.conftest import Show, button


def page() -> AppTest:
    """It shows what is chosen, and has a button for each of three choices."""

    def script() -> None:
        import streamlit as st

        from app.ui import reruns

        reruns.begin_visit(st.session_state.get("page", "here"))
        for one in ("a", "b", ""):
            st.button(one or "none", on_click=reruns.put_in_address, args=("one", one), key=f"put-{one}")
        st.markdown(f"chosen: {reruns.chosen_in_address('one')}")

    app = AppTest.from_function(script)
    app.run()
    return app


def press(app: AppTest, one: str) -> tuple[str, list[str]]:
    """The button of a choice."""
    app.button(key=f"put-{one}").click()
    return run(app)


def link(app: AppTest, *values: str) -> tuple[str, list[str]]:
    """The page again, with another address."""
    app.query_params["one"] = list(values)
    return run(app)


def run(app: AppTest) -> tuple[str, list[str]]:
    """What is shown, and what the address says."""
    app.run()
    assert not app.exception
    said = app.query_params.get("one", [])
    return app.markdown[0].value.removeprefix("chosen:").strip(), [said] if isinstance(said, str) else said


def test_what_was_pressed_is_chosen_and_the_address_follows_it() -> None:
    app = page()
    assert run(app) == ("", [])
    assert press(app, "a") == ("a", ["a"])
    assert run(app) == ("a", ["a"])
    assert press(app, "") == ("", [])


def test_an_older_address_that_comes_in_late_undoes_nothing() -> None:
    app = page()
    press(app, "a")
    press(app, "b")
    assert link(app, "a") == ("b", ["b"]), "of before the second press"
    assert link(app) == ("b", ["b"]), "of before the first one"
    press(app, "")
    assert link(app, "b") == ("", [])


@pytest.mark.usefixtures("browser_in_step")
def test_later_the_same_address_is_a_link() -> None:
    app = page()
    press(app, "a")
    press(app, "b")
    assert link(app, "a") == ("a", ["a"])


def test_a_link_to_what_was_never_chosen_is_followed_at_once() -> None:
    app = page()
    press(app, "a")
    assert link(app, "c") == ("c", ["c"])
    assert link(app, "d", "e") == ("d,e", ["d", "e"])


def test_a_choice_is_for_one_visit() -> None:
    app = page()
    press(app, "a")
    app.session_state["page"] = "there"
    del app.query_params["one"]  # as a link to another page without it
    assert run(app) == ("", [])
    assert link(app, "a") == ("a", ["a"]), "a link, though the last page had the same in its address"


@pytest.mark.usefixtures("browser_in_step")
def test_a_choice_ends_where_another_data_set_is_chosen_after_it_and_not_where_a_link_brings_both() -> None:
    def script() -> None:
        import streamlit as st

        from app.ui import reruns

        of = st.query_params.get("of", st.session_state.get("of", "first"))
        st.markdown(f"chosen: {reruns.chosen_in_address('one', of)}")

    app = AppTest.from_function(script)
    app.run()
    assert link(app, "5") == run(app) == ("5", ["5"])
    app.session_state["of"] = "second"
    assert run(app) == run(app) == ("", [])
    app.query_params["of"] = "first"
    assert link(app, "5") == run(app) == ("5", ["5"]), "as Back brings it"


@pytest.mark.usefixtures("filled_home")
def test_a_saved_form_leaves_what_somebody_else_has_written_meanwhile(show: Show) -> None:
    store = session.store()
    run = store.runs.all(kind="train")[0]
    app = show("jobs", run=run.id)
    store.notes.write(run.id, name="Named by Ben", text="", tags=["ben"], by="ben")
    app.text_area(key=f"note-{run.id}").set_value("Mine")
    next(one for one in app.button if one.label == "Save").click().run()
    assert not app.exception and not app.error
    assert store.runs.fetch(run.id).name == "Named by Ben"
    assert store.notes.fetch(run.id) == Note("Mine", ("ben",))


@pytest.mark.usefixtures("filled_home")
def test_what_is_being_typed_is_left_alone_when_the_page_is_drawn_again(show: Show) -> None:
    run = session.store().runs.all(kind="train")[0]
    app = show("jobs", run=run.id)
    app.run()
    for field in (app.text_input(key=f"name-{run.id}"), app.text_area(key=f"note-{run.id}")):
        assert not field.proto.set_value, "the browser would take this, as it is stored, for what is typed"
    session.store().notes.write(run.id, name=run.name, text="Ben's", tags=(), by="ben")
    assert app.run().text_area(key=f"note-{run.id}").proto.set_value


@pytest.mark.usefixtures("filled_home")
def test_a_deadline_that_was_moved_by_somebody_else_is_shown(show: Show) -> None:
    (campaign,) = session.store().campaigns.all()
    app = show("annotate", campaign=campaign.id, section="campaign")
    session.store().campaigns.set_deadline(campaign.id, datetime(2031, 5, 2, tzinfo=UTC))
    app.run()
    field = app.date_input(key=f"deadline-{campaign.id}")
    assert str(field.value) == "2031-05-01"
    app.button(key="campaign-deadline-set").click().run()
    assert session.store().campaigns.fetch(campaign.id).deadline == datetime(2031, 5, 2, tzinfo=UTC)


@pytest.mark.usefixtures("filled_home")
def test_tags_that_two_people_add_are_both_kept(show: Show) -> None:
    notes, run = session.store().notes, session.store().runs.all(kind="train")[0]
    notes.write(run.id, name=run.name, text="", tags=["old", "wrong"])
    app = show("jobs", run=run.id)
    notes.write(run.id, name=run.name, text="", tags=["ben", "wrong"], by="ben")
    app.multiselect(key=f"tags-{run.id}").set_value(["old", "mine"])
    button(app, "Save").click().run()
    assert not app.exception and not app.error
    assert notes.fetch(run.id).tags == ("ben", "mine")


@pytest.mark.usefixtures("filled_home")
def test_a_note_that_somebody_else_has_written_is_read_before_it_is_replaced(show: Show) -> None:
    notes, run = session.store().notes, session.store().runs.all(kind="train")[0]
    app = show("jobs", run=run.id)
    app.text_area(key=f"note-{run.id}").set_value("Mine, first. ")
    button(app, "Save").click().run()
    notes.write(run.id, name=run.name, text="Ben's", tags=(), by="ben")
    app.text_area(key=f"note-{run.id}").set_value("Mine")
    button(app, "Save").click().run()
    assert "The note is now: Ben's" in app.error[0].value
    assert notes.fetch(run.id).text == "Ben's" and app.text_area(key=f"note-{run.id}").value == "Mine"
    button(app, "Save").click().run()
    assert not app.error and notes.fetch(run.id).text == "Mine"


def address(app: AppTest) -> str:
    """Which part of the page it names."""
    said = app.query_params["section"]
    return said if isinstance(said, str) else said[0]


@pytest.mark.usefixtures("filled_home")
def test_a_link_back_to_what_was_left_a_moment_ago_is_followed_at_once(show: Show) -> None:
    store = session.store()
    campaign = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 2, 1: 2}), "lea")
    app = show("annotate", dataset=campaign.dataset_id, campaign=campaign.id)
    app.segmented_control(key="annotate-section").set_value("Campaign").run()
    assert address(app) == "campaign"
    button(app, "Answer").click().run()
    assert not app.exception
    assert address(app) == "answer"
    app.run()
    assert address(app) == "answer"
