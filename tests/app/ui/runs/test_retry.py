"""A run that ended without a result is followed: others may queue it again."""

from __future__ import annotations

import pytest

from app import session
from app.ui import run_state
from tests.app.as_if import as_if_status
from tests.app.conftest import texts


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
