"""Train, empty, filled and failing. No worker runs here: a submitted run stays queued."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1.element_tree import Block, Selectbox

from app import session
from app.train import forms
from app.train.forms import LAST_LAYER, MODELS, PROBE, WHOLE
from app.ui import training
from slim_core import result_files
from slim_core.annotation.plan import create_campaign
from slim_core.data.importing import import_data
from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.predictions import MIN_N, slices_of
from slim_core.models import efficientnet_lite
from slim_core.runs import trainings
from slim_core.steps.specs import parse_spec
from slim_core.store.results import training_history
from tests.app.conftest import as_if_probed, button, cells, finish, of_a_probe
from tests.slim_core.painted import wide_folders


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("what", "form_id"), [(WHOLE, "train-all"), (PROBE, "probe")])
def test_enter_in_a_field_of_the_form_starts_no_training(show, what: str, form_id: str) -> None:
    """It only ends what is typed: a training takes minutes, and begins with its button."""
    app = show("train")
    app.segmented_control(key="train-what").set_value(what).run()
    found = {one.proto.form.form_id: one.proto.form for one in _blocks(app.main) if one.type == "form"}
    assert not found[form_id].enter_to_submit


def _blocks(block: Block) -> Iterator[Block]:
    for child in block.children.values():
        if isinstance(child, Block):
            yield child
            yield from _blocks(child)


def test_the_form_proposes_the_recipe_of_the_demo_and_submits_it(show, dataset) -> None:
    app = show("train")
    assert app.selectbox(key=f"model-{dataset.id}").value == "small-resnet"
    app.number_input(key=f"epochs-small-resnet-reference-{dataset.id}").set_value(2)
    button(app, "Train").click().run()
    (run,) = session.store().runs.all(kind="train")
    assert (run.kind, run.status, run.spec["epochs"], run.created_by) == ("train", "queued", 2, "local")
    assert run.spec["selection"] == "worst_class"
    assert run.name == f"small-resnet on {dataset.name}", "as a command calls it"


@pytest.mark.parametrize("what", [WHOLE, PROBE])
def test_how_images_become_square_is_asked_where_some_are_not(show, dataset, tmp_path, what: str) -> None:
    wide = session.store().datasets.register(import_data(wide_folders(tmp_path / "wide")), by="tests")
    for one, is_asked in ((dataset, False), (wide, True)):
        app = show("train", dataset=one.id)
        app.segmented_control(key="train-what").set_value(what).run()
        assert any(box.key.startswith("fit-") for box in app.selectbox) == is_asked
    box, of_a_trained = [box for box in app.selectbox if box.key.startswith("fit-")]
    assert of_a_trained.key == "fit-register"
    box.set_value("pad")
    next(one for one in app.button if one.label.startswith("Train")).click().run()
    assert session.store().runs.all(kind="train")[0].spec["fit"] == "pad"


def test_a_set_for_a_pretrained_network_proposes_that_network(show, dataset, monkeypatch) -> None:
    lite0 = f"{efficientnet_lite.__name__}:lite0"
    monkeypatch.setattr(trainings, "default_model", lambda _dataset: lite0)
    app = show("train")
    assert app.selectbox(key=f"model-{dataset.id}").value == lite0
    assert any("a pretrained network" in caption.value for caption in app.caption)
    button(app, "Train").click().run()
    (run,) = session.store().runs.all(kind="train")
    assert (run.spec["model"], run.name) == (lite0, f"lite0 on {dataset.name}")


@pytest.mark.usefixtures("waiting_queue")
def test_evaluation_and_maps_follow_a_training_by_themselves_as_one_line(show, dataset) -> None:
    app = show("train")
    button(app, "Train").click().run()
    assert {run.kind for run in session.store().runs.all()} == {"train", "gradcam", "evaluate"}
    assert not app.exception
    told = "\n".join(text.value for text in show("train", dataset=dataset.id).markdown)
    assert "**Train, evaluate, map" in told


@pytest.mark.usefixtures("waiting_queue")
def test_what_follows_is_switched_off_and_several_seeds_are_one_press(show, dataset) -> None:
    app = show("train")
    app.number_input(key="n-seeds").set_value(3).run()
    app.checkbox(key="maps-Train").uncheck()
    app.checkbox(key="evaluate-Train").uncheck()
    app.text_input(key="name-Train").set_value("Short")
    button(app, "Train").click().run()
    runs = session.store().runs.all()
    assert {(run.name, run.spec["seed"]) for run in runs} == {(f"Short, seed {seed}", seed) for seed in range(3)}
    assert {run.kind for run in runs} == {"train"}
    (pipeline,) = session.store().pipelines.all(dataset.id)
    assert len(pipeline.runs) == 3 and app.query_params["run"] == pipeline.runs[0].id


@pytest.mark.usefixtures("waiting_queue", "dataset")
def test_of_several_seeds_none_is_queued_where_one_is_too_large(show) -> None:
    app = show("train")
    app.number_input(key="n-seeds").set_value(2).run()
    (seed,) = (one for one in app.number_input if one.label == "Seed")
    seed.set_value(2**32 - 1)
    button(app, "Train").click().run()
    assert "from 0 to below 4294967296." in app.error[0].value
    assert not session.store().runs.all()


def test_a_model_that_is_not_a_photograph_recipe_proposes_other_numbers(show, dataset) -> None:
    app = show("train")
    app.selectbox(key=f"model-{dataset.id}").select("resnet50").run()
    assert app.number_input(key=f"epochs-resnet50-reference-{dataset.id}").value == 100
    assert app.selectbox(key="weights-resnet50").value == "imagenet"


def test_a_model_that_was_mistyped_is_refused_when_it_is_submitted(show, dataset, monkeypatch) -> None:
    monkeypatch.setattr(forms, "MODELS", (*MODELS, "resnet5O"))  # a test cannot type a new one
    app = show("train")
    app.selectbox(key=f"model-{dataset.id}").select("resnet5O").run()
    button(app, "Train").click().run()
    assert not app.exception
    assert any("use small-resnet, resnet50 or another" in error.value for error in app.error)
    assert session.store().runs.all() == []


@pytest.mark.usefixtures("filled_home")
def test_a_subset_stays_chosen_when_another_one_is_curated_or_it_is_renamed(show) -> None:
    def on(app) -> Selectbox:
        return next(one for one in app.selectbox if one.label == "Train on")

    runs = session.store().runs
    first = next(iter(runs.all(kind="curate", status="done")))
    app = show("train", dataset=first.dataset_id)
    on(app).set_value(first.id).run()
    made, _ = runs.submit(parse_spec(first.spec | {"seed": 7}))
    finish(made.id, {}, first)
    app.run()
    assert on(app).value == first.id
    session.store().notes.write(first.id, name="Renamed", text="", tags=(), by="ann")
    app.run()
    assert on(app).value == first.id
    assert next(one for one in show("train", subset=made.id).selectbox if one.label == "Train on").value == made.id


@pytest.mark.usefixtures("filled_home")
def test_how_long_a_training_takes_is_said_before_the_click(show) -> None:
    told = [caption.value for caption in show("train").caption]
    takes, known = "epochs of 240 images take about", "earlier trainings here"
    assert any("Proposed: " in each and takes in each and known in each for each in told)


@pytest.mark.usefixtures("filled_home")
def test_a_finished_training_shows_curves_and_every_group_with_its_interval(show) -> None:
    run = next(run for run in session.store().runs.all(kind="train") if not run.spec["subset"])
    app = show("train", run=run.id, on="val")
    assert len(app.get("plotly_chart")) == 3
    table = app.dataframe[0].value
    assert len(table) == 4
    assert table["n"].sum() == 80
    assert all(" to " in interval for interval in table["interval"])
    assert sum("worst" in group for group in table["group"]) >= 1


@pytest.mark.usefixtures("filled_home")
def test_without_its_curves_a_training_still_shows_its_groups(show) -> None:
    run = next(run for run in session.store().runs.all(kind="train") if not run.spec["subset"])
    history = session.store().artifacts.folder(run.id) / result_files.HISTORY
    history.write_bytes(history.read_bytes()[:100])
    app = show("train", run=run.id, on="val")
    (told,) = [error.value for error in app.error]
    assert f"history.json of {run.id} is damaged" in told
    assert len(app.get("plotly_chart")) == 1 and app.dataframe[0].value["n"].sum() == 80


@pytest.mark.usefixtures("filled_home")
def test_curves_of_a_training_that_runs_stand_for_a_while_and_end_complete(show, monkeypatch) -> None:
    monkeypatch.setattr(training, "STANDS_S", 3600)
    store = session.store()
    known = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    first = training_history(store.artifacts, known.id)[0]
    epochs = [{**first, "epoch": n} for n in (1, 2, 3)]
    run, _ = store.runs.submit(_again(known), by="tests", force=True)
    token = store.attempts.claim(run.id, "w", "cpu")
    folder = store.artifacts.checkpoints(run.id)

    def drawn_after(n: int) -> int:
        (folder / result_files.HISTORY).write_text(json.dumps(epochs[:n]))
        app.run()
        curves = [json.loads(drawn.proto.spec)["data"][0]["x"] for drawn in app.get("plotly_chart")]
        return max(len(np.frombuffer(base64.b64decode(x["bdata"]), x["dtype"])) for x in curves)

    app = show("train", run=run.id)
    assert not app.get("plotly_chart")
    assert [drawn_after(1), drawn_after(2)] == [1, 1], "the first epoch at once, the second not yet"
    monkeypatch.setattr(training, "STANDS_S", 0)
    assert drawn_after(2) == 2
    monkeypatch.setattr(training, "STANDS_S", 3600)
    store.attempts.fail(run.id, token, "No room.")
    assert drawn_after(3) == 3


@pytest.mark.usefixtures("filled_home")
def test_an_evaluated_model_shows_its_groups_confusion_and_worst_slices_on_test(show) -> None:
    run = next(run for run in session.store().runs.all(kind="train") if not run.spec["subset"])
    evaluation = next(one for one in session.store().runs.all(kind="evaluate") if one.spec["model"] == run.id)
    groups, confusion, *ranked = (table.value for table in show("train", run=run.id).dataframe)
    assert groups["n"].sum() == 120
    assert {"attention_precision", "aiou"} <= set(groups)
    assert confusion.to_numpy()[:, 1:].tolist() == evaluation.metrics["confusion"]
    store = session.store()
    found = slices_of(store, evaluation, Ancestry.read(store, evaluation.dataset_id)).grouping.index
    large = [n for n in np.unique(found[found >= 0], return_counts=True)[1] if n >= MIN_N]  # smaller slices say little
    assert [sorted(slices["n"]) for slices in ranked] == ([sorted(large)] if large else [])
    for slices in ranked:
        assert slices["name"].str.contains(", environment ").all() and slices["accuracy"].is_monotonic_increasing
        assert slices["mostly"].str.contains("china|flower").all()


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("part", ["confusion.0-1", "slice.0", "group.1"])
def test_the_images_behind_each_number_have_an_address(show, part) -> None:
    run = next(run for run in session.store().runs.all(kind="train") if not run.spec["subset"])
    evaluation = next(one for one in session.store().runs.all(kind="evaluate") if one.spec["model"] == run.id)
    app = show("train", run=run.id, cell=f"{evaluation.id}.{part}")
    assert not app.error
    assert any(" wrong of " in text.value for text in app.markdown)


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("part", ["slice.99", "group.99", "confusion.9-9", "group.x", "confusion", "nonsense.1"])
def test_a_cell_that_does_not_exist_breaks_nothing(show, part) -> None:
    evaluation = session.store().runs.all(kind="evaluate")[0]
    assert not show("train", run=evaluation.spec["model"], cell=f"{evaluation.id}.{part}").error


@pytest.mark.usefixtures("filled_home")
def test_without_attention_maps_the_slices_say_what_to_run(show) -> None:
    store = session.store()
    reference = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    store.runs.delete(store.runs.all(kind="gradcam")[0].id, cascade=True)
    assert store.runs.all(kind="evaluate", status="done"), "the reference's own stays"
    app = show("train", run=reference.id)
    assert any("map the attention" in caption.value for caption in app.caption)


@pytest.mark.usefixtures("filled_home")
def test_a_model_that_is_not_evaluated_shows_validation_and_offers_to(show) -> None:
    store = session.store()
    evaluation = store.runs.all(kind="evaluate")[0]
    store.runs.delete(evaluation.id)
    app = show("train", run=evaluation.spec["model"])
    assert app.dataframe[0].value["n"].sum() == 80
    assert any(button.key == "evaluate" for button in app.button)


@pytest.mark.usefixtures("filled_home")
def test_a_link_with_a_subset_opens_the_retraining_form_with_its_reference(show) -> None:
    runs = session.store().runs
    subset = runs.all(kind="curate")[0]
    reference = next(run for run in runs.all(kind="train") if not run.spec["subset"])
    app = show("train", subset=subset.id)
    assert any(reference.id in caption.value for caption in app.caption)
    button(app, "Retrain").click().run()
    assert not app.exception
    newest = runs.all(kind="train")[0]
    assert newest.spec["subset"] == subset.id
    assert newest.spec["reference"] == reference.id


def ended(store, how: str):
    """A training of its own that ended so."""
    run, _ = store.runs.submit(_again(store.runs.all(kind="train")[0]), by="tests", force=True)
    token = store.attempts.claim(run.id, "w", "cpu")
    store.attempts.fail(run.id, token, "No room.") if how == "failed" else store.attempts.cancel(run.id, token)
    return run


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("how", "said"), [("failed", "failed"), ("canceled", "was stopped")])
def test_a_training_without_a_result_is_retried_where_it_is_looked_at(show, monkeypatch, how: str, said: str) -> None:
    run = ended(session.store(), how)
    app = show("train", run=run.id)
    assert f"The training {said}. Retry it" in "\n".join(one.value for one in app.markdown)
    form = next(one for one in app.button if one.label.startswith("Change")).click().run()
    assert next(one for one in form.expander if one.label == "New training").proto.expanded
    queued: list[tuple[str, ...]] = []
    queue = SimpleNamespace(retry=lambda *about: queued.append(about), submit=lambda *_runs: None)
    monkeypatch.setattr(session, "queue", lambda: queue)
    app = show("train", run=run.id)
    app.button(key=f"retry-{run.id}").click().run()
    assert not app.exception and queued == [(run.id, "local")]


@pytest.mark.usefixtures("waiting_queue")
def test_a_training_that_is_resumed_with_what_follows_it_has_one_button_for_that(show, dataset) -> None:
    button(show("train"), "Train").click().run()
    store = session.store()
    (run,) = store.runs.all(kind="train", dataset=dataset.id)
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "No room.")
    app = show("train", run=run.id)
    keys = [str(one.key) for one in app.button]
    assert f"retry-{run.id}" not in keys and sum(key.startswith("resume-") for key in keys) == 1
    assert "*Resume* it above, or choose other" in "\n".join(one.value for one in app.markdown)


def _again(run):
    from slim_core.steps.specs import parse_spec

    return parse_spec(run.spec)


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_the_last_layer_of_a_model_is_refitted_by_a_method_with_its_own_settings(show) -> None:
    runs = session.store().runs
    reference = next(run for run in runs.all(kind="train") if not run.spec["subset"])
    features = next(run for run in runs.all(kind="gradcam") if run.spec["model"] == reference.id)
    app = show("train")
    app.segmented_control(key="train-what").set_value(LAST_LAYER).run()
    app.selectbox(key="refit-reference").select(reference.id).run()
    assert [one[:11] for one in app.selectbox(key="selection-refit").options] == ["worst class", "worst group"]
    app.selectbox(key="refit-train").select("dfr").run()
    assert app.number_input(key="refits-dfr-refit").value == 20
    app.number_input(key="refits-dfr-refit").set_value(3)
    button(app, "Refit").click().run()
    assert not app.exception
    spec = max(runs.all(kind="train"), key=lambda run: run.created_at).spec
    assert (spec["mode"], spec["reference"], spec["refit"]) == ("last-layer", reference.id, "dfr")
    assert spec["refit_options"]["refits"] == 3 and spec["attention"] == features.id
    assert spec["subset"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_last_layer_is_refitted_with_the_answers_of_a_campaign(show) -> None:
    store = session.store()
    campaign = store.campaigns.all()[0]
    reference = store.lineage.reference_of(store.runs.fetch(campaign.space_run_id))
    app = show("train")
    app.segmented_control(key="train-what").set_value(LAST_LAYER).run()
    app.selectbox(key="refit-reference").select(reference.id).run()
    app.selectbox(key="refit-train").select("answered").run()
    assert app.selectbox(key="campaign-answered-refit").label.startswith("Campaign about")
    button(app, "Refit").click().run()
    assert not app.exception
    run = max(store.runs.all(kind="train"), key=lambda run: run.created_at)
    assert run.spec["refit"] == "answered" and run.spec["refit_options"]["campaign"] == campaign.id
    assert run.spec["refit_options"]["answers_seq"] == store.answers.last_seq(campaign.id)


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_last_layer_is_put_on_a_pretrained_network_as_a_reference_model(show) -> None:
    app = show("train")
    app.segmented_control(key="train-what").set_value(PROBE).run()
    model = next(box for box in app.selectbox if str(box.key).startswith("probe-model-"))
    assert "small-resnet" not in model.options and model.value == "resnet18"
    offered = app.selectbox(key="refit-probe").options
    assert "l2 logistic regression" in offered and not any("uses answers" in label for label in offered)
    app.text_input(key="strengths-l2-probe").set_value("1, 0.1")
    button(app, "Train the last").click().run()
    assert not app.exception
    runs = session.store().runs
    run = max(runs.all(kind="train"), key=lambda run: run.created_at)
    spec = run.spec
    assert (spec["model"], spec["weights"], spec["mode"], spec["refit"]) == ("resnet18", "imagenet", "last-layer", "l2")
    assert spec["reference"] is None and spec["refit_options"]["strengths"] == [1.0, 0.1]
    assert {child.kind for child in runs.children(run.id)} == {"evaluate", "gradcam"}


@pytest.mark.usefixtures("filled_home")
def test_the_usual_way_to_retrain_follows_the_reference_of_the_subset(show) -> None:
    subset = session.store().runs.all(kind="curate")[0]
    probed, app = of_a_probe(subset), show("train", subset=subset.id)
    (how,) = [one for one in app.segmented_control if one.label == "Start"]
    (on,) = [one for one in app.selectbox if one.label == "Train on"]
    assert how.value == "reference"
    on.select(next(one for one in on.options if probed.id in one)).run()
    (how,) = [one for one in app.segmented_control if one.label == "Start"]
    assert how.value == "last-layer" and not app.exception


@pytest.mark.usefixtures("filled_home")
def test_the_form_of_a_refit_begins_with_what_a_press_would_give(show, monkeypatch: pytest.MonkeyPatch) -> None:
    store = session.store()
    subset = store.runs.all(kind="curate")[0]
    other = create_campaign(store, store.runs.fetch(subset.spec["space"]), share=0.05, seed=9, name="the newest")
    assert store.campaigns.all()[0].id == other.id != subset.spec["campaign"]
    as_if_probed(subset, monkeypatch)
    app = show("train", subset=subset.id)
    assert app.selectbox(key=f"refit-train-{subset.id}").value == "answered"
    button(app, "Refit").click().run()
    assert not app.exception
    spec = store.runs.all(kind="train")[0].spec
    asked = {name: subset.spec[name] for name in ("campaign", "answers_seq")}
    assert (spec["refit"], spec["subset"]) == ("answered", subset.id) and asked.items() <= spec["refit_options"].items()
    assert spec["refit_options"]["strengths"] == [0.5, 0.1]


def register(app, path, name: str = "", mean: str = ""):
    """Fill in the form of a trained model and press its button."""
    next(one for one in app.text_input if one.label == "Checkpoint on this machine").set_value(str(path))
    next(one for one in app.text_input if one.label == "Name").set_value(name)
    app.text_input(key="mean-register").set_value(mean)
    app.run()
    button(app, "Register model").click().run()
    assert not app.exception
    return app


@pytest.mark.usefixtures("dataset")
def test_the_first_click_on_register_counts_and_without_a_path_says_what_is_missing(show) -> None:
    app = show("train")
    assert not button(app, "Register model").disabled
    app = register(app, "")
    (told,) = [one.value for one in app.warning]
    assert "Enter the path" in told
    assert not session.store().runs.all()


@pytest.mark.usefixtures("filled_home")
def test_a_model_that_was_trained_elsewhere_is_opened_and_its_report_comes_by_itself(show, waiting_queue) -> None:
    store = session.store()
    reference = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    path = store.artifacts.folder(reference.id) / "weights.safetensors"
    app = show("train")
    assert any("in this order: 0, 1." in caption.value for caption in app.caption)
    app = register(app, path, "Theirs", "0.5, 0.5, 0.5")
    run = store.runs.all(kind="train")[0]
    assert {one.kind for one in store.runs.children(run.id)} >= {"gradcam", "evaluate"}, "what its report shows"
    assert (run.name, run.spec["mode"], run.spec["checkpoint"]) == ("Theirs", "registered", str(path))
    assert (run.spec["mean"], run.status) == ([0.5, 0.5, 0.5], "queued")
    assert app.query_params["run"] == run.id


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_checkpoint_that_is_not_there_is_refused_on_the_page(show, filled_home) -> None:
    n_runs = len(session.store().runs.all())
    app = register(show("train"), filled_home / "nothing.pt")
    assert any("is no checkpoint" in error.value for error in app.error)
    app = register(show("train"), "/etc/passwd")
    assert any("outside the allowed" in error.value for error in app.error)
    assert len(session.store().runs.all()) == n_runs


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home", "waiting_queue")
@pytest.mark.parametrize("file", ["theirs.safetensors", "theirs.pt", "old.pth"])
def test_a_model_of_another_number_of_classes_is_refused_and_the_next_file_is_taken(show, tmp_path, file: str) -> None:
    import torch
    from safetensors.torch import save_file

    from slim_core.models.build import build

    def saved(name: str, n_classes: int) -> str:
        net = build("small-resnet", n_classes, weights="none", image_size=64).net
        state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
        path = tmp_path / name
        if path.suffix == ".safetensors":
            save_file(state, path)
        else:
            torch.save(state, path, _use_new_zipfile_serialization=path.suffix == ".pt")
        return str(path)

    n_runs = len(session.store().runs.all())
    app = register(show("train"), saved(file, 7), "Theirs")
    (error,) = app.error
    assert "no layer with 2 outputs, and the" in error.value
    assert len(session.store().runs.all()) == n_runs
    typed = [one.value for one in app.text_input]
    assert str(tmp_path / file) in typed and "Theirs" in typed
    register(app, saved(f"two-{file}", 2), "Theirs")
    later = session.store().runs.all()[: -n_runs or None]
    assert [run.name for run in later if run.kind == "train"] == ["Theirs"]


@pytest.mark.usefixtures("filled_home")
def test_a_registered_model_says_where_it_is_from_and_where_its_attention_comes_from(show, filled_home) -> None:
    from slim_core import api
    from slim_core.runs.executor import InProcess, Workbench

    store = session.store()
    reference = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    path = store.artifacts.folder(reference.id) / "weights.safetensors"
    at = Workbench(store, InProcess(store, device="cpu"))
    run = api.register_model(path, model="small-resnet", data=reference.dataset_id, at=at)
    app = show("train", run=run.id)
    captions = " ".join(caption.value for caption in app.caption)
    assert "trained elsewhere" in captions and str(path) in captions
    assert "layer stages (64 channels, 8 x 8)." in captions
    assert "centre crop of 64 x 64 px" in captions
    assert len(app.dataframe[0].value) == 4  # the groups on validation

    fields = {row[0].removeprefix("● ") for row in cells(show("jobs", run=run.id), "Parameters")}
    assert "checkpoint" in fields and not fields & {"epochs", "lr", "objective"}


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("objective", "label"), [("jtt", "Errors of"), ("cnc", "Predictions of")])
def test_the_earlier_run_that_a_loss_rests_on_is_chosen_among_those_that_are_done(show, objective, label) -> None:
    app = show("train")
    app.selectbox(key="objective-train-all").select(objective).run()
    done = session.store().runs.all(kind="train", status="done")
    [box] = [box for box in app.selectbox if box.label == label]
    assert len(box.options) == len(done) and box.value == done[0].id, "the newest of them"


@pytest.mark.usefixtures("filled_home")
def test_a_pipeline_that_begins_leaves_the_forms_below_it_in_their_places(show) -> None:
    """What comes to another place is another element to the browser: it forgets what was opened and typed there."""

    def place(app) -> int:
        return next(at for at, one in app.main.children.items() if getattr(one, "label", "") == "New training")

    store = session.store()
    app = show("train")
    before = place(app)
    spec = parse_spec(store.runs.all(kind="evaluate")[0].spec)
    runs = [store.runs.submit(spec, force=True)[0] for _ in range(2)]
    store.pipelines.create("training", [run.id for run in runs])
    app.run()
    assert "Step 1 of 2: " in str(app.get("progress")[0].proto)
    assert place(app) == before
