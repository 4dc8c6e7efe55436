"""Space, empty, filled and failing. What the browser draws is tested in tests/browser."""

from __future__ import annotations

import re
import shutil

import pytest

from app import session
from slim_core.annotation.plan import create_campaign
from slim_core.runs.executor import open_workbench
from slim_core.steps.specs import parse_spec
from tests.app.conftest import drawn, finish

pytestmark = pytest.mark.usefixtures("filled_home")


@pytest.mark.slow
def test_every_colouring_of_a_filled_space_can_be_chosen(show) -> None:
    app = show("space")
    colours = app.selectbox(key="pick-colour")
    assert {"group", "prediction", "attention precision", "propagated score", "answer"} <= set(colours.options)
    for name in colours.options:
        app.selectbox(key="pick-colour").select(name).run()
        assert not app.exception, name


def test_a_link_opens_the_space_it_names(show) -> None:
    run = session.store().runs.all(kind="space")[0]
    assert show("space", dataset=run.dataset_id, run=run.id).selectbox(key="pick-run").value == run.id


def test_the_next_step_follows_from_the_newest_campaign_on_the_space(show) -> None:
    def told() -> str:
        return next(one.value for one in show("space").markdown if "**Next:**" in one.value)

    store = session.store()
    assert "curate a subset" in told(), "all its images are answered"
    create_campaign(store, store.runs.all(kind="space")[0], share=0.1, seed=1, name="One *more*")
    assert "the images of One" in told()


def test_a_space_whose_attention_was_removed_from_disk_is_told_in_a_sentence(show) -> None:
    store = session.store()
    run = store.runs.all(kind="gradcam")[0]
    shutil.rmtree(store.artifacts.folder(run.id))
    from app.services.results import attention_scores, space_data

    space_data._load.cache_clear()
    attention_scores._frame.cache_clear()
    app = show("space")
    assert any(run.id in error.value for error in app.error)


def test_once_the_images_are_scored_again_their_cards_have_another_address(show, client) -> None:
    store = session.store()
    space = store.runs.all(kind="space")[0]
    row = int(store.datasets.table(space.dataset_id).rows("train")[0])

    def card() -> str:
        (address,) = set(re.findall(r"/api/points/[^\"\\]*/at/AT[^\"\\]*", drawn(show("space"))))
        return address

    before = card()
    assert card() == before, "browsers keep it"
    store.shapes.keep(space.dataset_id, row, [[[2, 2], [20, 2], [20, 12], [2, 12]]], (28, 28), id="a")
    bench = open_workbench(device="cpu")
    scored = bench.run(parse_spec(store.runs.fetch(space.spec["attention"]).spec))
    bench.store.close()
    assert scored.spec["shapes_seq"] and card() != before
    assert client.get(card().replace("AT", "0")).json()["row"] == row


def test_a_space_of_other_images_leads_to_that_of_the_training_images(show) -> None:
    store = session.store()
    (space,) = store.runs.all(kind="space")
    other, _ = store.runs.submit(parse_spec({**space.spec, "split": "test"}))
    finish(other.id, {}, like=space)

    def told(**link: str) -> str:
        return next(one.value for one in show("space", **link).markdown if "**Next:**" in one.value)

    assert "training images. This space shows test images" in told(run=other.id)
    store.runs.delete(space.id, cascade=True)
    assert "press *Build the" in told()
