"""Forms of what others change at the same time: saved is what was changed here, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app import session
from slim_core.store import Note
from tests.app.conftest import Show, Sign


@pytest.mark.usefixtures("filled_home")
def test_a_saved_form_leaves_what_somebody_else_has_written_meanwhile(show: Show) -> None:
    store = session.store()
    run = store.runs.all(kind="train")[0]
    app = show("jobs", run=run.id)
    store.notes.write(run.id, name="Named by Ben", text="Ben's note", tags=["ben"], by="ben")
    app.text_area(key=f"note-{run.id}").set_value("Mine")
    next(one for one in app.button if one.label == "Save").click().run()
    assert not app.exception and not app.error
    assert store.runs.fetch(run.id).name == "Named by Ben"
    assert store.notes.fetch(run.id) == Note("Mine", ("ben",))


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_session_of_another_person_does_not_undo_what_is_private(show: Show, as_person: Sign) -> None:
    (campaign,) = session.store().campaigns.all()
    session.store().members.set_role("ada@example.org", "admin", by="root")
    as_person("ada@example.org")
    key = f"campaign-private-{campaign.id}"
    one, other = (show("annotate", campaign=campaign.id, section="campaign") for _ in range(2))
    one.toggle(key=key).set_value(True).run()
    other.run()
    assert session.store().campaigns.fetch(campaign.id).private
    assert other.toggle(key=key).value is True
    other.toggle(key=key).set_value(False).run()
    assert not session.store().campaigns.fetch(campaign.id).private


@pytest.mark.usefixtures("filled_home")
def test_a_deadline_that_was_moved_by_somebody_else_is_shown(show: Show) -> None:
    (campaign,) = session.store().campaigns.all()
    app = show("annotate", campaign=campaign.id, section="campaign")
    session.store().campaigns.set_deadline(campaign.id, datetime(2031, 5, 2, tzinfo=UTC))
    app.run()
    field = app.date_input(key=f"deadline-{campaign.id}")
    assert str(field.value) == "2031-05-01"
    assert app.button(key="campaign-deadline-set").disabled
