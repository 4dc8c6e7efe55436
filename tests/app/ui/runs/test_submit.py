"""A step that is there already is offered with a link instead of being queued twice."""

from __future__ import annotations

import pytest

from app import session


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
