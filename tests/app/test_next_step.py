"""Every page ends with the one next step: empty, with data alone, filled, and after its files were lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app import navigation, session
from slim_core.steps.specs import parse_spec
from tests.app.conftest import worker_online

PAGES = [name for entries in navigation.PAGES.values() for name, _ in entries if name not in navigation.FOR_ADMINS]


def next_steps(app) -> list[str]:
    return [text.value for text in app.markdown if text.value.startswith("**Next:**")]


@pytest.mark.usefixtures("empty_home")
@pytest.mark.parametrize("page", PAGES)
def test_on_an_empty_home(show, page: str) -> None:
    assert len(next_steps(show(page))) == 1


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("page", PAGES)
def test_with_data_alone(show, page: str) -> None:
    (step,) = next_steps(show(page))
    assert step.removeprefix("**Next:** ")[0].islower(), "the sentence goes on"


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("page", PAGES)
def test_after_the_whole_loop(show, page: str) -> None:
    assert len(next_steps(show(page))) == 1


@pytest.mark.parametrize("page", PAGES)
def test_after_the_disk_of_results_was_lost(show, filled_home: Path, page: str) -> None:
    shutil.rmtree(filled_home / "runs")
    assert len(next_steps(show(page))) == 1


@pytest.mark.parametrize("section", ["answer", "campaign", "agreement"])
def test_on_each_part_of_the_annotate_page_after_the_space_was_lost(show, filled_home: Path, section: str) -> None:
    (space,) = session.store().runs.all(kind="space")
    shutil.rmtree(filled_home / "runs" / space.id)
    assert len(next_steps(show("annotate", section=section))) == 1


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("section", ["answer", "campaign", "agreement", "new"])
def test_on_each_part_of_the_annotate_page(show, section: str) -> None:
    assert len(next_steps(show("annotate", section=section))) == 1


@pytest.mark.usefixtures("filled_home")
def test_a_way_within_a_page_is_in_the_address(show) -> None:
    """A link to the page one is on would open it, but leave its parameters out of the address."""
    subset = session.store().runs.all(kind="curate")[0]
    app = show("jobs", run=subset.id, about="Lineage")
    links = [one.proto for one in app.get("page_link")]
    assert not [one.query_string for one in links if one.page == "jobs" and one.query_string]
    above = next(one for one in app.button if one.label.startswith("space: ")).click().run()
    assert above.query_params["run"] == subset.spec["space"]


@pytest.mark.usefixtures("filled_home")
def test_a_run_leads_to_its_own_result(show) -> None:
    store = session.store()
    for run in store.runs.all(status="done"):
        assert len(next_steps(show("jobs", run=run.id))) == 1
    subset = store.runs.all(kind="curate")[0]
    (link,) = [one for one in show("jobs", run=subset.id).get("page_link") if one.proto.label == "Result"][-1:]
    assert f"subset={subset.id}" in link.proto.query_string
    assert len(next_steps(show("jobs", run="r-none"))) == 1


def test_a_run_that_failed_leads_to_its_log(show, dataset) -> None:
    worker_online()
    store = session.store()
    run, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    assert "wait for the" in next_steps(show("train", run=run.id))[0]
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "It failed.")
    assert "Read its log" in next_steps(show("jobs"))[0]
    assert "Retry" in next_steps(show("jobs", run=run.id))[0]
    assert "The training failed. Retry it" in next_steps(show("train", run=run.id))[0]


@pytest.mark.usefixtures("dataset")
def test_drawing_leads_to_a_model_where_there_is_none(show) -> None:
    assert "train a reference" in next_steps(show("draw"))[0]


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("page", "not_said"), [("data", "a reference model"), ("attention", "build an")])
def test_no_page_asks_for_a_step_of_the_loop_that_is_done(show, page: str, not_said: str) -> None:
    assert not_said not in next_steps(show(page))[0]


@pytest.mark.usefixtures("filled_home")
def test_while_a_space_is_built_the_page_says_to_wait(show) -> None:
    worker_online()
    store = session.store()
    (space,) = store.runs.all(kind="space")
    store.runs.submit(parse_spec({**space.spec, "seed": 99}))
    store.runs.delete(space.id, cascade=True)
    assert "wait for the" in next_steps(show("space"))[0]
