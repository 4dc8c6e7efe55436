"""Overview, empty and filled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pandas as pd
import pytest
from streamlit.proto.Metric_pb2 import Metric as MetricProto
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from app import session
from app.overview.loop import USUAL
from app.services import actions, loop_state
from app.services.results import comparison
from app.services.results.comparison import predictions_of
from app.session import Viewer
from app.ui import run_state
from slim_core.evaluation.charts.layout import CHOSEN, WORST
from slim_core.evaluation.verdict import Answer, Verdict
from slim_core.formatting import percent
from slim_core.runs.methods import METHODS
from slim_core.steps.specs import parse_spec
from slim_core.store import Run
from tests.app.as_if import as_if, as_if_not_scored, drawn_on
from tests.app.conftest import as_good_on, button, finish, newest_pipeline
from tests.refusals import missing

if TYPE_CHECKING:
    from starlette.testclient import TestClient


DONE, QUEUED, RUNNING = "check_circle", "schedule", "pending"  # symbols of steps


def texts(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def n_steps(app, state: str) -> int:
    """How many steps of the strip are so."""
    return sum(f":material/{state}:" in link.proto.label for link in app.get("page_link"))


def results(app) -> Selectbox[str]:
    return next(one for one in app.selectbox if one.label == "Result")


@pytest.mark.usefixtures("empty_home")
def test_a_first_visit_is_told_to_register_data_and_offered_the_demo(show) -> None:
    app = show("overview")
    assert "register a folder" in texts(app)
    assert [button.label.startswith("Try the demo") for button in app.button] == [True]
    assert not app.metric


@pytest.mark.usefixtures("dataset")
def test_with_data_one_button_leads_up_to_the_questions(show) -> None:
    app = show("overview")
    assert "find out where small-resnet looks after 100 epochs" in texts(app)
    assert n_steps(app, DONE) == 1
    app.number_input(key=f"epochs-loop-{session.store().datasets.all()[0].id}").set_value(3).run()
    app.button(key="loop-questions").click().run()
    assert not app.exception
    queued = {run.kind: run for run in session.store().runs.all(status="queued")}
    assert set(queued) == {"train", "gradcam", "space", "evaluate", "candidates"}
    assert queued["train"].spec["epochs"] == 3
    app = show("overview")
    assert "attention, select candidates**" in texts(app), "also in a browser that comes later"
    assert "Step 1 of 5: train" in app.get("progress")[0].proto.text and "loop-questions" not in keys(app)
    assert len(app.get("progress")) == 1, "one line for all steps, none for each"
    assert n_steps(app, QUEUED) == 3 and not n_steps(app, RUNNING), "train, attention and space wait"
    app.button(key=f"stop-{newest_pipeline(queued['train'].dataset_id).id}").click().run()
    assert {run.status for run in session.store().runs.all()} == {"canceled"}
    app.button(key=f"resume-{newest_pipeline(queued['train'].dataset_id).id}").click().run()
    assert {run.status for run in session.store().runs.all()} == {"queued"}


@pytest.mark.usefixtures("waiting_queue")
def test_a_pipeline_that_waits_says_how_many_runs_come_first(show, older, dataset) -> None:
    store, asked = session.store(), {"kind": "train", "dataset": older.id, "model": "small-resnet"}
    first, second = (store.runs.submit(parse_spec(asked | {"seed": seed}), by="local")[0] for seed in (7, 8))
    show("overview", dataset=dataset.id).button(key="loop-questions").click().run()
    assert "2 runs come first · by local" in texts(show("overview", dataset=dataset.id))
    store.attempts.claim(first.id, "w", "cpu")
    assert "1 run comes first · by local" in texts(show("overview", dataset=dataset.id))
    store.attempts.request_stop(second.id)
    assert "first · by" not in texts(show("overview", dataset=dataset.id))


@pytest.mark.usefixtures("waiting_queue")
def test_how_many_images_are_asked_about_is_typed_in_percent(show, dataset) -> None:
    asked = show("overview").number_input(key=f"share-loop-{dataset.id}")
    assert (asked.label, asked.min, asked.max) == ("Images asked about, %", 0, 100)
    app = asked.set_value(7).run()
    app.button(key="loop-questions").click().run()
    (candidates,) = session.store().runs.all(kind="candidates")
    assert candidates.spec["share"] == 0.07, "as on the command line"


@pytest.mark.usefixtures("waiting_queue")
def test_a_press_queues_all_its_steps_though_another_page_is_opened_meanwhile(show, dataset, monkeypatch) -> None:
    def require_possible(*_: object) -> None:
        """What a click on another page leads to, while the first step is being checked."""
        requests = get_script_run_ctx().script_requests
        requests.request_rerun(RerunData(widget_states=None))

    app = show("overview")
    monkeypatch.setattr(actions, "require_possible", require_possible)
    app.button(key="loop-questions").click().run()
    (pipeline,) = session.store().pipelines.all(dataset.id)
    assert [run.kind for run in pipeline.runs] == ["train", "gradcam", "space", "evaluate", "candidates"]


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_the_next_step_names_what_is_not_known_yet_and_its_button_what_it_queues(show) -> None:
    def proposed(*unknown: str) -> tuple[list[str], str]:
        app = show("overview")
        said = next(one.value for one in app.markdown if one.value.startswith("**Next:**"))
        return missing(said, *unknown), app.button(key="loop-questions").label

    store = session.store()
    for run in store.runs.all(kind="space"):
        store.runs.delete(run.id, cascade=True)
    assert proposed("which images") == ([], "Select candidates")
    for run in store.runs.all(kind="evaluate"):
        store.runs.delete(run.id, cascade=True)
    assert proposed("gets wrong", "which images") == ([], "Select candidates")
    for run in store.runs.all(kind="gradcam"):
        store.runs.delete(run.id, cascade=True)
    told, pressed = proposed("model looks", "gets wrong", "which images")
    assert not told and pressed.startswith("Map attention, ")
    show("overview").button(key="loop-questions").click().run()
    assert {run.kind for run in store.runs.all(status="queued")} == {"gradcam", "space", "evaluate", "candidates"}


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_answers_lead_to_the_comparison_by_one_button_and_its_end_are_the_figures(show) -> None:
    store = session.store()
    after = next(run for run in store.runs.all(kind="evaluate") if "slim" in run.name)
    store.runs.delete(after.id)
    app = show("overview")
    app.button(key="loop-comparison").click().run()
    pipeline = newest_pipeline(after.dataset_id)
    assert pipeline.kind == "comparison"
    for run in pipeline.runs:  # as workers would
        if run.status == "queued":
            done = {"wga": 0.25, "average": 0.5, "worst_group": "0, sky", "groups": after.metrics["groups"]}
            finish(run.id, {**after.metrics, **done} if run.kind == "evaluate" else {"images": 1, "images_unique": 1})
    told = texts(show("overview")).replace("\u00a0", " ")
    assert "evaluated: worst group" in told and "**50.0 %**" in told


@pytest.mark.usefixtures("dataset", "waiting_queue")
def test_a_step_that_failed_says_so_once(show) -> None:
    train, store = queued_training(show), session.store()
    store.attempts.fail(train.id, store.attempts.claim(train.id, "w", "cpu"), "No memory.")
    app = show("overview")
    captions = [caption.value for caption in app.caption]
    assert texts(app).count("No memory.") == 1 and "failed" not in captions
    assert "Train step failed. *Resume* it above, or" in texts(app)
    assert f"retry-{train.id}" not in keys(app), "one button is enough"


def queued_training(show) -> Run:
    """The training that the press for the questions has queued."""
    show("overview").button(key="loop-questions").click().run()
    return next(run for run in session.store().runs.all(status="queued") if run.kind == "train")


@pytest.mark.usefixtures("dataset", "waiting_queue")
def test_after_a_training_whose_settings_were_refused_the_same_again_is_not_the_first_thing_to_press(show) -> None:
    train, store = queued_training(show), session.store()
    token = store.attempts.claim(train.id, "w", "cpu")
    store.attempts.fail(train.id, token, "The loss became nan.", error="SpecRefusedError")
    app, resume = show("overview"), f"resume-{newest_pipeline(train.dataset_id).id}"
    assert "settings; *Resume* it above once the cause" in texts(app)
    assert app.button(key=resume).proto.type == "secondary" == run_state.retry_emphasis(store.runs.fetch(train.id))
    app.button(key=resume).click().run()
    store.attempts.fail(train.id, store.attempts.claim(train.id, "w", "cpu"), "No room.", error="OSError")
    assert show("overview").button(key=resume).proto.type == "primary"


@pytest.mark.usefixtures("waiting_queue")
def test_after_a_first_training_that_failed_it_is_retried_or_trained_with_other_settings(
    show, dataset, monkeypatch
) -> None:
    store, asked = session.store(), {"kind": "train", "dataset": dataset.id, "model": "small-resnet", "epochs": 7}
    train, _ = store.runs.submit(parse_spec(asked), by="tests")
    store.attempts.fail(train.id, store.attempts.claim(train.id, "w", "cpu"), "The loss became nan.")
    app = show("overview")
    why = "step failed: The loss became nan. "
    assert why in texts(app)
    queued: list[tuple[str, ...]] = []
    queue = SimpleNamespace(retry=lambda *about: queued.append(about), submit=lambda *_runs: None)
    monkeypatch.setattr(session, "queue", lambda: queue)
    app.button(key=f"retry-{train.id}").click().run()
    assert not app.exception and queued == [(train.id, "local")]
    (settings,) = [one.proto for one in app.get("page_link") if one.proto.label.startswith("Change")]
    assert settings.page == "train"
    form = show("train", **dict(parse_qsl(settings.query_string)))
    assert opened(form) and not opened(show("train", dataset=dataset.id, run=train.id))
    assert next(one.value for one in form.number_input if one.label == "Epochs") == 7, "with its values"
    button(form, "Train").click().run()
    assert "new" not in form.query_params, "it is submitted"


@pytest.mark.usefixtures("dataset", "waiting_queue")
def test_a_run_that_failed_is_dismissed_and_brought_back_and_fails_again_in_sight(show) -> None:
    train, store = queued_training(show), session.store()
    store.attempts.fail(train.id, store.attempts.claim(train.id, "w", "cpu"), "No memory.")
    app, dismiss = show("overview"), f"dismiss-{train.id}"
    app.button(key=dismiss).click().run()
    assert "No memory." not in texts(app) and "loop-questions" in keys(app), "the loop begins where it was"
    app.button(key="undo-dismiss").click().run()
    assert "No memory." in texts(app)
    app.button(key=dismiss).click().run()
    assert "undo-dismiss" not in keys(show("overview")) and "No memory." not in texts(show("overview"))
    again = queued_training(show)
    store.attempts.fail(again.id, store.attempts.claim(again.id, "w", "cpu"), "No room.")
    assert "No room." in texts(show("overview"))


def opened(app) -> bool:
    """Whether the form of a training is unfolded."""
    return next(bool(one.proto.expanded) for one in app.expander if one.label == "New training")


@pytest.mark.usefixtures("dataset", "waiting_queue")
def test_a_step_that_was_stopped_has_not_failed(show) -> None:
    train, store = queued_training(show), session.store()
    store.attempts.request_stop(train.id, "ann")
    app = show("overview")
    assert "The Train step was stopped." in texts(app) and "failed" not in texts(app) and "✗" not in texts(app)


def keys(app) -> set[str]:
    return {button.key for button in app.button}


@pytest.mark.usefixtures("filled_home")
def test_a_finished_loop_shows_every_step_done_and_the_numbers_before_and_after(show) -> None:
    app = show("overview")
    assert n_steps(app, DONE) == 8
    better = "**Better**" in texts(app)
    is_tried = any((one.key or "").startswith("try-") and one.proto.type == "primary" for one in app.button)
    assert ["loop is complete" in texts(app), is_tried] == [better, not better]
    worst = next(metric for metric in app.metric if metric.label == "Worst-group accuracy")
    runs = session.store().runs
    after = next(run for run in runs.all(kind="evaluate") if "slim" in run.name)
    assert worst.value == percent(after.metrics["wga"])
    assert worst.delta.endswith("points")


@pytest.mark.usefixtures("filled_home")
def test_an_image_that_was_drawn_on_after_the_evaluation_is_not_said_to_have_no_drawing(show) -> None:
    as_if_not_scored()
    assert "is not scored: no image has" in texts(show("overview"))
    drawn_on(1)
    told = texts(show("overview"))
    assert "not scored: 1 test image has a" in told
    assert "no image has" not in told


@pytest.mark.usefixtures("filled_home")
def test_there_is_no_tile_for_a_score_that_is_not_there(show) -> None:
    assert len(show("overview").metric) == 4
    as_if_not_scored()
    assert len(show("overview").metric) == 2


@pytest.mark.usefixtures("filled_home")
def test_the_facts_of_a_result_are_counted_once(show, monkeypatch) -> None:
    counted = []
    real = loop_state.facts_of
    monkeypatch.setattr(loop_state, "facts_of", lambda *given: counted.append(1) or real(*given))
    show("overview")
    assert len(counted) == 1


@pytest.mark.usefixtures("filled_home")
def test_why_a_model_that_was_evaluated_without_maps_has_no_attention_score(show) -> None:
    as_if_not_scored(with_maps=False)
    told = texts(show("overview"))
    assert "was evaluated without" in told
    assert "no image has" not in told


@pytest.mark.usefixtures("filled_home")
def test_three_texts_tell_what_is_wrong_why_and_whether_it_is_better(show) -> None:
    app = show("overview")
    before = next(run for run in session.store().runs.all(kind="evaluate") if "slim" not in run.name)
    told = texts(app).replace("\u00a0", " ").replace("**", "")
    assert f"{100 * before.metrics['average']:.1f} % of" in told
    assert "it gets wrong" in told and "strong attention falls" in told
    assert "trained on" in told and "24 images" in told
    assert "24 votes of the simulated annotator" in told and " min" not in told, "no minutes are made up"
    pictures = next(block.proto.body for block in app.get("html") if "slim-pictures" in block.proto.body)
    bars = next(block.proto.body for block in app.get("html") if "slim-group" in block.proto.body)
    worst = min(before.metrics["groups"], key=lambda group: group["accuracy"])
    assert worst["name"] in bars and percent(worst["accuracy"]) in bars, "the worst group stands beside the headline"
    assert pictures.count("slim-tile") == 2 and pictures.count("its heat map") == 4


@pytest.mark.usefixtures("filled_home")
def test_before_the_loop_is_closed_the_mistakes_of_the_worst_group_are_shown(show) -> None:
    runs = session.store().runs
    before, after = sorted(runs.all(kind="evaluate"), key=lambda run: "slim" in run.name)
    runs.delete(after.id)
    app = show("overview")
    assert "test can show" in texts(app) and ": mistakes**" in texts(app)
    (chart,) = app.get("plotly_chart")
    colours = json.loads(chart.proto.spec)["data"][0]["marker"]["color"]
    rates = [group["accuracy"] for group in before.metrics["groups"]]
    n_worst = rates.count(min(rates))  # two may be equally bad
    assert (colours.count(WORST), colours.count(CHOSEN)) == (n_worst, 4 - n_worst), "it stands out"


@pytest.mark.usefixtures("filled_home")
def test_a_model_without_mistakes_shows_none(show) -> None:
    store = session.store()
    before, after = sorted(store.runs.all(kind="evaluate"), key=lambda run: "slim" in run.name)
    store.runs.delete(after.id)
    path = store.artifacts.folder(before.id) / "predictions.parquet"
    kept = pd.read_parquet(path)
    kept.assign(prediction=kept["label"]).to_parquet(path)
    app = show("overview")
    assert "**No mistakes on test.**" in texts(app) and ": mistakes**" not in texts(app)
    assert "slim-tile" not in "".join(block.proto.body for block in app.get("html"))


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_another_training_leaves_the_story_and_is_one_choice_away(show) -> None:
    store = session.store()
    known = texts(show("overview"))
    (dataset,) = store.datasets.all()
    other, _ = store.runs.submit(
        parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet", "seed": 1})
    )
    app = show("overview")
    assert "it gets wrong" in known and "it gets wrong" in texts(app) and n_steps(app, DONE) == 8
    box = results(app)
    assert ["SLIM, from reference, seed 0" in name for name in box.options] == [True, False]
    box.select(other.id).run()
    assert app.query_params["result"] == other.id and "it gets wrong" not in texts(app)
    assert "it gets wrong" in texts(show("overview")), "the newest pair is the default of every visit"
    assert "it gets wrong" not in texts(show("overview", result=other.id)), "a link opens that choice"
    gone = show("overview", result="r-gone")
    assert "it gets wrong" in texts(gone) and "gone from the address" in gone.toast[0].value
    assert not gone.run().toast, "it is said once"


@pytest.mark.usefixtures("filled_home")
def test_a_reference_without_a_mistake_ends_the_loop_with_what_would_tell_more(show) -> None:
    store = session.store()
    before, after = sorted(store.runs.all(kind="evaluate"), key=lambda run: "slim" in run.name)
    store.runs.delete(after.id)
    as_if(before.id, correct=before.metrics["groups"][0]["n"])
    told = texts(show("overview"))
    assert "**Nothing to fix**" in told and "add test images" in told and "loop-comparison" not in told


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.usefixtures("filled_home")
def test_nothing_is_green_unless_it_is_better_and_nothing_red_unless_it_is_worse(answer, show, monkeypatch) -> None:
    """Of every verdict, whatever the figures are: the sentence, the tiles and their arrows."""
    rates = (0.5, 0.6) if answer is Answer.BETTER else (0.6, 0.5) if answer is Answer.WORSE else (0.5, 0.9)
    monkeypatch.setattr(loop_state, "verdict", lambda *_, **__: Verdict(answer, "a headline", "why", rates))
    app = show("overview")
    (line,) = [one.value for one in app.markdown if f"**{answer}**" in one.value]
    colours = {one.proto.color for one in app.metric if one.delta}
    coloured = {MetricProto.MetricColor.Name(one) for one in colours} - {"GRAY"}
    assert (":green[" in line, "GREEN" in coloured) == (answer is Answer.BETTER,) * 2
    assert (":red[" in line, "RED" in coloured) == (answer is Answer.WORSE,) * 2


@pytest.mark.usefixtures("filled_home")
def test_a_retraining_that_helps_nothing_is_told_no_with_a_picture_that_stayed_wrong_and_tries(
    show, monkeypatch
) -> None:
    for run in session.store().runs.all(kind="evaluate"):
        as_if(run.id, correct=5)
    read = predictions_of  # which images these models get wrong, the last digits of sums decide

    def all_wrong(run):
        found = read(run)
        return found.assign(predicted=1 - found["label"], correct=False)

    monkeypatch.setattr(comparison, "predictions_of", all_wrong)
    app = show("overview")
    told = texts(app)
    assert "**Inconclusive**" in told and "5 of" in told
    first, *others = [button for button in app.button if (button.key or "").startswith("try-")]
    assert first.proto.type == "primary" and {one.proto.type for one in others} == {"secondary"}, "one of them is next"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "viewer", lambda: Viewer("vic", "viewer"))
        looked_at = show("overview")
    assert "to be better" in texts(looked_at) and not any("try-" in (one.key or "") for one in looked_at.button)
    assert "still wrong**" in told, "typical mistakes, not the few that turned right"
    *buttons, random, unasked = (button for button in app.button if button.key.startswith("try-"))
    assert 1 <= len(buttons) <= 3
    assert random.key.startswith("try-random-") and unasked.label == METHODS["jtt"].label
    before = {run.id for run in session.store().runs.all()}
    buttons[0].click().run()
    assert not app.exception
    new = [run for run in session.store().runs.all() if run.id not in before]
    assert {"train", "evaluate"} <= {run.kind for run in new} and {run.status for run in new} == {"queued"}


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_try_is_one_line_over_all_its_steps_that_is_stopped_resumed_and_ends_with_figures_and_a_link(show) -> None:
    for run in session.store().runs.all(kind="evaluate"):
        as_if(run.id, correct=5)
    app = show("overview")
    label = next(button for button in app.button if (button.key or "").startswith("try-")).key
    app.button(key=label).click().run()
    app = show("overview")
    pipeline = newest_pipeline(session.store().datasets.all()[0].id)
    assert pipeline.runs[-1].kind == "evaluate" and len(pipeline.runs) > 1
    (line,) = app.get("progress")
    assert f"Step 1 of {len(pipeline.runs)}: " in line.proto.text
    waiting = [button for button in app.button if (button.key or "").startswith("try-")]
    assert waiting and all(button.disabled for button in waiting), "what to try next follows from its figures too"
    app.button(key=f"stop-{pipeline.id}").click().run()
    assert newest_pipeline(pipeline.dataset_id).state == "unfinished"
    app = show("overview")
    assert not app.button(key=label).disabled
    app.button(key=f"resume-{pipeline.id}").click().run()
    known = {run.kind: run.metrics for run in session.store().runs.all(status="done")}
    for run in newest_pipeline(pipeline.dataset_id).runs:  # as workers would
        finish(run.id, known[run.kind] | ({"average": 0.375} if run.kind == "evaluate" else {}))
    app = show("overview")
    told = texts(app).replace("\u00a0", " ")
    assert "evaluated: worst group" in told and "→ **37.5 %**" in told
    links = [link.proto for link in app.get("page_link")]
    assert any(link.label == "Compare" and pipeline.runs[-1].id in link.query_string for link in links)


@pytest.mark.usefixtures("filled_home")
def test_a_retraining_that_helps_is_told_yes_without_tries_but_with_the_random_subset_to_come(show) -> None:
    slim, erm = sorted(session.store().runs.all(kind="evaluate"), key=lambda run: "slim" not in run.name)
    as_if(erm.id, correct=2)
    as_if(slim.id, correct=25)
    app = show("overview")
    told = texts(app)
    assert "**Better**" in told and "loop is complete" in told
    assert "still wrong" not in told
    app.button(key=f"try-random-{slim.id}").click().run()
    queued = {run.kind: run for run in session.store().runs.all(status="queued")}
    assert queued["curate"].spec["strategy"] == "random"
    of_slim = next(run for run in session.store().runs.all(kind="curate") if run.spec["strategy"] == "slim")
    assert queued["curate"].spec["size"] == of_slim.spec["size"]
    assert queued["evaluate"].spec["model"] == queued["train"].id
    pipeline = newest_pipeline(slim.dataset_id)
    assert [run.kind for run in pipeline.runs] == ["curate", "train", "evaluate"] and pipeline.state == "active"
    assert show("overview").button(key=f"try-unasked-{slim.id}").disabled, "one after the other"


@pytest.mark.usefixtures("filled_home")
def test_without_the_files_of_an_evaluation_the_numbers_stay(show) -> None:
    store = session.store()
    for run in store.runs.all(kind="evaluate"):
        (store.artifacts.folder(run.id) / "predictions.parquet").unlink()
    app = show("overview")
    assert any("predictions of" in error.value for error in app.error)
    assert any(metric.label == "Worst-group accuracy" for metric in app.metric)


@pytest.mark.usefixtures("empty_home")
def test_the_demo_button_writes_and_registers_the_demo_data(show, monkeypatch, small_demo) -> None:
    from app.services import actions

    def small(folder, progress) -> None:  # the real set has 4,200 images
        import shutil

        progress(1, 1, "Drawing them")
        shutil.copytree(small_demo, folder)  # makes the folders above it

    monkeypatch.setattr(actions, "write_demo", small)
    app = show("overview")
    app.button[0].click().run()
    assert not app.exception
    assert [one.name for one in session.store().datasets.all()] == ["demo"]
    assert app.title[0].value == "Data"


@pytest.mark.usefixtures("filled_home")
def test_a_random_subset_is_not_set_beside_itself(show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    subset = loop_state.read(store, dataset.id).result.subset
    without = {"campaign": None, "answers_seq": None}
    random = as_good_on(subset, **without, strategy="random", options={})
    app = show("overview")
    assert "well or better" in texts(app)
    assert "without any answers do as well?" in texts(app)
    app = show("overview", result=random.id)
    assert "A random subset" not in texts(app)
    assert "Would a simpler model do as well?" in texts(app)
    labels = [one.label for one in app.button]
    assert METHODS["jtt"].label in labels and not [one for one in labels if "random subset" in one]


def page() -> None:
    import streamlit as st

    from app.overview.loop import make
    from app.ui import reruns

    reruns.begin_visit(st.session_state["to"])
    st.markdown(" ".join(make(st.session_state["of"], st.session_state["present"])))


def order(app: AppTest, present: Sequence[str], *, to: str = "", of: str = "d-1") -> list[str]:
    app.session_state["present"], app.session_state["to"], app.session_state["of"] = present, to, of
    app.run()
    assert not app.exception
    return app.markdown[0].value.split(" ")


def test_what_comes_during_a_visit_comes_last_and_the_next_visit_has_the_usual_order() -> None:
    app = AppTest.from_function(page)
    first = ["steps", "next", "headline", "finder", "figures"]
    assert order(app, ["next", "steps"]) == first
    assert order(app, USUAL) == first, "the verdict is there by itself: the row of steps stays where it is"
    assert order(app, USUAL, of="d-2") == list(USUAL), "another data set was chosen"
    order(app, USUAL, to="annotate")
    without = [part for part in USUAL if part != "finder"]
    assert order(app, without) == [*without, "finder"]
    assert order(app, USUAL) == [*without, "finder"]
    order(app, USUAL, to="annotate")
    assert order(app, USUAL) == list(USUAL)


@pytest.mark.parametrize(("asked", "where"), [("", "/"), ("?dataset=d-1&x=a%20b", "/?dataset=d-1&x=a%20b")])
def test_the_overview_is_where_its_name_says_too(client: TestClient, asked: str, where: str) -> None:
    answer = client.get(f"/overview{asked}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == where
