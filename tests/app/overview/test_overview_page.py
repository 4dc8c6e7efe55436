"""Overview, empty and filled."""

from __future__ import annotations

import json

import pytest

from app import session
from slim_core.evaluation.charts import palette
from slim_core.percent import percent


def texts(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


@pytest.mark.usefixtures("empty_home")
def test_a_first_visit_is_told_to_register_data_and_offered_the_demo(show) -> None:
    app = show("overview")
    assert "register a folder of images" in texts(app)
    assert [button.label for button in app.button] == ["Try the demo data"]
    assert not app.metric


@pytest.mark.usefixtures("dataset")
def test_with_data_the_next_thing_is_to_train(show) -> None:
    app = show("overview")
    assert "Train a reference model" in texts(app)
    assert texts(app).count("done]") == 1


@pytest.mark.usefixtures("filled_home")
def test_a_finished_loop_shows_every_step_done_and_the_numbers_before_and_after(show) -> None:
    app = show("overview")
    assert texts(app).count("done]") == 8
    assert "the loop is complete" in texts(app)
    worst = next(metric for metric in app.metric if metric.label == "Worst-group accuracy")
    runs = session.store().runs
    after = next(run for run in runs.all(kind="evaluate") if "slim" in run.name)
    assert worst.value == percent(after.metrics["wga"])
    assert worst.delta.endswith("points")


@pytest.mark.usefixtures("filled_home")
def test_three_texts_tell_what_is_wrong_why_and_whether_it_is_better(show) -> None:
    app = show("overview")
    before = next(run for run in session.store().runs.all(kind="evaluate") if "slim" not in run.name)
    told = texts(app).replace("\u00a0", " ").replace("**", "")
    assert f"{100 * before.metrics['average']:.1f} % of" in told
    assert "What it gets wrong" in told and "of its strong attention lies beside the object" in told
    assert "training images" in told and "24 answers" in told
    pictures = next(block.proto.body for block in app.get("html") if "slim-pictures" in block.proto.body)
    assert pictures.count("slim-tile") == 3 and pictures.count("under its heat map") == 6


@pytest.mark.usefixtures("filled_home")
def test_before_the_loop_is_closed_the_mistakes_of_the_worst_group_are_shown(show) -> None:
    runs = session.store().runs
    before, after = sorted(runs.all(kind="evaluate"), key=lambda run: "slim" in run.name)
    runs.delete(after.id)
    app = show("overview")
    assert "Not known yet" in texts(app) and ": mistakes**" in texts(app)
    (chart,) = app.get("plotly_chart")
    colours = json.loads(chart.proto.spec)["data"][0]["marker"]["color"]
    rates = [group["accuracy"] for group in before.metrics["groups"]]
    n_worst = rates.count(min(rates))  # two may be equally bad
    assert (colours.count(palette.WORST), colours.count(palette.CHOSEN)) == (n_worst, 4 - n_worst), "it stands out"


@pytest.mark.usefixtures("filled_home")
def test_without_the_files_of_an_evaluation_the_numbers_stay(show) -> None:
    store = session.store()
    for run in store.runs.all(kind="evaluate"):
        (store.artifacts.folder(run.id) / "predictions.parquet").unlink()
    app = show("overview")
    assert any("predictions of" in error.value for error in app.error)
    assert any(metric.label == "Worst-group accuracy" for metric in app.metric)


@pytest.mark.usefixtures("empty_home")
def test_the_demo_button_writes_and_registers_the_demo_data(show, monkeypatch, demo_folder) -> None:
    from app.services import actions

    def small(folder, progress) -> None:  # the real set has 4,200 images
        import shutil

        progress(1, 1, "Drawing the demo images")
        shutil.copytree(demo_folder, folder)  # makes the folders above it

    monkeypatch.setattr(actions, "write_demo", small)
    app = show("overview")
    app.button[0].click().run()
    assert not app.exception
    assert [one.name for one in session.store().datasets.all()] == ["demo"]
    assert app.title[0].value == "Data"
