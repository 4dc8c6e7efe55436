"""A page that needs an earlier step says how to take it, that it is under way, or why it failed."""

from __future__ import annotations

import pytest

from app import session
from slim_core.steps.specs import CurateSpec, GradcamSpec, SpaceSpec
from slim_core.store import Dataset, Run
from tests.app.conftest import finish
from tests.slim_core.store.store_makers import train_spec

MAKES = {"compare": "train", "attention": "train", "space": "gradcam", "curate": "space", "annotate": "space"}


def submit(dataset: Dataset, kind: str) -> Run:
    """A run of that kind that waits; those before it are done."""
    specs = {
        "train": lambda _: train_spec(dataset),
        "gradcam": lambda model: GradcamSpec(dataset=dataset.id, model=model.id),
        "space": lambda attention: SpaceSpec(dataset=dataset.id, attention=attention.id),
        "curate": lambda space: CurateSpec(dataset=dataset.id, space=space.id, strategy="random", size=10),
    }
    run = None
    for name, spec in specs.items():
        if run is not None:
            finish(run.id, {})
        run, _ = session.store().runs.submit(spec(run))
        if name == kind:
            return run
    raise ValueError(kind)


def fail(run: Run) -> None:
    queue, attempts = session.store().queue, session.store().attempts
    attempts.fail(run.id, queue.claim(run.id, "worker", "cpu"), "The disk is full.")


@pytest.mark.parametrize("page", MAKES)
def test_a_page_says_how_to_make_what_it_needs_that_it_is_being_made_and_why_it_failed(
    page: str, dataset: Dataset, show
) -> None:
    def told() -> str:
        app = show(page, dataset=dataset.id)
        assert not app.exception
        return " ".join(text.value for text in [*app.markdown, *app.info, *app.error])

    assert "yet" in told() and "wait for the run above" not in told()
    run = submit(dataset, MAKES[page])
    assert "wait for the run above" in told() and "yet" not in told()
    fail(run)
    assert "yet" in told() and "The disk is full." in told() and "wait for the run above" not in told()


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("attention", "gradcam"),  # its own step
        ("space", "space"),
        ("curate", "curate"),
        ("space", "train"),  # one before the step that it needs
        ("curate", "train"),
        ("annotate", "gradcam"),
        ("overview", "train"),
        ("overview", "space"),
    ],
)
def test_a_page_without_results_says_why_the_last_try_at_them_or_before_them_failed(
    page: str, kind: str, dataset: Dataset, show
) -> None:
    fail(submit(dataset, kind))
    app = show(page, dataset=dataset.id)
    assert not app.exception
    told = [text.value for text in [*app.markdown, *app.error] if "The disk is full." in text.value]
    assert len(told) == 1
