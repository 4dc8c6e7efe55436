"""Forms of what others change at the same time: saved is what was changed here, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app import session
from slim_core.store import Note
from tests.app.conftest import Show, button


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
    session.store().notes.describe(run.id, text="Ben's", by="ben")
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
    notes.describe(run.id, tags=["old", "wrong"])
    app = show("jobs", run=run.id)
    notes.describe(run.id, tags=["ben", "wrong"], by="ben")
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
    notes.describe(run.id, text="Ben's", by="ben")
    app.text_area(key=f"note-{run.id}").set_value("Mine")
    button(app, "Save").click().run()
    assert "The note is now: Ben's" in app.error[0].value
    assert notes.fetch(run.id).text == "Ben's" and app.text_area(key=f"note-{run.id}").value == "Mine"
    button(app, "Save").click().run()
    assert not app.error and notes.fetch(run.id).text == "Mine"
