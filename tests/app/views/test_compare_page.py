"""Compare, empty, filled and failing."""

from __future__ import annotations

import pytest

from app import session


@pytest.mark.usefixtures("empty_home")
def test_without_data_the_page_sends_to_the_data_page(show) -> None:
    assert any("register a folder" in text.value for text in show("compare").markdown)


def test_without_a_model_the_page_sends_to_training(show, dataset) -> None:
    assert dataset is not None
    assert any("train a model" in text.value for text in show("compare").markdown)


@pytest.mark.usefixtures("filled_home")
def test_runs_stand_side_by_side_with_what_they_cost(show) -> None:
    app = show("compare")
    table = app.dataframe[0].value
    evaluations = session.store().runs.all(kind="evaluate")
    assert table["wga"].tolist() == pytest.approx([100 * one.metrics["wga"] for one in reversed(evaluations)])
    assert table["answers"].tolist() == [0, 24]
    assert table["share"].tolist() == pytest.approx([0, 10])
    assert len(app.get("plotly_chart")) == 3


@pytest.mark.usefixtures("filled_home")
def test_a_link_brings_back_the_runs_and_the_baseline(show) -> None:
    first, second = (one.id for one in session.store().runs.all(kind="evaluate"))
    app = show("compare", runs=first, baseline=first)
    assert app.multiselect[0].value == [first]
    assert len(app.dataframe[0].value) == 1
    app = show("compare", runs=f"{second},{first}", baseline=first)
    assert app.selectbox(key="compare-baseline").value == first


@pytest.mark.usefixtures("filled_home")
def test_with_no_run_chosen_the_page_says_what_to_do(show) -> None:
    app = show("compare")
    app.multiselect[0].set_value([]).run()
    assert any("Choose the runs" in info.value for info in app.info)


@pytest.mark.usefixtures("filled_home")
def test_a_model_without_evaluation_can_be_evaluated_from_here(show) -> None:
    store = session.store()
    doomed = store.runs.all(kind="evaluate")[0]
    store.runs.delete(doomed.id)
    app = show("compare")
    app.button(key="evaluate").click().run()
    assert not app.exception
    assert [run.spec["model"] for run in store.runs.all(kind="evaluate", status="queued")] == [doomed.spec["model"]]
