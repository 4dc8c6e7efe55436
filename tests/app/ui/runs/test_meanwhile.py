"""What ends while a page is drawn, between two of its reads, is on the page."""

from __future__ import annotations

from typing import Any

import pytest

from app import session
from app.ui import pipeline, progress
from slim_core.steps.registry import parse_spec
from slim_core.store import Run
from tests.app.as_if import as_if_status
from tests.app.conftest import texts

pytestmark = pytest.mark.usefixtures("filled_home")
TRAINING = {"kind": "train", "model": "small-resnet", "seed": 7}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a page runs by itself here: it does not wait for that."""
    monkeypatch.setattr(progress, "PAUSE_S", 0.0)


def ends_late(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """The run is under way, and ends when the page comes to what is under way: all above that was read before."""
    as_if_status(run, "queued")
    read = progress._under_way_and_newest

    def read_later(*about: str | None) -> list[Run]:
        if session.store().runs.fetch(run.id).status == "queued":
            as_if_status(run, "done")
        return read(*about)

    monkeypatch.setattr(progress, "_under_way_and_newest", read_later)


def only(kind: str) -> Run:
    """The newest run of a kind, of which there is no other."""
    runs = session.store().runs
    newest, *others = runs.all(kind=kind)
    for one in others:
        runs.delete(one.id)
    return newest


@pytest.mark.usefixtures("at_once")
def test_an_evaluation_is_compared_that_ends_while_compare_is_drawn(show, monkeypatch) -> None:
    ends_late(monkeypatch, only("evaluate"))
    app = show("compare")
    assert "No model is evaluated yet." not in texts(app) and len(app.dataframe[0].value) == 1


@pytest.mark.usefixtures("at_once")
def test_an_evaluation_is_on_the_page_of_its_model_that_ends_while_that_is_drawn(show, monkeypatch) -> None:
    evaluation = only("evaluate")
    ends_late(monkeypatch, evaluation)
    app = show("train", run=evaluation.spec["model"])
    assert "Evaluate the model to see the images of each group." not in texts(app)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("kind", "page", "todo"),
    [
        ("gradcam", "attention", "press *Compute attention maps*"),
        ("space", "space", "press *Build the space*"),
        ("curate", "curate", "press *Curate this subset*"),
    ],
)
def test_what_a_page_needs_is_on_it_that_ends_while_it_is_drawn(show, monkeypatch, kind, page, todo) -> None:
    ends_late(monkeypatch, only(kind))
    assert todo not in texts(show(page))


@pytest.mark.usefixtures("at_once", "waiting_queue")
def test_a_result_is_on_overview_that_ends_while_something_else_is_under_way(show, monkeypatch) -> None:
    runs = session.store().runs
    evaluation = next(one for one in runs.all(kind="evaluate") if "slim" in (one.name or ""))
    runs.submit(parse_spec(TRAINING | {"dataset": evaluation.dataset_id}))
    ends_late(monkeypatch, evaluation)
    assert "Not known yet" not in texts(show("overview"))


@pytest.mark.usefixtures("at_once")
def test_a_space_is_on_compare_that_ends_while_that_is_drawn(show, monkeypatch) -> None:
    space, shown = only("space"), pipeline.show
    as_if_status(space, "queued")

    def show_later(*about: Any) -> frozenset[str]:
        as_if_status(space, "done")
        return shown(*about)

    monkeypatch.setattr(pipeline, "show", show_later)
    app = show("compare", view="Space")
    assert app.button(key="build-spaces").label == "Build it", "that of the other model is missing"


def test_the_page_is_drawn_whole_before_it_is_drawn_again(show, monkeypatch) -> None:
    """Where runs end each second, it would never come to its end."""
    ends_late(monkeypatch, only("evaluate"))
    app = show("compare")
    assert "No model is evaluated yet." in texts(app) and "**Next:**" in texts(app), "as it was read"


@pytest.mark.usefixtures("at_once")
def test_it_is_not_drawn_again_for_a_run_that_it_does_not_show(show, monkeypatch) -> None:
    runs = session.store().runs
    training, _ = runs.submit(parse_spec(TRAINING | {"dataset": only("evaluate").dataset_id}))
    ends_late(monkeypatch, training)
    asked = []
    monkeypatch.setattr(progress, "_draw_again", asked.append)
    show("compare")
    assert not asked and runs.fetch(training.id).status == "done"
    ends_late(monkeypatch, only("evaluate"))
    show("compare")
    assert len(asked) == 1
