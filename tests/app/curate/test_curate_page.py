"""Curate, empty, filled and failing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from app import session
from app.services import campaign_actions
from app.services.results import space_data
from slim_core.curation import default_subset_size
from slim_core.steps.specs import parse_spec
from slim_core.store import AnswerIn, schema
from slim_core.store.results import ModelResult
from tests.app.conftest import as_if_probed, box, finish, hop, of_a_probe, way_to_retrain
from tests.refusals import missing

pytestmark = pytest.mark.usefixtures("filled_home")


def space_of(app) -> str:
    """The space that is chosen."""
    return app.selectbox(key="pick-space").value


def numbers(app) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.slow
def test_the_preview_follows_size_and_keep_rule(show) -> None:
    app = show("curate")
    app.number_input(key=f"curate-size-{space_of(app)}").set_value(30).run()
    assert numbers(app)["Images"] == "30"
    app.slider(key=f"threshold-curate-slim-{space_of(app)}").set_value(0.0).run()
    assert numbers(app)["Trusted"] == "100\u00a0%"
    app.selectbox(key=f"keep-curate-slim-{space_of(app)}").select("quantile").run()
    app.slider(key=f"quantile-curate-slim-{space_of(app)}").set_value(0.9).run()
    assert int(numbers(app)["Trusted"].rstrip("%")) < 100
    assert not app.exception


def test_of_more_images_than_a_page_chooses_from_in_seconds_the_preview_waits_for_a_press(show, monkeypatch) -> None:
    monkeypatch.setattr("app.services.subset.QUICK_UP_TO", 100)
    app = show("curate")
    assert not numbers(app) and app.button(key="submit-curate")
    app.toggle(key=f"preview-shown-{space_of(app)}").set_value(True).run()
    assert numbers(app)["Images"] and not app.exception


def test_of_a_probe_the_form_and_the_press_on_annotate_begin_with_classes_balanced_twice(show, monkeypatch) -> None:
    monkeypatch.setattr("slim_core.runs.trainings.is_probe", lambda _reference: True)
    app = show("curate")
    assert app.number_input(key=f"curate-size-{space_of(app)}").value == 120  # half of 240
    assert app.selectbox(key=f"environments-curate-slim-{space_of(app)}").value == "both"
    assert numbers(app)["Images"] == "120" and not app.exception
    app.selectbox(key="curate-strategy").select("random").run()
    assert not app.exception and numbers(app)["Images"] == "120"
    campaign = session.store().campaigns.all()[0]
    asked = campaign_actions.subset_spec(campaign)
    assert (asked["size"], asked["options"]) == (120, {"environments": "both"})


@pytest.mark.usefixtures("waiting_queue")
def test_the_subset_that_was_curated_here_is_the_one_to_retrain_on_until_another_is_picked(show) -> None:
    app = show("curate")
    before = box(app, "subset").value
    app.number_input(key=f"curate-size-{space_of(app)}").set_value(30).run()
    app.button(key="submit-curate").click().run()
    (new,) = session.store().runs.all(kind="curate", status="queued")
    assert box(app, "subset").value == before, "it is not there yet"
    finish(new.id, session.store().runs.fetch(before).metrics)
    assert box(app.run(), "subset").value == new.id
    assert app.query_params["subset"] in (new.id, [new.id])
    box(app, "subset").select(before).run()
    assert box(app.run(), "subset").value == before and not app.exception


def test_in_another_space_what_is_usual_there_is_proposed(show) -> None:
    whole = session.store().runs.all(kind="curate", status="done")[0]
    probed, app = of_a_probe(whole), show("curate", space=whole.spec["space"])

    def proposed() -> tuple[int, str]:
        way = app.selectbox(key=f"environments-curate-slim-{space_of(app)}").value
        return app.number_input(key=f"curate-size-{space_of(app)}").value, way

    assert proposed() == (default_subset_size(240), "space")
    app.selectbox(key="pick-space").select(probed.spec["space"]).run()
    assert not app.exception and proposed() == (120, "both"), "half of 240"


@pytest.mark.usefixtures("waiting_queue")
def test_a_strategy_of_groups_that_no_image_of_train_has_is_refused_before_it_is_queued(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    table = store.datasets.table(dataset.id)
    frame = table.frame.assign(attribute=table.frame["attribute"].where(table.splits != "train", -1))
    unknown = replace(table, frame=frame)
    unknown.save(store.artifacts.folder(dataset.id))
    with store.database.write() as connection:
        connection.execute(sa.update(schema.datasets).values(fingerprint=unknown.fingerprint))
    session.reset()
    space_data._load.cache_clear()  # other tests have read the same space, with its attribute
    app = show("curate")
    app.selectbox(key="curate-strategy").select("oracle").run()
    app.button(key="submit-curate").click().run()
    space_data._load.cache_clear()
    (told,) = {one.value for one in app.error}
    assert not missing(told, "oracle", "no attribute", "class-balanced")
    assert session.store().runs.all(kind="curate", status="queued") == [] and not app.exception


@pytest.mark.usefixtures("waiting_queue")
def test_what_would_be_refused_has_no_preview_but_the_reason(show, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show("curate")
    assert "Images" in numbers(app) and not app.error
    facts = ModelResult(session.store().artifacts.folder(session.store().runs.all(kind="train")[0].id)).network
    assert facts is not None
    other = replace(facts, path="gradient")  # as of DenseNet, whose head sees its map behind a ReLU
    monkeypatch.setattr(ModelResult, "network", property(lambda _self: other))
    environments = app.selectbox(key=f"environments-curate-slim-{space_of(app)}")
    environments.select("answers").run()
    (refusal,) = [error.value for error in app.error]
    assert "does not see" in refusal and "Images" not in numbers(app)
    environments.select("both").run()
    assert "Images" in numbers(app) and not app.error and not app.exception


def test_a_campaign_brings_its_space_along_by_a_link_and_from_the_annotate_page(show) -> None:
    store = session.store()
    (space,), (campaign,) = store.runs.all(kind="space"), store.campaigns.all()
    newer, _ = store.runs.submit(parse_spec(space.spec | {"seed": space.spec["seed"] + 1}))
    finish(newer.id, {})
    for app in (show("curate", campaign=campaign.id), hop(show("annotate", campaign=campaign.id), "curate")):
        assert app.selectbox(key="pick-space").value == space.id
        assert app.selectbox(key="pick-campaign").value == campaign.id and not app.error
    chosen = show("curate", campaign=campaign.id, space=newer.id)
    assert chosen.selectbox(key="pick-space").value == newer.id, "a link that names both is taken at its word"


def test_after_a_retraining_the_next_step_is_to_compare(show) -> None:
    texts = [text.value for text in show("curate").markdown]
    (told,) = [text for text in texts if "**Next:**" in text or "evaluated:" in text]
    assert "it changed" in told and "→" in told, "with its figures, in one box"


@pytest.mark.slow
def test_every_strategy_has_a_preview(show) -> None:
    app = show("curate")
    for name in app.selectbox(key="curate-strategy").options:
        app.selectbox(key="curate-strategy").select(name).run()
        assert not app.exception, name
        assert numbers(app)["Images"] == str(default_subset_size(240)), name


def test_classes_are_balanced_twice_where_that_is_chosen_and_the_preview_says_of_which_images(show) -> None:
    app = show("curate")
    app.selectbox(key=f"environments-curate-slim-{space_of(app)}").select("both").run()
    assert not app.exception and not app.error
    assert numbers(app)["Images"] == str(default_subset_size(240))
    assert "Trusted" not in numbers(app) and numbers(app)["Wrong attention"].endswith("%")
    # a model of so few images has fitted them, and what it looks at tells the class: most clusters lack one
    assert all("not balanced in what wrong attention" in one.value for one in app.warning)
    assert int(numbers(app)["Distinct"]) > 20
    assert not [one for one in app.slider if "threshold" in one.key], "it has no effect here"


def test_with_answers_that_are_all_wrong_the_loop_goes_on_without_trust_and_says_so(show) -> None:
    store = session.store()
    (campaign,) = store.campaigns.all()
    wrong = [AnswerIn(f"wrong-{item.id}", item.id, 0) for item in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, "simulated annotator", wrong)
    app = show("curate")
    assert any("trusted above another" in one.value for one in app.warning)
    assert numbers(app)["Trusted"] == "not used"
    app.selectbox(key="curate-strategy").select("slim-reference").run()
    assert any("to choose from" in one.value for one in app.error)


def test_retraining_queues_the_model_and_its_evaluation(show) -> None:
    app = show("curate")
    way_to_retrain(app).select("last-layer").run()
    app.button(key="retrain").click().run()
    assert not app.exception
    store = session.store()
    train = store.runs.all(kind="train", status="queued")
    assert [run.spec["mode"] for run in train] == ["last-layer"]
    assert train[0].spec["subset"] == store.runs.all(kind="curate")[0].id
    assert train[0].name == "Retrained on slim (last layer by l1), seed 0", "lists and cards tell it from its reference"
    for way, says in (("scratch", "from scratch"), ("reference", "from reference")):
        way_to_retrain(app).select(way).run()
        app.button(key="retrain").click().run()
        assert store.runs.all(kind="train", status="queued")[0].name == f"Retrained on slim ({says}), seed 0"


@pytest.mark.usefixtures("waiting_queue")
def test_a_press_lets_answers_enter_the_fit_of_a_last_layer_and_the_page_says_so(show, monkeypatch) -> None:
    store = session.store()
    subset = store.runs.all(kind="curate")[0]
    assert not any("enter the fit" in one.value for one in show("curate").caption), "of a whole network"
    as_if_probed(subset, monkeypatch)
    app = show("curate")
    assert way_to_retrain(app).value == "last-layer"
    assert any("enter the fit" in one.value for one in app.caption)
    app.button(key="retrain").click().run()
    assert not app.exception and not app.error
    (train,) = store.runs.all(kind="train", status="queued")
    asked = {name: subset.spec[name] for name in ("campaign", "answers_seq")}
    assert train.spec["refit"] == "answered" and asked.items() <= train.spec["refit_options"].items()
    assert train.name == "Retrained on slim (last layer with answers), seed 0"
    way_to_retrain(app).select("reference").run()
    assert not any("enter the fit" in one.value for one in app.caption)


def test_a_campaign_without_an_answer_has_a_sentence_in_place_of_an_empty_chart(show) -> None:
    from slim_core.annotation.plan import Plan, open_campaign

    store = session.store()
    space = store.runs.all(kind="space")[0]
    empty = open_campaign(store, Plan(space.id, {0: 2, 1: 2}), "lea")
    app = show("curate", space=space.id, campaign=empty.id)
    assert any("yet: every score" in caption.value for caption in app.caption)
    (answered,) = [one for one in store.campaigns.all() if one.id != empty.id]
    n_charts = len(app.get("plotly_chart"))
    assert len(show("curate", space=space.id, campaign=answered.id).get("plotly_chart")) == n_charts + 1
