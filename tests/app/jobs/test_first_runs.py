"""Jobs of a home in which nothing has run yet."""

from __future__ import annotations

import pytest

from app import session
from slim_core.steps.specs import parse_spec
from tests.app.conftest import cells, texts


@pytest.mark.usefixtures("empty_home")
def test_without_runs_and_without_redis_the_page_says_what_to_do(show) -> None:
    app = show("jobs")
    assert any("start" in error.value for error in app.error)
    assert "no runs yet" in app.info[0].value
    assert "register a folder" in texts(app) and "continue the loop" not in texts(app)


def test_runs_are_filtered_by_each_version_of_a_data_set(show, versions) -> None:
    store, model = session.store(), {"kind": "train", "model": "small-resnet"}
    runs = {one.id: store.runs.submit(parse_spec({**model, "dataset": one.id}))[0] for one in versions}
    app = show("jobs")
    next(one for one in app.button if one.label == "More filters").click().run()
    for dataset, run in runs.items():
        app.selectbox(key="data").select(dataset).run()
        assert [row[-1] for row in cells(app, "Runs")] == [run.id]
