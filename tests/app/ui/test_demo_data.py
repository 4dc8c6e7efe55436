"""The demo data, at a press."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import RerunData, RerunException

from app import session
from app.services import actions
from slim_core.data.importing import import_data
from slim_core.errors import DataRefusedError
from tests.app.conftest import button


@pytest.mark.parametrize("page", ["overview", "data"])
@pytest.mark.usefixtures("empty_home")
def test_a_click_elsewhere_while_the_demo_is_drawn_begins_that_anew_and_loses_nothing(
    show, small_demo: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    begun = []

    def cut_short(*_progress: object) -> object:
        begun.append(page)
        if len(begun) == 1:
            raise RerunException(RerunData())  # as a bar does once the page has heard of a click
        return session.store().datasets.register(import_data(small_demo))

    monkeypatch.setattr(actions, "register_demo", cut_short)
    app = button(show(page), "Try the demo").click().run()
    assert [one.n_images for one in session.store().datasets.all()] == [40]
    assert not app.run().exception and len(begun) == 2, "and not a second time"


@pytest.mark.usefixtures("empty_home")
def test_a_demo_that_cannot_be_written_is_not_tried_again_by_itself(show, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def refuse(*_progress: object) -> object:
        begun.append(1)
        raise DataRefusedError("no room")

    monkeypatch.setattr(actions, "register_demo", refuse)
    app = button(show("overview"), "Try the demo").click().run()
    assert [one.value for one in app.error] == ["no room"]
    assert not app.run().error and len(begun) == 1
