"""A page that needs an earlier step says how to take it, that it is under way, or why it failed."""

from __future__ import annotations

import pytest

from app import session
from slim_core.steps.specs import CurateSpec, GradcamSpec, SpaceSpec
from slim_core.store import Dataset, Run
from tests.app.conftest import finish, worker_online
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
    attempts = session.store().attempts
    attempts.fail(run.id, attempts.claim(run.id, "worker", "cpu"), "The disk is full.")


@pytest.mark.parametrize("page", MAKES)
def test_a_page_says_how_to_make_what_it_needs_that_it_is_being_made_and_why_it_failed(
    page: str, dataset: Dataset, show
) -> None:
    def told() -> str:
        app = show(page, dataset=dataset.id)
        assert not app.exception
        return " ".join(text.value for text in [*app.markdown, *app.info, *app.error])

    worker_online()
    assert "yet" in told() and "wait for the run above" not in told()
    run = submit(dataset, MAKES[page])
    assert "wait for the run above" in told() and "yet" not in told()
    fail(run)
    assert "yet" in told() and "The disk is full." in told() and "wait for the run above" not in told()


@pytest.mark.parametrize("page", ["space", "annotate", "curate"])
def test_a_page_leads_to_the_first_step_that_is_missing(page: str, dataset: Dataset, show) -> None:
    def told() -> str:
        (found,) = [text.value for text in show(page, dataset=dataset.id).markdown if "**Next:**" in text.value]
        return found

    first = "**Next:** train a model; attention maps and the space follow from it."
    assert told() == first
    fail(submit(dataset, "train"))
    assert told() == first
    model = submit(dataset, "train")
    assert "compute the attention maps" in told(), "the training is under way"
    finish(model.id, {})
    assert "compute the attention maps" in told()
    maps, _ = session.store().runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    finish(maps.id, {})
    assert ("Build the space" if page == "space" else "build an attention space") in told()


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


@pytest.mark.parametrize(("page", "kind"), [("attention", "gradcam"), ("space", "space"), ("curate", "curate")])
def test_a_page_waits_for_its_own_step_whoever_has_queued_it(page: str, kind: str, dataset: Dataset, show) -> None:
    def told() -> list[str]:
        return [text.value for text in show(page, dataset=dataset.id).markdown if "**Next:**" in text.value]

    worker_online()
    run = submit(dataset, kind)
    assert any("wait for the" in text for text in told()) and not any("press" in text for text in told())
    (row,) = show(page, dataset=dataset.id).get("progress")
    assert row.proto.text == "waiting for a worker", "it is followed"
    session.store().attempts.request_stop(run.id)
    assert any("press" in text for text in told())


@pytest.mark.parametrize("page", ["annotate", "curate", "space"])
def test_a_failed_training_beside_one_that_is_done_is_not_what_is_in_the_way(page: str, dataset: Dataset, show) -> None:
    done, _ = session.store().runs.submit(train_spec(dataset))
    failed, _ = session.store().runs.submit(train_spec(dataset, seed=7), name="large *steps*")
    fail(failed)
    app = show(page, dataset=dataset.id)
    assert not app.error, "the other training may still end well"
    finish(done.id, {})
    assert not show(page, dataset=dataset.id).error
    maps, _ = session.store().runs.submit(GradcamSpec(dataset=dataset.id, model=done.id))
    fail(maps)
    app = show(page, dataset=dataset.id)
    assert [one.value for one in app.error] == [f"The attention maps run {maps.id} failed: The disk is full."]


def test_a_subset_of_another_space_that_failed_is_not_in_the_way_of_this_one(dataset: Dataset, show) -> None:
    fail(submit(dataset, "curate"))
    (other,) = session.store().runs.all(kind="space")
    one, _ = session.store().runs.submit(SpaceSpec.model_validate({**other.spec, "n_clusters": 3}))
    finish(one.id, {})
    told = [text.value for text in show("curate", dataset=dataset.id, space=one.id).error]
    assert not any("The disk is full." in text for text in told)
    told = [text.value for text in show("curate", dataset=dataset.id, space=other.id).error]
    assert any("The disk is full." in text for text in told)


def test_curation_waits_for_a_space_of_training_images_and_for_no_other(dataset: Dataset, show) -> None:
    def told() -> list[str]:
        return [text.value for text in show("curate", dataset=dataset.id).markdown if "**Next:**" in text.value]

    worker_online()
    maps = submit(dataset, "gradcam")
    finish(maps.id, {})
    session.store().runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id, split="val"))
    assert told() == ["**Next:** build an attention space of the training images."], "that of val does not help"
    session.store().runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id))
    assert ["wait for the run above" in text for text in told()] == [True]
