"""Models without an evaluation: the button that queues it, and why the one before failed."""

from __future__ import annotations

import pytest

from app import session
from slim_core.steps.registry import parse_spec

WHY = "The image img/3.png changed since the import."


@pytest.mark.usefixtures("filled_home")
def test_an_evaluation_that_failed_says_why_and_is_offered_again(show) -> None:
    runs = session.store().runs
    model = next(one for one in runs.all(kind="train") if one.spec.get("subset"))
    (done,) = [one for one in runs.children(model.id) if one.kind == "evaluate"]
    assert not show("compare").error and not show("train", run=model.id).error
    runs.delete(done.id)
    failed, _ = runs.submit(parse_spec(done.spec))
    session.store().attempts.fail(failed.id, session.store().queue.claim(failed.id, "worker", "cpu"), WHY)
    for page, of in ("compare", {}), ("train", {"run": model.id}):
        app = show(page, **of)
        assert not app.exception and [one.value for one in app.error] == [WHY], page
        assert app.button(key="evaluate").label == "Evaluate on test"
        (log,) = [link for link in app.get("page_link") if f"run={failed.id}" in link.proto.query_string]
        assert log.proto.label == "See the log"
    runs.submit(parse_spec(done.spec), force=True)
    assert not show("compare").error, "it is under way again"
