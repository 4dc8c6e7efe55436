"""A campaign on a space of features alone: what people are asked about is shown from another pass of the model."""

from __future__ import annotations

import shutil

import pytest

from app import session
from app.services.results import space_data
from slim_core import result_files
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.steps.passes import NOT_KEPT, SCORES
from slim_core.steps.registry import parse_spec
from slim_core.store import AnswerIn, Campaign, Run
from slim_core.store.results import AttentionResult
from tests.app.annotate.test_campaign_parts import button, part
from tests.app.conftest import Show, drawn, finish

pytestmark = pytest.mark.usefixtures("filled_home")


def attention() -> Run:
    """The pass with maps."""
    return session.store().runs.all(kind="gradcam")[0]


@pytest.fixture
def space() -> Run:
    """As a features run and a space of it would leave them, of the images and the model of ``attention``."""
    store, seen = session.store(), attention()
    known = next(run for run in store.runs.all(kind="space") if run.spec["attention"] == seen.id)
    spec = {name: value for name, value in seen.spec.items() if name != "shapes_seq"}
    features, _ = store.runs.submit(parse_spec(spec | {"kind": "features"}))
    folder = store.artifacts.attempt(features.id, 1)
    shutil.copytree(store.artifacts.folder(seen.id), folder, dirs_exist_ok=True)
    for name in NOT_KEPT:
        (folder / name).unlink(missing_ok=True)
    scores = AttentionResult(folder).scores(list(SCORES))
    scores.to_parquet(folder / result_files.SCORES, index=False)
    finish(features.id, {})
    made, _ = store.runs.submit(parse_spec(known.spec | {"attention": features.id}))
    finish(made.id, known.metrics or {}, like=known)
    return store.runs.fetch(made.id)


@pytest.fixture
def disputed(space: Run) -> Campaign:
    """Ann and Ben contradict each other about every image."""
    store = session.store()
    campaign = open_campaign(store, Plan(space.id, {0: 2, 1: 2}, overlap=2, n_gold=1), "lea")
    for value, who in enumerate(("ann", "ben")):
        items = store.campaigns.items(campaign.id)
        store.answers.save(campaign.id, who, [AnswerIn(f"{who}-{item.id}", item.id, value) for item in items])
    return campaign


def test_a_lead_sees_the_attention_that_they_decide_about(disputed: Campaign):
    app = part("agreement", disputed.id)
    assert f"run={attention().id}" in drawn(app)
    button(app, "decide-1").click().run()
    (decided,) = [row for row in session.store().answers.audit(disputed.id) if row["source"] == "decision"]
    assert (decided["seen"]["run"], decided["seen"]["view"]) == (attention().id, "image and overlay")


def test_a_lead_sees_the_attention_of_a_gold_image(disputed: Campaign):
    assert f"run={attention().id}" in drawn(part("manage.show_gold", disputed.id))


def test_the_space_page_shows_that_attention_until_its_pass_is_deleted(space: Run, show: Show):
    shown = attention()
    assert f"run={shown.id}" in drawn(show("space", space=space.id)) and space_data.load(space.id).maps == shown.id
    session.store().runs.delete(shown.id, by="lea", cascade=True)
    assert f"run={shown.id}" not in drawn(show("space", space=space.id)) and space_data.load(space.id).maps is None
